"""A member that sees pictures has the same bits whatever company it trains in."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import gymnasium
import msgspec
import numpy as np
import pytest
from members import batch, equal_states, mixed

from agents.dqn.settings import DQNSettings
from agents.greedy_ac.settings import GreedyACDiscreteSettings
from agents.neural.group import LearnerGroup
from agents.neural.settings import NeuralSettings
from agents.soft_actor_critic.settings import SACDiscreteSettings, SACSettings
from agents.vac.settings import VACDiscreteSettings

SMALL: dict[str, Any] = {"hidden_dim": 16, "num_hidden": 1, "batch_size": 5, "replay_capacity": 20}
TRUTH: Any = bool
CASES: dict[str, tuple[NeuralSettings, gymnasium.spaces.Box]] = {
    "nature": (
        SACDiscreteSettings(**SMALL),
        gymnasium.spaces.Box(0, 255, (2, 40, 36), np.uint8),
    ),
    "minatar": (
        SACDiscreteSettings(automatic_entropy_tuning=True, double_q=False, **SMALL),
        gymnasium.spaces.Box(0, 1, (10, 10, 4), TRUTH),
    ),
    "floats": (
        SACDiscreteSettings(**SMALL),
        gymnasium.spaces.Box(0, 1, (6, 6, 2), np.float32),
    ),
    "DQN": (DQNSettings(**SMALL), gymnasium.spaces.Box(0, 1, (7, 7, 3), TRUTH)),
    "VAC": (VACDiscreteSettings(**SMALL), gymnasium.spaces.Box(0, 255, (5, 5, 1), np.uint8)),
    "Greedy AC": (
        GreedyACDiscreteSettings(**SMALL),
        gymnasium.spaces.Box(0, 255, (3, 8, 8), np.uint8),
    ),
    "continuous actions": (
        SACSettings(**SMALL),
        gymnasium.spaces.Box(0, 255, (8, 9, 3), np.uint8),
    ),
}


class Screens:
    """Made-up pictures for each member, which depend on its own actions and seed."""

    def __init__(self, space: gymnasium.spaces.Box, seeds: Sequence[int]) -> None:
        self.space = space
        self.rngs = [np.random.default_rng(1000 + seed) for seed in seeds]
        self.seen = np.stack([self.draw(rng) for rng in self.rngs])

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        high = 1 if self.space.dtype != np.uint8 else 255
        return np.round(rng.random(self.space.shape) * high).astype(self.space.dtype)

    def run(self, agent: LearnerGroup, steps: int) -> np.ndarray:
        """Interacts; returns the actions of every step."""
        history = []
        for _ in range(steps):
            actions = agent.act(self.seen, agent.live, explore=True)
            history.append(actions)
            following = np.stack([self.draw(rng) for rng in self.rngs])
            rewards = actions.reshape(len(actions), -1).sum(1) + following.mean((1, 2, 3))
            ended = np.array([rng.random() < 0.2 for rng in self.rngs])
            agent.observe(
                self.seen, actions, rewards, following, ended, np.zeros_like(ended), agent.live
            )
            begun = np.stack([self.draw(rng) for rng in self.rngs])
            self.seen = np.where(ended[:, None, None, None], begun, following)
        return np.stack(history)


def train(case: str, members: list[int], steps: int) -> tuple[LearnerGroup, Screens, np.ndarray]:
    base, space = CASES[case]
    settings = mixed(base, 4)
    agent = batch([settings[m] for m in members], members, observations=space)
    screens = Screens(space, members)
    return agent, screens, screens.run(agent, steps)


@pytest.mark.parametrize("case", CASES)
def test_company_does_not_change_a_bit(case: str) -> None:
    agent, _, actions = train(case, [0, 1, 2, 3], 50)
    assert not agent.diverged
    for members in ([3, 1, 0], [2]):
        other, _, other_actions = train(case, members, 50)
        for slot, member in enumerate(members):
            assert other_actions[:, slot].tobytes() == actions[:, member].tobytes()
            assert equal_states(other.state_dict(slot), agent.state_dict(member))


@pytest.mark.parametrize("case", CASES)
def test_a_loaded_member_goes_on_to_the_bit(case: str) -> None:
    agent, screens, _ = train(case, [0, 1, 2], 35)
    saved = pickle.dumps(agent.state_dict(1))
    seen, rngs = screens.seen[1:2].copy(), pickle.dumps(screens.rngs[1:2])
    expected = screens.run(agent, 40)

    other, other_screens, _ = train(case, [1], 12)
    other.load_state_dict(0, pickle.loads(saved))
    other_screens.seen, other_screens.rngs = seen, pickle.loads(rngs)
    assert other_screens.run(other, 40)[:, 0].tobytes() == expected[:, 1].tobytes()
    assert equal_states(other.state_dict(0), agent.state_dict(1))


def test_what_is_learned_has_names() -> None:
    agent, _, _ = train("minatar", [0, 1], 2)
    shapes = {name: array.shape for name, array in agent.learned_params(0).items()}
    assert shapes["actor_filters_0"] == (16, 3, 3, 4)
    assert shapes["critic_filters_0"] == (1, 16, 3, 3, 4)
    assert shapes["target_weight_0"] == (1, 1024, 16)


def test_flat_reads_pictures_as_vectors() -> None:
    base, space = CASES["nature"]
    flat = msgspec.structs.replace(base, encoder="flat")
    agent = batch([flat], [0], observations=space)
    Screens(space, [0]).run(agent, 8)
    shapes = {name: array.shape for name, array in agent.learned_params(0).items()}
    assert shapes["actor_weight_0"] == (2 * 40 * 36, 16)
    assert "actor_filters_0" not in shapes
