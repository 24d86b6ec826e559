"""The policies that the tests look at, streams of noise for them, and integrals over the box."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gymnasium
import numpy as np
import torch
from torch import Tensor

from agents.neural.policies.base import Policy
from agents.neural.policies.factory import COLUMNS, CONTINUOUS, continuous_policy_for
from agents.neural.policies.mixture import Mixture
from agents.neural.policy_settings import Impl

torch.set_num_threads(1)  # tensors of these sizes gain nothing from more

ALL = CONTINUOUS
MIXTURES = tuple(name for name in ALL if name.endswith("Mixture"))
#: masses on the edges of the box; those of StudentT are not part of its density
CENSORED = ("Gaussian", "GaussianMixture")
UNCLAMPED_DENSITY = ("StudentT",)

#: The hyperparameters of members, over and over.
VALUES = {
    "clip_stddev": (1000.0, -1.0, 3.0),
    "epsilon": (1.0, 0.5, 1.0),
    "clip_min": (1e-6,),
    "clip_max": (1e6,),
    "temperature": (0.1, 0.5),
    "eps": (1e-20, 1e-3, 0.0),
    "repulsive_coef": (0.7, 0.0, 0.3),
    "eta": (1.0, 0.6),
}


def box(dimensions: int = 1, low: float = -1.0, high: float = 2.0) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(low, high, (dimensions,), dtype=np.float64)


def build(
    name: str,
    dimensions: int = 1,
    members: Sequence[int] = (0,),
    dtype: torch.dtype = torch.float64,
    space: gymnasium.spaces.Box | None = None,
    share_std: bool = False,
    hard: bool = True,
    components: int = 2,
    impl: Impl | None = None,
    lmbda: float = -1.0,
) -> Policy:
    columns = {
        column: torch.tensor(
            [VALUES[column][member % len(VALUES[column])] for member in members], dtype=dtype
        )[:, None, None]
        for column in COLUMNS[name]
    }
    return continuous_policy_for(
        name,
        box(dimensions) if space is None else space,
        columns,
        num_components=components,
        share_std=share_std,
        hard=hard,
        impl=impl,
        lmbda=lmbda,
        dtype=dtype,
    )


def mixture(name: str, **options: object) -> Mixture:
    policy = build(name, **options)  # type: ignore[arg-type]
    assert isinstance(policy, Mixture)
    return policy


class Streams:
    """Each member's own numbers, whoever its neighbours are."""

    def __init__(
        self, members: Sequence[int] = (0,), dtype: torch.dtype = torch.float64, seed: int = 0
    ) -> None:
        self.generators = [np.random.default_rng([seed, member]) for member in members]
        self._dtype = dtype

    def normal(self, batch: int, width: int) -> Tensor:
        return self._stack([g.standard_normal((batch, width)) for g in self.generators])

    def uniform(self, batch: int, width: int) -> Tensor:
        # the middles of 2^20 cells: neither 0 nor 1, in float32 as well
        return self._stack(
            [(g.integers(0, 2**20, (batch, width)) + 0.5) / 2**20 for g in self.generators]
        )

    def _stack(self, members: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(members)).to(self._dtype)


def random_h(
    policy: Policy,
    batch: int,
    members: Sequence[int] = (0,),
    dtype: torch.dtype = torch.float64,
    scale: float = 1.0,
) -> Tensor:
    rows = [
        np.random.default_rng([7, member]).normal(0, scale, (batch, policy.outputs))
        for member in members
    ]
    return torch.from_numpy(np.stack(rows)).to(dtype)


def laws(name: str, policy: Policy, count: int) -> Tensor:
    """h [count, H] of laws that the grid of `Integral` holds, with entropies to tell apart."""
    h = random_h(policy, count, scale=1.5 if "Beta" in name else 0.4)[0]
    if name == "BetaMixture":  # a component on either side
        h += torch.tensor([0.0, 0.5, 0.0, 5.0, 6.0, -1.0])
    return h


class Integral:
    """∫ g(a) π(a) da of one-dimensional policies: density on a grid, and masses on the edges.

    Nodes are at a = centre + scale tanh u for equal steps of u: the trapezoidal rule is then exact
    to many digits also where a density goes to 0 or ∞ at the edge. A density that is not confined
    to the box is integrated over the real line, a = sinh u.
    """

    def __init__(self, name: str, space: gymnasium.spaces.Box) -> None:
        low, high = float(space.low[0]), float(space.high[0])
        u = torch.linspace(-15, 15, 6001, dtype=torch.float64)
        step = float(u[1] - u[0])
        if name in UNCLAMPED_DENSITY:
            self.nodes, self.weights = (2 * u).sinh(), 2 * (2 * u).cosh() * step
        else:
            self.nodes = (low + high) / 2 + (high - low) / 2 * u.tanh()
            self.weights = (high - low) / 2 / u.cosh() ** 2 * step
        if name in CENSORED:
            edges = torch.tensor([low, high], dtype=torch.float64)
            self.nodes = torch.cat((self.nodes, edges))
            self.weights = torch.cat((self.weights, torch.ones(2, dtype=torch.float64)))
        self.actions = self.nodes.clamp(low, high)

    def log_density(self, policy: Policy, h: Tensor) -> Tensor:
        """At the nodes, of parameters h [H]."""
        return policy.likelihood(h.expand(1, len(self.nodes), -1), self.nodes[None, :, None])[0][0]

    def mean(self, policy: Policy, h: Tensor, f: Callable[[Tensor], Tensor]) -> float:
        """E[f(a)]."""
        density = self.log_density(policy, h).exp()
        return float((self.weights * density * f(self.actions)).sum())

    def negative_entropy(self, policy: Policy, h: Tensor) -> float:
        """E[ln π(a)]."""
        log_density = self.log_density(policy, h)
        terms = log_density.exp() * log_density.clamp(min=-1e300)
        return float((self.weights * terms).sum())


def differences(function: Callable[[Tensor], float], h: Tensor, step: float = 1e-5) -> Tensor:
    """The gradient of a function of h [H], by central differences."""
    gradient = torch.empty_like(h)
    for place in range(len(h)):
        shift = torch.zeros_like(h)
        shift[place] = step
        gradient[place] = (function(h + shift) - function(h - shift)) / (2 * step)
    return gradient


def differences_of_rows(
    function: Callable[[Tensor], Tensor], h: Tensor, step: float = 1e-5
) -> Tensor:
    """The gradient of each number [1, B] of a function of h [1, B, H] by its own row of h."""
    gradient = torch.empty_like(h)
    for place in range(h.shape[-1]):
        shift = torch.zeros_like(h)
        shift[..., place] = step
        gradient[..., place] = (function(h + shift) - function(h - shift)) / (2 * step)
    return gradient


def assert_mean(samples: Tensor, expected: Tensor, standard_errors: float = 4.5) -> None:
    """The mean of samples [N, H] is `expected` [H] within what N draws can tell."""
    error = samples.std(0) / len(samples) ** 0.5
    away = (samples.mean(0) - expected).abs()
    assert (away <= standard_errors * error + 1e-7).all(), (samples.mean(0), expected, error)
