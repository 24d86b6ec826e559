"""The policy that the settings name, for all members of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium
import torch

from agents.neural.policies.base import ActionBox, Policy
from agents.neural.policies.factory import continuous_policy_for
from agents.soft_actor_critic.settings import SACSettings

_COLUMNS = ("clip_stddev", "epsilon", "clip_min", "clip_max", "temperature")


def build_policy(
    settings: Sequence[SACSettings], action_space: gymnasium.Space[object], box: ActionBox
) -> tuple[Policy, tuple[int, ...]]:
    """The policy, and the widths of the linear heads that its parameters come from."""
    static = settings[0]
    columns = {
        name: torch.tensor([getattr(one, name) for one in settings]).to(box.low)[:, None, None]
        for name in _COLUMNS
    }
    policy = continuous_policy_for(
        static.policy_type,
        action_space,
        columns,
        num_components=static.num_components,
        share_std=static.share_std,
        hard=static.hard,
        dtype=box.low.dtype,
        device=box.low.device,
    )
    A, K = box.dimensions, static.num_components
    if static.policy_type.endswith("Mixture"):
        return policy, (K, *_equal(policy.outputs - K, K * A))
    return policy, _equal(policy.outputs, A)


def _equal(outputs: int, width: int) -> tuple[int, ...]:
    """As many heads of a width as fit, and one for the rest."""
    heads, rest = divmod(outputs, width)
    return (width,) * heads + ((rest,) if rest else ())
