"""What settings and an environment have to do with each other, said before anything is learned."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from agents.base import AgentRefused
from agents.muzero.settings import MuZeroSettings
from agents.muzero.supports import supports
from agents.search.mlp import MLPModel
from agents.search.model import Model

if TYPE_CHECKING:
    from envs.wrappers import Problem


def check_spaces(
    settings: MuZeroSettings,
    observation_space: gymnasium.Space[Any],
    action_space: gymnasium.Space[Any],
) -> gymnasium.spaces.Discrete | gymnasium.spaces.Box:
    """The action space.

    Raises:
        AgentRefused: actions are neither discrete nor a box with bounds, or pictures not what the
            settings say.
    """
    if not isinstance(action_space, gymnasium.spaces.Discrete | gymnasium.spaces.Box):
        raise AgentRefused(f"MuZero needs discrete actions or a box of them, not {action_space}")
    if isinstance(action_space, gymnasium.spaces.Box):
        bounds = np.isfinite(action_space.low) & np.isfinite(action_space.high)
        if not bounds.all():
            raise AgentRefused(
                f"MuZero needs a box of actions with finite bounds, not {action_space}: it draws "
                "actions between them"
            )
        if settings.q_learning or settings.num_simulations == 0:
            raise AgentRefused(
                f"MuZero with {'q_learning' if settings.q_learning else 'num_simulations 0'} needs "
                f"discrete actions, not {action_space}: a box is searched over samples of a policy"
            )
    shape = observation_space.shape or ()
    stacked = len(shape) if len(shape) in (3, 4) else 0
    if settings.grayscale is not None and stacked != (3 if settings.grayscale else 4):
        raise AgentRefused(
            f"MuZero with grayscale {str(settings.grayscale).lower()} cannot read observations "
            f"{list(shape)}: the environment file's atari says what pictures are"
        )
    if settings.framestack is not None and (not stacked or shape[0] != settings.framestack):
        raise AgentRefused(
            f"MuZero with framestack {settings.framestack} cannot read observations {list(shape)}: "
            "the environment file's atari says how many are stacked"
        )
    return action_space


def check_engine(settings: MuZeroSettings, model: Model) -> None:
    """Whether the engine of searches can run this model.

    Raises:
        AgentRefused: it is compiled with dense networks only.
    """
    if settings.engine == "fused" and not isinstance(model, MLPModel):
        raise AgentRefused(
            'MuZero with engine "fused" needs dense networks on the processor, without '
            'value_prefix: choose "auto"'
        )


def check_support(settings: MuZeroSettings, problem: Problem, discount: float) -> None:
    """Whether values of the return at which the environment counts as solved have a place.

    Raises:
        AgentRefused: they would saturate the support.
    """
    greatest = largest_value(problem, discount, settings.clip_rewards)
    if greatest is None:
        return
    if settings.value_distribution == "c51":
        low, high = settings.c51_bounds
        if not low <= greatest <= high:
            raise AgentRefused(
                f"MuZero with c51_bounds {[low, high]} has no place for values of {greatest:.4g}, "
                "at which the environment counts as solved: let them reach there, or ask for a "
                "lower discount"
            )
        return
    try:
        supports(settings)[0].check(greatest)
    except ValueError as error:
        raise AgentRefused(f"MuZero with value_support {settings.value_support}: {error}") from None


def largest_value(problem: Problem, discount: float, most: float | None = None) -> float | None:
    """The discounted return at which the environment counts as solved, were its rewards spread
    evenly over an episode; None: it does not say.

    Args:
        most: of a reward, as it is learned; None: any.
    """
    threshold = None if problem.spec is None else problem.spec.reward_threshold
    if threshold is None:
        return None
    steps = problem.steps_per_episode
    if steps is None or discount == 1:
        return float(threshold)
    reward = float(threshold) / steps
    if most is not None:
        reward = min(max(reward, -most), most)
    return reward * (1 - discount**steps) / (1 - discount)


def warn_of_untrained_heads(settings: MuZeroSettings) -> None:
    """Says which heads are read that nothing trains."""
    # a weight of Q's loss there always is
    heads = () if settings.q_learning else ("policy", "value")
    weights = {name: getattr(settings, f"{name}_loss_weight") for name in heads}
    if settings.searches:
        # unless there is a step of the model there is no reward to train on
        weights["reward"] = settings.reward_loss_weight * settings.jumps
    for name, weight in weights.items():
        if weight == 0:
            reader = "search" if settings.searches else "agent"
            warnings.warn(
                f"the {reader} reads the {name} of a head that nothing trains: {name}_loss_weight "
                f"{'or jumps ' if name == 'reward' else ''}is 0",
                stacklevel=2,
            )
