"""Soft actor-critic as the run loop knows it."""

from __future__ import annotations

from agents.neural.group import LearnerGroup
from agents.soft_actor_critic.continuous import ContinuousLearner
from agents.soft_actor_critic.discrete import DiscreteLearner


class SAC(LearnerGroup):
    """For vector actions."""

    learner = ContinuousLearner


class SACDiscrete(LearnerGroup):
    """For discrete actions."""

    learner = DiscreteLearner
