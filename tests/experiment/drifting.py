"""An agent that drives its own environments: the smallest that learns, draws and can diverge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np

from agents.base import AgentSettings, Diverged, Driver, EnvironmentMaker, Episode
from agents.fleet import Fleet


class DriftingSettings(AgentSettings, frozen=True, kw_only=True):
    """How many environments, and when it diverges (never: -1)."""

    num_envs: int = 3
    rate: float = 0.1
    patience: int = -1

    @classmethod
    def group_size(cls, device: str) -> int:
        return 1


class Drifting:
    """Prefers the actions that were paid, each step's reward drifting into its value."""

    DRIVES = True

    def __init__(
        self,
        settings: DriftingSettings,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        rng: np.random.Generator,
        device: str,
        make_environment: EnvironmentMaker,
        total_timesteps: int,
        report: Callable[[Episode], None],
    ) -> None:
        assert isinstance(action_space, gymnasium.spaces.Discrete)
        self.settings, self.device, self.rng = settings, device, rng
        self.values = np.zeros(int(action_space.n))
        self.fleet = Fleet(
            make_environment, range(settings.num_envs), steps=total_timesteps, report=report
        )

    @property
    def timestep(self) -> int:
        return self.fleet.timestep

    @property
    def reward_sum(self) -> float:
        return self.fleet.reward_sum

    def advance(self, until: int, stop: Callable[[], bool]) -> None:
        fleet = self.fleet
        while fleet.timestep < until and not stop():
            if fleet.between_rounds:
                slots = fleet.begin_round()
                fleet.choose(self._actions(len(slots), fleet.legal(slots), self.rng))
            for transition in fleet.step(until).values():
                error = transition.reward - self.values[transition.action]
                self.values[transition.action] += self.settings.rate * error
            if fleet.between_rounds:
                self.values += 0.01 * self.rng.standard_normal(self.values.shape)
            if 0 <= self.settings.patience <= fleet.timestep:
                raise Diverged("its patience")

    def _actions(self, count: int, legal: Any, rng: np.random.Generator) -> list[int]:
        noisy = self.values + rng.gumbel(size=(count, self.values.size))
        if legal is not None:
            noisy[~legal] = -np.inf
        return [int(action) for action in noisy.argmax(axis=1)]

    def begin_evaluation(self, rng: np.random.Generator) -> None:
        self.evaluation_rng = rng

    def act_many(
        self, observations: Sequence[Any], slots: Sequence[int], *, begun: Sequence[int], legal: Any
    ) -> list[int]:
        assert set(begun) <= set(slots)
        return self._actions(len(slots), legal, self.evaluation_rng)

    def state_dict(self) -> dict[str, Any]:
        generator = self.rng.bit_generator.state
        return {"fleet": self.fleet.state_dict(), "values": self.values.copy(), "rng": generator}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.fleet.load_state_dict(state["fleet"])
        self.values, self.rng.bit_generator.state = state["values"].copy(), state["rng"]

    def metrics(self) -> dict[str, float]:
        return {"highest": float(self.values.max())}

    def learned_params(self) -> dict[str, np.ndarray]:
        return {"values": self.values}

    def provenance(self) -> dict[str, Any]:
        return {"environments": len(self.fleet.problems)}

    def close(self) -> None:
        self.fleet.close()


DRIFTING = {"agent_name": "drifting", "parameters": {"num_envs": [3, 1], "rate": [0.1, 0.3]}}
AGENTS = {"drifting": ("drifting:DriftingSettings", "drifting:Drifting")}
PROMISED: type[Driver] = Drifting

#: main.py with this agent.
MAIN = "import agents, drifting, main; agents.AGENTS |= drifting.AGENTS; main.main()"
