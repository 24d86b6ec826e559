"""Soft actor-critic for a batch of members: settings and seeds that train together.

Members step in lockstep, one timestep of each at a time. Who leaves early, by diverging or because
its caller stops it, is taken out of the arrays, and the others go on with the bits that they would
have had anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
import torch

from agents.base import AgentRefused
from agents.neural.observations import Encoder
from agents.soft_actor_critic.continuous import ContinuousLearner
from agents.soft_actor_critic.discrete import DiscreteLearner
from agents.soft_actor_critic.learner import Learner, Streams
from agents.soft_actor_critic.settings import (
    STATIC,
    SACDiscreteSettings,
    SoftSettings,
)

#: On a GPU, looking at a number waits for all work before it: losses are looked at this often.
_GPU_CHECK_INTERVAL = 64


class SoftActorCritic:
    """M members. Settings of `SACSettings` or of `SACDiscreteSettings`, equal in `STATIC`.

    Attributes:
        diverged: bool [M], the members that were frozen because a number stopped being finite.
        reasons: member -> that number.
        on_update: when set, called with what each update used: a name of update_states,
            update_actions, update_rewards, update_next_states and an array [M, B, ...].
    """

    def __init__(
        self,
        settings: Sequence[SoftSettings],
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        rngs: Sequence[np.random.Generator],
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """
        Raises:
            AgentRefused: spaces that it cannot work in, no such device, or settings that cannot
                train together.
        """
        name = "SACDiscrete" if isinstance(settings[0], SACDiscreteSettings) else "SAC"
        _check_alike(settings)
        device = _device(settings[0], device)
        self._settings = list(settings)
        self._action_space = action_space
        self._discrete = isinstance(action_space, gymnasium.spaces.Discrete)
        self._encoder = Encoder(
            observation_space,
            agent=name,
            encoder=settings[0].encoder,
            image_channels=settings[0].image_channels,
        )
        self._streams = [Streams(*rng.spawn(len(Streams._fields))) for rng in rngs]
        self._gamma, self._device, self._dtype = gamma, device, dtype
        self._check_interval = 1 if device == "cpu" else _GPU_CHECK_INTERVAL
        self._live = list(range(len(settings)))
        self._frozen: dict[int, _Frozen] = {}
        self._loaded: dict[int, int] = {}  # member -> timestep, while members are being loaded
        self.diverged = np.zeros(len(settings), dtype=bool)
        self.reasons: dict[int, str] = {}
        self.on_update: Callable[[str, np.ndarray], None] | None = None
        self._learner = self._build()

    # -- the course of training

    def act(self, observations: np.ndarray, *, explore: bool) -> np.ndarray:
        """Actions [M, ...] of the action space; those of frozen members mean nothing."""
        M, space = len(self._settings), self._action_space
        actions = np.zeros((M, *(space.shape or ())), dtype=space.dtype)
        if not self._live:
            return actions
        if self._loaded:
            self._end_loading()
        live = self._live_only(observations)
        drawn = self._learner.act(live, explore=explore)
        if isinstance(space, gymnasium.spaces.Discrete):
            actions[self._live] = drawn + space.start
            return actions
        finite = np.isfinite(drawn).reshape(len(drawn), -1).all(1)
        if not finite.all():
            self._freeze_diverged(finite, "the action")
            drawn = drawn[finite]
        actions[self._live] = drawn.reshape(len(drawn), *actions.shape[1:])
        return actions

    def observe(
        self,
        observations: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        next_observations: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
    ) -> None:
        """Takes in one step of each member, all arrays [M, ...], and learns when it is due.

        `next_observations` are the true successors also at the end of an episode. A terminated
        step is not bootstrapped; a truncated one is.
        """
        if not self._live:
            return
        if self._loaded:
            self._end_loading()
        step = [self._live_only(x) for x in (observations, actions, rewards, next_observations)]
        if isinstance(self._action_space, gymnasium.spaces.Discrete):
            step[1] = step[1] - self._action_space.start
        learner = self._learner
        learner.store(step[0], step[1], step[2], step[3], self._live_only(terminated))
        if not learner.update_is_due:
            return
        learner.update()
        if self.on_update is not None:
            self._report(self.on_update)
        if learner.updates % self._check_interval == 0:
            for reason, loss in learner.losses().items():
                if not np.isfinite(loss.sum()):
                    self._freeze_diverged(np.isfinite(loss), reason)
                    break  # who is left has finite losses, or is found at the next update

    def freeze(self, member: int) -> None:
        """Stops a member: its numbers no longer move. Stopping it twice is nothing."""
        if member in self._frozen:
            return
        learner = self._learner
        states = {one: learner.state_dict(slot) for slot, one in enumerate(self._live)}
        slot = self._live.index(member)
        self._frozen[member] = _Frozen(
            states.pop(member), learner.metrics(slot), learner.learned_params(slot)
        )
        self._live.remove(member)
        if self._live:
            self._learner = self._build()
            for slot, one in enumerate(self._live):
                self._learner.load_state_dict(slot, states[one])

    @property
    def live(self) -> tuple[int, ...]:
        """The members that are not frozen."""
        return tuple(self._live)

    # -- of one member

    def state_dict(self, member: int) -> dict[str, Any]:
        """Everything that the member's future depends on, as numpy arrays and numbers. It may be
        loaded into any batch of its setting, whatever the company."""
        if member in self._frozen:
            return self._frozen[member].state
        return self._learner.state_dict(self._live.index(member))

    def load_state_dict(self, member: int, state: dict[str, Any]) -> None:
        """Continues exactly where `state_dict` was taken. All members of a batch have to be
        loaded from the same timestep before it goes on."""
        if not self._loaded:
            self._loaded = dict.fromkeys(self._live, self._learner.steps)
        self._loaded[member] = state["steps"]
        self._learner.load_state_dict(self._live.index(member), state)

    def metrics(self, member: int) -> dict[str, float]:
        """Scalars worth a curve, as they stand now."""
        if member in self._frozen:
            return self._frozen[member].metrics
        return self._learner.metrics(self._live.index(member))

    def learned_params(self, member: int) -> dict[str, np.ndarray]:
        """The learned arrays."""
        if member in self._frozen:
            return self._frozen[member].learned_params
        return self._learner.learned_params(self._live.index(member))

    # -- within

    def _end_loading(self) -> None:
        steps, self._loaded = set(self._loaded.values()), {}
        if len(steps) > 1:
            raise ValueError(f"members were loaded from different timesteps: {sorted(steps)}")

    def _build(self) -> Learner:
        settings: Any = [self._settings[member] for member in self._live]
        learner = DiscreteLearner if type(settings[0]) is SACDiscreteSettings else ContinuousLearner
        return learner(
            settings,
            self._encoder,
            self._action_space,
            [self._streams[member] for member in self._live],
            gamma=self._gamma,
            device=self._device,
            dtype=self._dtype,
        )

    def _live_only(self, values: np.ndarray) -> np.ndarray:
        return values if len(self._live) == len(values) else values[self._live]

    def _freeze_diverged(self, finite: np.ndarray, reason: str) -> None:
        """`finite` is by slot."""
        for member in [self._live[slot] for slot in np.flatnonzero(~finite)]:
            self.diverged[member] = True
            self.reasons[member] = reason
            self.freeze(member)

    def _report(self, on_update: Callable[[str, np.ndarray], None]) -> None:
        batch = self._learner.last_batch
        assert batch is not None
        on_update("update_states", batch.states.cpu().numpy())
        on_update("update_actions", batch.actions.cpu().numpy())
        on_update("update_rewards", batch.rewards.cpu().numpy())
        on_update("update_next_states", batch.next_states.cpu().numpy())


class _Frozen:
    """What is left of a member that stopped."""

    def __init__(
        self, state: dict[str, Any], metrics: dict[str, float], params: dict[str, np.ndarray]
    ) -> None:
        self.state, self.metrics, self.learned_params = state, metrics, params


def _check_alike(settings: Sequence[SoftSettings]) -> None:
    first = settings[0]
    for name in STATIC:
        if not hasattr(first, name):
            continue
        values = [getattr(one, name) for one in settings]
        if any(value != values[0] for value in values):
            raise AgentRefused(f"members that train together need one {name}, not {values}")


def _device(settings: SoftSettings, device: str) -> str:
    wanted = "cuda" if settings.cuda and device == "cpu" else device
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise AgentRefused(f"no GPU is available for device {wanted!r}")
    return wanted
