"""A planner knows at each decision where it acts, in training, in evaluation and after a stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from left_runs import train
from sweep_runs import build, run_main, write_files

import agents
from agents.base import AgentSettings, Planner, Transition
from envs.lockstep import OneByOne
from envs.simulator import Simulator
from envs.wrappers import Problem
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.run import Options, build_training


class LookingSettings(AgentSettings, frozen=True, kw_only=True):
    """Nothing to choose but how continuous actions are listed."""

    bins: int = 2


class Looking:
    """Takes an action whose next reward is highest, one of them at random."""

    PLANS = True
    told: ClassVar[Counter[str]] = Counter()

    def __init__(
        self,
        settings: LookingSettings,
        observation_space: Any,
        action_space: Any,
        *,
        gamma: float,
        rng: np.random.Generator,
        device: str,
        simulator: Simulator,
    ) -> None:
        self.simulator, self.rng, self.evaluation_rng = simulator, rng, rng
        self.on_update: Callable[[str, Any], None] | None = None
        self.environment: Problem | None = None
        self.bins = settings.bins
        self.interactions = 0

    def act_in(self, environment: Problem) -> None:
        self.told["at a reset" if environment.steps == 0 else "in an episode"] += 1
        self.environment = environment

    def act(self, observation: Any, *, explore: bool) -> Any:
        assert self.environment is not None
        here = self.simulator.adopt(self.environment)
        assert np.array_equal(self.simulator.observation(), observation)
        assert here.steps == self.environment.steps
        rewards = []
        for action in range(len(self.simulator.actions)):
            self.simulator.restore(here)
            rewards.append(self.simulator.step(action).reward)
            self.interactions += explore
        best = np.flatnonzero(np.array(rewards) == max(rewards))
        rng = self.rng if explore else self.evaluation_rng
        self.expected = max(rewards)
        return self.simulator.actions[int(rng.choice(best))]

    def observe(self, transition: Transition) -> None:
        assert transition.reward == self.expected

    def state_dict(self) -> dict[str, Any]:
        return {"rng": self.rng.bit_generator.state, "interactions": self.interactions}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.interactions = state["interactions"]

    def counts(self) -> dict[str, int]:
        return {"interactions": self.interactions, "frames": self.interactions}

    def metrics(self) -> dict[str, float]:
        return {}

    def learned_params(self) -> dict[str, np.ndarray]:
        return {}


LOOKING = {"agent_name": "looking", "parameters": {}}


@pytest.fixture(autouse=True)
def looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Looking, "told", Counter())
    here = f"{__name__}:Looking"
    monkeypatch.setitem(agents.AGENTS, "looking", (f"{here}Settings", here))


@pytest.mark.parametrize(
    "fields",
    [
        {"env_name": "sweep/KeyDoorMaze2-v1", "kwargs": {"observation": "compact"}},
        {"env_name": "sweep/PuddleWorld-v1"},
        {"env_name": "CartPole-v1"},
        {"env_name": "LunarLander-v3", "continuous": False, "total_timesteps": 90},
        {"env_name": "sweep/PendulumContinuous-v1"},
    ],
    ids=lambda fields: fields["env_name"],
)
def test_the_simulator_is_where_the_environment_is(fields: dict[str, Any]) -> None:
    """Observations and rewards are compared by the agent itself, at every step."""
    short = {"total_timesteps": 150, "steps_per_episode": 20, "eval_interval_timesteps": 50}
    experiment = build(LOOKING, **(short | fields))
    whole = train(experiment, 3, [])
    begun = len(whole[0]["train_episode_steps"])
    evaluated = sum(map(len, whole[0]["eval_episode_steps"]))
    assert Looking.told["at a reset"] == begun + evaluated
    assert train(experiment, 3, [13, 50, 71]) == whole


def test_settings_say_how_continuous_actions_are_listed() -> None:
    experiment = build({"agent_name": "looking", "parameters": {"bins": [2, 5]}})
    folder = ResultFolder(Path(), Manifest.of(experiment, 0))
    training: Any = build_training(experiment, [folder.run(0), folder.run(1)], Options())
    planners: Any = training.agent
    assert [len(one.simulator.actions) for one in planners.agents] == [2, 5]
    training.close()


def test_environments_of_planners_are_stepped_one_by_one() -> None:
    """Stepped at once, their own states would lag behind."""
    experiment = build(LOOKING, env_name="sweep/PendulumDiscrete-v1", total_timesteps=40)
    folder = ResultFolder(Path(), Manifest.of(experiment, 0))
    training: Any = build_training(
        experiment, [folder.run(index) for index in range(12)], Options()
    )
    assert isinstance(training._environments, OneByOne)
    while not training.finished:
        training.evaluate() if training.evaluation_is_due else training.advance(float("inf"))
    training.close()


def test_what_a_planner_promises_is_what_the_loop_asks() -> None:
    agent: type[Planner] = Looking
    assert agent is agents.agent_type("looking")


INEXACT = '''
import random
import gymnasium


class Noisy(gymnasium.Env):
    """Draws from a generator that nobody can see."""

    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        return 0, random.random(), False, False, {}


gymnasium.register("Noisy-v0", Noisy, max_episode_steps=50)
'''


def test_an_environment_that_cannot_be_gone_back_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inexact.py").write_text(INEXACT)
    agent = {"agent_name": "rolloutIW", "parameters": {}}
    files = write_files(tmp_path, agent, env_name="inexact:Noisy-v0", total_timesteps=10)
    done = run_main(*files, "--index", 0, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "env_name" in done.stderr
    assert "played again from a saved state, it differs in the reward" in done.stderr
    assert not (tmp_path / "results").exists()
