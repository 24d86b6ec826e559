"""A group of runs for the run loop, on one learner whose arrays have a leading axis of members.

Members step in lockstep, one timestep of each at a time. Who leaves early, by diverging or because
its run ends, is taken out of the arrays, and the others go on with the bits that they would
have had anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import gymnasium
import numpy as np
import torch

from agents.base import AgentRefused, AgentSettings
from agents.group import BySlot, check_alike
from agents.neural.learner import Learner, Setup, Streams
from agents.neural.observations import Encoder

#: On a GPU, looking at a number waits for all work before it: losses are looked at this often.
_GPU_CHECK_INTERVAL = 64


class LearnerGroup:
    """See `agents.group.GroupAgent`; slots are members. A subclass names its learner.

    Denormal numbers are taken for 0 within: the moments of dead units decay into them, and they
    are slow to compute with. That is a mode of the processor, so it is left again outside.

    Attributes:
        device: where they compute.
        diverged: slot -> which number stopped being finite; the loop takes entries out.
    """

    GROUPS = True
    learner: ClassVar[Callable[..., Learner]]  # of a Setup

    def __init__(
        self,
        settings: Sequence[AgentSettings],
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
        torch.set_num_threads(1)  # small networks: more threads only wait for one another
        check_alike(settings)
        static: Any = settings[0]
        self.device = device = _device(static, device)
        self._action_space = action_space
        self._first_action = (
            int(action_space.start) if isinstance(action_space, gymnasium.spaces.Discrete) else None
        )
        self._all = Setup(
            settings,
            Encoder(
                observation_space,
                agent=type(self).__name__,
                encoder=static.encoder,
                image_channels=static.image_channels,
            ),
            action_space,
            [Streams(*rng.spawn(len(Streams._fields))) for rng in rngs],
            gamma,
            device,
            dtype,
        )
        self._size = len(settings)
        self._check_interval = 1 if device == "cpu" else _GPU_CHECK_INTERVAL
        self._live = list(range(self._size))
        self._frozen: dict[int, _Frozen] = {}
        self._loaded: dict[int, int] = {}  # slot -> timestep, while members are being loaded
        self._listeners: dict[int, Callable[[str, Any], None]] = {}
        self.diverged: dict[int, str] = {}
        self._learner = self._build()

    # -- the course of training

    def act(self, observations: BySlot, slots: Sequence[int], *, explore: bool) -> Any:
        """Actions [M, ...] of the action space."""
        space, live = self._action_space, self._live
        if not live:
            return np.zeros((self._size, *(space.shape or ())), dtype=space.dtype)
        if self._loaded:
            self._end_loading()
        if len(slots) < len(live):  # a slot that is not asked for may have no observation yet
            anything = observations[slots[0]]
            observations = [anything if one is None else one for one in observations]
        torch.set_flush_denormal(True)
        try:
            drawn = self._learner.act(self._of_live(observations), explore=explore)
        finally:
            torch.set_flush_denormal(False)
        if self._first_action is not None:
            drawn = drawn + self._first_action
        drawn = drawn.reshape(len(live), *(space.shape or ()))
        if len(live) == self._size:
            return drawn.astype(space.dtype, copy=False)
        actions = np.zeros((self._size, *drawn.shape[1:]), dtype=space.dtype)
        actions[live] = drawn
        return actions

    def observe(
        self,
        observations: BySlot,
        actions: Any,
        rewards: BySlot,
        next_observations: BySlot,
        terminated: BySlot,
        truncated: BySlot,
        slots: Sequence[int],
    ) -> None:
        """A terminated step is not bootstrapped; a truncated one is."""
        if len(slots) < len(self._live):
            self.freeze([slot for slot in self._live if slot not in slots])
        if not self._live:
            return
        if self._loaded:
            self._end_loading()
        learner, taken = self._learner, self._of_live(actions)
        if self._first_action is not None:
            taken = taken - self._first_action
        torch.set_flush_denormal(True)
        try:
            learner.store(
                self._of_live(observations),
                taken,
                self._of_live(rewards),
                self._of_live(next_observations),
                self._of_live(terminated),
            )
            for _ in range(learner.updates_due):
                if self._live:
                    self._update()
        finally:
            torch.set_flush_denormal(False)

    def _update(self) -> None:
        learner = self._learner
        learner.update()
        if self._listeners:
            self._report()
        if learner.updates % self._check_interval == 0:
            losses = learner.losses()
            if math.isfinite(sum(loss.sum() for loss in losses.values())):
                return
            for reason, loss in losses.items():
                if not np.isfinite(loss).all():
                    self._part_with(np.isfinite(loss), reason)
                    break  # who is left has finite losses, or is found at the next update

    def freeze(self, slots: Sequence[int]) -> None:
        """Stops members: their numbers no longer move. Stopping one twice is nothing."""
        leaving = [slot for slot in slots if slot not in self._frozen]
        if not leaving:
            return
        learner = self._learner
        states = {slot: learner.state_dict(place) for place, slot in enumerate(self._live)}
        for slot in leaving:
            place = self._live.index(slot)
            metrics, params = learner.metrics(place), learner.learned_params(place)
            self._frozen[slot] = _Frozen(states[slot], metrics, params)
        self._live = [slot for slot in self._live if slot not in self._frozen]
        if self._live:
            self._learner = self._build()
            for place, slot in enumerate(self._live):
                self._learner.load_state_dict(place, states[slot])

    @property
    def live(self) -> tuple[int, ...]:
        """The slots that are not frozen."""
        return tuple(self._live)

    def begin_evaluation(self, slot: int, rng: np.random.Generator) -> None:
        """Evaluation takes the mode of the policy: nothing is drawn."""

    def report_updates(self, slot: int, listener: Callable[[str, Any], None]) -> None:
        self._listeners[slot] = listener

    # -- of one member

    def state_dict(self, slot: int) -> dict[str, Any]:
        if slot in self._frozen:
            return self._frozen[slot].state
        return self._learner.state_dict(self._live.index(slot))

    def load_state_dict(self, slot: int, state: dict[str, Any]) -> None:
        """All members of a group have to be loaded from the same timestep before it goes on."""
        if not self._loaded:
            self._loaded = dict.fromkeys(self._live, self._learner.steps)
        self._loaded[slot] = state["steps"]
        self._learner.load_state_dict(self._live.index(slot), state)

    def metrics(self, slot: int) -> dict[str, float]:
        if slot in self._frozen:
            return self._frozen[slot].metrics
        return self._learner.metrics(self._live.index(slot))

    def learned_params(self, slot: int) -> dict[str, np.ndarray]:
        if slot in self._frozen:
            return self._frozen[slot].learned_params
        return self._learner.learned_params(self._live.index(slot))

    # -- within

    def _of_live(self, values: BySlot) -> np.ndarray:
        """The entries of those that are not frozen."""
        if isinstance(values, np.ndarray):
            return values if len(self._live) == self._size else values[self._live]
        return np.array([values[slot] for slot in self._live])

    def _build(self) -> Learner:
        everybody = self._all
        return type(self).learner(
            Setup(
                [everybody.settings[slot] for slot in self._live],
                everybody.encoder,
                everybody.action_space,
                [everybody.streams[slot] for slot in self._live],
                everybody.gamma,
                everybody.device,
                everybody.dtype,
            )
        )

    def _end_loading(self) -> None:
        steps, self._loaded = set(self._loaded.values()), {}
        if len(steps) > 1:
            raise ValueError(f"members were loaded from different timesteps: {sorted(steps)}")

    def _part_with(self, finite: np.ndarray, reason: str) -> None:
        """Freezes who diverged; `finite` is by place among the live."""
        leaving = [self._live[place] for place in np.flatnonzero(~finite)]
        self.diverged |= dict.fromkeys(leaving, reason)
        self.freeze(leaving)

    def _report(self) -> None:
        batch = self._learner.last_batch
        assert batch is not None
        for name, values in (
            ("update_states", batch.states),
            ("update_actions", batch.actions),
            ("update_rewards", batch.rewards),
            ("update_next_states", batch.next_states),
        ):
            for value, slot in zip(values.cpu().numpy(), self._live, strict=True):
                if slot in self._listeners:
                    self._listeners[slot](name, value)


class _Frozen(NamedTuple):
    """What is left of a member that stopped."""

    state: dict[str, Any]
    metrics: dict[str, float]
    learned_params: dict[str, np.ndarray]


def _device(settings: Any, device: str) -> str:
    wanted = "cuda" if settings.cuda and device == "cpu" else device
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise AgentRefused(f"no GPU is available for device {wanted!r}")
    return wanted
