"""What a rollout is, and which action belongs to which observation.

A rollout of T steps has T + 1 observations: `actions[t]` was chosen on seeing `observations[t]`;
`rewards[t]` and `observations[t + 1]` came of it. Only the last step may be terminated or
truncated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rollout(NamedTuple):
    """One episode, or the beginning of one.

    Attributes:
        observations: [T + 1, ...] of any numeric dtype.
        actions: [T, ...]; [T] integers where they are discrete.
        rewards: [T] float32.
        terminated: whether the last step ended the episode for good.
        truncated: whether the last step was the last for another reason, such as a limit.
        seed: the environment was reset with it, 0 to 2^63 - 1.
        attributes: small, of JSON.
    """

    observations: NDArray[Any]
    actions: NDArray[Any]
    rewards: NDArray[np.float32]
    terminated: bool
    truncated: bool
    seed: int
    attributes: Mapping[str, Any] = {}

    @property
    def length(self) -> int:
        """T."""
        return len(self.actions)


class LatentRollout(NamedTuple):
    """A rollout as an encoder saw it.

    Attributes:
        means: [T + 1, D] float32.
        log_variances: [T + 1, D] float32.
    """

    means: NDArray[np.float32]
    log_variances: NDArray[np.float32]
    actions: NDArray[Any]
    rewards: NDArray[np.float32]
    terminated: bool
    truncated: bool
    seed: int
    attributes: Mapping[str, Any] = {}

    @property
    def length(self) -> int:
        """T."""
        return len(self.actions)


class Slices(NamedTuple):
    """Windows of L steps within rollouts, a shorter rollout padded with zeros at its end.

    Attributes:
        observations: [B, L + 1, ...].
        actions: [B, L, ...].
        rewards: [B, L] float32.
        terminated: [B, L]; whether the episode ended for good in this step.
        mask: [B, L]; False after the end of a shorter rollout.
    """

    observations: NDArray[Any]
    actions: NDArray[Any]
    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    mask: NDArray[np.bool_]


class LatentSlices(NamedTuple):
    """As `Slices`, with means and log-variances [B, L + 1, D] float32 in place of observations."""

    means: NDArray[np.float32]
    log_variances: NDArray[np.float32]
    actions: NDArray[Any]
    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    mask: NDArray[np.bool_]


def frames_of(rollout: Rollout | LatentRollout) -> tuple[NDArray[Any], ...]:
    """The arrays of T + 1 entries: observations, or means and log-variances."""
    if isinstance(rollout, LatentRollout):
        return rollout.means, rollout.log_variances
    return (rollout.observations,)


def check_rollout(rollout: Rollout | LatentRollout) -> None:
    """Sees to it that the arrays of a rollout belong together.

    Raises:
        ValueError: they do not.
    """
    length = len(rollout.actions)
    if length == 0:
        raise ValueError("a rollout has one step at least")
    for frames in frames_of(rollout):
        if len(frames) != length + 1:
            raise ValueError(
                f"a rollout of {length} actions has {length + 1} observations, not {len(frames)}"
            )
        if frames.dtype.kind not in "buif":
            raise ValueError(f"observations are numbers, not {frames.dtype}")
    if isinstance(rollout, LatentRollout) and rollout.means.shape != rollout.log_variances.shape:
        raise ValueError(
            f"{rollout.means.shape} means have as many log-variances, "
            f"not {rollout.log_variances.shape}"
        )
    if rollout.rewards.shape != (length,):
        raise ValueError(
            f"{length} actions have {length} rewards, not an array {rollout.rewards.shape}"
        )
    if rollout.actions.dtype.kind not in "buif":
        raise ValueError(f"actions are numbers, not {rollout.actions.dtype}")
    if not 0 <= rollout.seed < 2**63:
        raise ValueError(f"a seed lies between 0 and 2^63 - 1: {rollout.seed}")
