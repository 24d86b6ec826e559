"""Numbers that change in the course of training, by the share of it that is over."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.muzero.settings import MuZeroSettings


def learning_rate(settings: MuZeroSettings, share: float) -> float:
    """The step size, after its warm-up on the way to its end."""
    share = min(share, 1.0)
    end = settings.learning_rate_end
    if settings.learning_rate_schedule == "linear":
        left = 1 - (1 - end) * share
    elif settings.learning_rate_schedule == "cosine":
        left = end + (1 - end) * (1 + math.cos(math.pi * share)) / 2
    else:
        left = max(end, 1e-12) ** share
    if share < settings.warm_up:
        left *= share / settings.warm_up
    return settings.learning_rate * left


def temperature(settings: MuZeroSettings, share: float) -> float:
    """T of acting in training."""
    return _reached(settings.visit_temp, share)


def temperatures(
    settings: MuZeroSettings, share: float, steps: Sequence[int]
) -> float | NDArray[np.float64]:
    """The same for environments whose episodes have had so many steps: of all, or [B] of each."""
    opening, T = settings.opening_moves, temperature(settings, share)
    return T if opening is None else np.where(np.array(steps) < opening, T, 0.0)


def epsilon(settings: MuZeroSettings, share: float) -> float:
    """ε of Q-learning in training."""
    return _reached(settings.epsilon, share) if settings.q_learning else 0.0


def _reached(course: float | tuple[tuple[float, float], ...], share: float) -> float:
    """Where a course over training is; 1 before its beginning."""
    if not isinstance(course, tuple):
        return course
    reached = [number for start, number in course if share >= start]
    return reached[-1] if reached else 1.0
