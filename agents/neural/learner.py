"""Members that learn from replay in lockstep: acting, storing, and the order of a step.

What is learned is a subclass's: `ActorCritic`, or one of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from torch import Tensor

from agents.neural.adam import AdamSettings
from agents.neural.noise import Noise
from agents.neural.observations import Encoder
from agents.neural.replay import Batch, Replay


class Streams(NamedTuple):
    """A member's random streams."""

    weights: np.random.Generator
    acting: np.random.Generator
    updates: np.random.Generator
    replay: np.random.Generator


@dataclass(frozen=True)
class Setup:
    """What a learner is made of, for M members.

    Attributes:
        settings: of each member; equal in the agent's `STATIC`.
    """

    settings: Sequence[Any]
    encoder: Encoder
    action_space: gymnasium.Space[Any]
    streams: Sequence[Streams]
    gamma: float
    device: str
    dtype: torch.dtype

    @property
    def static(self) -> Any:
        """Settings whose static hyperparameters are everybody's."""
        return self.settings[0]

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""
        return tuple([self.static.hidden_dim] * self.static.num_hidden)

    @property
    def weights(self) -> list[np.random.Generator]:
        """The streams that networks begin from."""
        return [one.weights for one in self.streams]

    def column(self, number: str | Callable[[Any], float]) -> Tensor:
        """A hyperparameter, or a function of the settings, by member: [M, 1]."""
        if isinstance(number, str):
            numbers = [float(getattr(one, number)) for one in self.settings]
        else:
            numbers = [number(one) for one in self.settings]
        return torch.tensor(numbers, dtype=self.dtype, device=self.device).unsqueeze(-1)

    def adam(self, step_size: Callable[[Any], float]) -> list[AdamSettings]:
        """The optimizer of each member."""
        return [AdamSettings(step_size(one), one.betas, one.adam_eps) for one in self.settings]


class Learner(ABC):
    """Members in lockstep. A subclass knows networks, actions and losses.

    Attributes:
        steps: timesteps observed.
        updates: gradient steps made.
        last_batch: what the last of them used.
    """

    def __init__(self, setup: Setup, *, stored_action: int) -> None:
        """`stored_action`: numbers of an action in replay."""
        static, M = setup.static, len(setup.settings)
        self._static, self._device, self._dtype = static, setup.device, setup.dtype
        self._encoder, self._width = setup.encoder, setup.encoder.width
        self._gamma = torch.tensor(setup.gamma, dtype=setup.dtype, device=setup.device)
        self._acting_noise = Noise([s.acting for s in setup.streams], setup.device, setup.dtype)
        self._noise = Noise([s.updates for s in setup.streams], setup.device, setup.dtype)
        self._replay = Replay(
            static.replay_capacity,
            self._width,
            stored_action,
            static.batch_size,
            [one.replay for one in setup.streams],
            byte_scale=setup.encoder.byte_scale,
            device=setup.device,
            dtype=setup.dtype,
        )
        # acting on two equal rows: a single one would take other routines of matrix products
        self._seen_tensor = torch.zeros(M, 2, self._width, dtype=setup.dtype)
        self._seen = self._seen_tensor.numpy()
        self.steps = self.updates = 0
        self.last_batch: Batch | None = None

    # -- acting

    def act(self, observations: np.ndarray, *, explore: bool) -> np.ndarray:
        """Actions of all members, as replay stores them: [M, A] or int64 [M]."""
        if explore and self.steps < self._static.uniform_exploration_steps:
            return self.uniform_action().cpu().numpy()
        self._seen[:] = self._encoder.read(observations)[:, None]
        action = self.choose(self._seen_tensor.to(self._device), explore=explore)
        return action.cpu().numpy()

    @abstractmethod
    def choose(self, states: Tensor, *, explore: bool) -> Tensor:
        """Actions [M, ...] at states [M, 2, I], of which both rows are equal."""

    @abstractmethod
    def uniform_action(self) -> Tensor:
        """Uniformly random actions [M, ...]."""

    # -- learning

    def store(
        self,
        observations: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        next_observations: np.ndarray,
        terminated: np.ndarray,
    ) -> None:
        """Takes in one step of each member."""
        self._replay.add(
            self._encoder.stored(observations),
            actions.reshape(len(actions), -1),
            rewards,
            self._encoder.stored(next_observations),
            terminated,
        )
        self.steps += 1

    @property
    def updates_due(self) -> int:
        """Gradient steps to make at this timestep."""
        static = self._static
        enough = self.steps >= max(static.steps_before_learning, static.batch_size)
        due = enough and self.steps % static.update_interval == 0
        return int(static.gradient_steps) if due else 0

    @torch.no_grad()
    def update(self) -> None:
        """One gradient step of everything."""
        self.last_batch = batch = self._replay.sample()
        self.updates += 1
        self.learn(batch)

    @abstractmethod
    def learn(self, batch: Batch) -> None:
        """One gradient step on B transitions; `updates` counts it already."""

    @abstractmethod
    def losses(self) -> dict[str, np.ndarray]:
        """What was minimised in the last update, [M] each, by name."""

    # -- leaving and coming back

    def state_dict(self, slot: int) -> dict[str, Any]:
        """A member's everything."""
        parts = {name: part.state_dict(slot) for name, part in self.parts().items()}
        columns = {name: column[slot].cpu().numpy().copy() for name, column in self.shown().items()}
        return {"steps": self.steps, "updates": self.updates, "shown": columns, **parts}

    def load_state_dict(self, slot: int, state: dict[str, Any]) -> None:
        """Continues a member's. All members must be at the same step."""
        self.steps, self.updates = state["steps"], state["updates"]
        for name, column in self.shown().items():
            column[slot] = torch.from_numpy(state["shown"][name]).to(column)
        for name, part in self.parts().items():
            part.load_state_dict(slot, state[name])

    def parts(self) -> dict[str, Any]:
        """Everything with a state by member, by name."""
        return {
            "replay": self._replay,
            "acting_noise": self._acting_noise,
            "noise": self._noise,
        }

    def shown(self) -> dict[str, Tensor]:
        """Columns [M, ...] that nothing is computed from, but that are shown."""
        return {}

    @abstractmethod
    def metrics(self, slot: int) -> dict[str, float]:
        """Of the last update; empty before the first."""

    def learned_params(self, slot: int) -> dict[str, np.ndarray]:
        """A member's arrays by name."""
        learned: dict[str, np.ndarray] = {}
        for part in self.parts().values():
            if hasattr(part, "learned_params"):
                learned |= part.learned_params(slot)
        return learned
