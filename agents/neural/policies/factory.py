"""Policies by their names in an agent file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import torch
from torch import Tensor

from agents.base import AgentRefused
from agents.neural.policies.base import ActionBox, DiscretePolicy, Policy
from agents.neural.policies.beta import Beta, BetaV2
from agents.neural.policies.gaussian import Gaussian
from agents.neural.policies.independent import Independent
from agents.neural.policies.mixture import Mixture, Pick
from agents.neural.policies.normal import CensoredNormal, SquashedNormal
from agents.neural.policies.softmax import Softmax
from agents.neural.policies.squashed_gaussian import SquashedGaussian
from agents.neural.policies.student_t import StudentT
from agents.neural.policy_settings import Impl

CONTINUOUS = (
    "SquashedGaussian",
    "Gaussian",
    "Beta",
    "BetaV2",
    "StudentT",
    "SquashedGaussianMixture",
    "GaussianMixture",
    "BetaMixture",
)
DISCRETE = ("Softmax",)

#: policy -> the members' hyperparameters [M, 1, 1] that it reads
COLUMNS: dict[str, tuple[str, ...]] = {
    "SquashedGaussian": ("clip_stddev",),
    "Gaussian": ("clip_stddev",),
    "Beta": ("epsilon", "clip_min", "clip_max"),
    "BetaV2": ("clip_min", "clip_max"),
    "StudentT": (),
    "SquashedGaussianMixture": ("clip_stddev", "temperature", "eps", "repulsive_coef"),
    "GaussianMixture": ("clip_stddev", "temperature", "eps", "repulsive_coef", "eta"),
    "BetaMixture": ("epsilon", "clip_min", "clip_max", "temperature", "eps"),
    "Softmax": (),
}
#: of these, what `Mixture` reads itself
MIXTURE_COLUMNS = ("temperature", "eps", "repulsive_coef", "eta")


def policy_for(
    policy_type: str,
    action_space: gymnasium.Space[Any],
    columns: Mapping[str, Tensor],
    *,
    num_components: int = 2,
    share_std: bool = False,
    hard: bool = True,
    impl: Impl | None = None,
    lmbda: float = -1.0,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Policy | DiscretePolicy:
    """The policy of this name on this action space.

    Args:
        columns: the members' hyperparameters by name, [M, 1, 1]; those of `COLUMNS` are read.
        num_components, share_std, hard, impl, lmbda: of mixtures; see `Mixture`.

    Raises:
        AgentRefused: the policy and the action space, or the hyperparameters, do not fit.
    """
    if policy_type in DISCRETE:
        return discrete_policy_for(policy_type, action_space)
    return continuous_policy_for(
        policy_type,
        action_space,
        columns,
        num_components=num_components,
        share_std=share_std,
        hard=hard,
        impl=impl,
        lmbda=lmbda,
        dtype=dtype,
        device=device,
    )


def discrete_policy_for(policy_type: str, action_space: gymnasium.Space[Any]) -> DiscretePolicy:
    """
    Raises:
        AgentRefused: no policy of discrete actions, or no discrete actions.
    """
    if policy_type not in DISCRETE:
        raise AgentRefused(f"discrete actions want the policy {_or(DISCRETE)}, not {policy_type}")
    if not isinstance(action_space, gymnasium.spaces.Discrete):
        raise AgentRefused(f"{policy_type} is a policy of discrete actions, not of {action_space}")
    return Softmax(int(action_space.n))


def continuous_policy_for(
    policy_type: str,
    action_space: gymnasium.Space[Any],
    columns: Mapping[str, Tensor],
    *,
    num_components: int = 2,
    share_std: bool = False,
    hard: bool = True,
    impl: Impl | None = None,
    lmbda: float = -1.0,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Policy:
    """As `policy_for`, of continuous actions alone."""
    if policy_type not in CONTINUOUS:
        raise AgentRefused(
            f"continuous actions want the policy {_or(CONTINUOUS)}, not {policy_type}"
        )
    box = ActionBox.of(action_space, dtype=dtype, device=device)
    columns = {name: columns[name] for name in COLUMNS[policy_type]}
    match policy_type:
        case "SquashedGaussian":
            return SquashedGaussian(box, **columns)
        case "Gaussian":
            return Gaussian(box, **columns)
        case "Beta":
            return Independent(box, Beta(box, **columns))
        case "BetaV2":
            return Independent(box, BetaV2(box, **columns))
        case "StudentT":
            return Independent(box, StudentT(box))
    if num_components < 1:
        raise AgentRefused(f"{policy_type} needs a component at least, not {num_components}")
    if share_std and policy_type == "BetaMixture":
        raise AgentRefused("BetaMixture has no standard deviation to share: share_std is false")
    of_mixture = {name: columns.pop(name) for name in MIXTURE_COLUMNS if name in columns}
    if not (of_mixture["temperature"] > 0).all():
        raise AgentRefused(f"{policy_type} needs a temperature above 0")
    if not hard and impl not in (None, "torch"):
        raise AgentRefused(f'hard false needs impl "torch", not "{impl}"')
    pick: Pick = "gumbel" if hard else "relaxed"
    family = {
        "SquashedGaussianMixture": SquashedNormal,
        "GaussianMixture": CensoredNormal,
        "BetaMixture": Beta,
    }[policy_type](box, **columns)
    return Mixture(
        box,
        family,
        num_components,
        share_std=share_std,
        pick="straight_through" if impl == "straight_through" else pick,
        lmbda=lmbda,
        **of_mixture,
    )


def _or(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
