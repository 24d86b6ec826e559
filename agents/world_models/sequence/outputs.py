"""What is said of the next latent, each dimension on its own.

Mixture (Ha and Schmidhuber 2018), with π, μ, σ of a dimension from a linear layer:

    log p(x) = logsumexp_k(log π_k + log N(x; μ_k, σ_k))
    temperature τ: k drawn with logits log π_k / τ, then x = μ_k + σ_k √τ ε

Deterministic: x̂, by squared error. Discrete: a categorical distribution over bins [D, K] whose
centres are quantiles of the data, or its values where there are few; logits / τ.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from agents.world_models.sequence.interface import Noise
from agents.world_models.sequence.likelihood import LEAST_LOG_STD, mixture_nll


class Output(nn.Module, ABC):
    """A linear layer from what a core puts out, and what it means.

    Attributes:
        kind: its name among the settings' outputs.
    """

    kind: Literal["mixture", "deterministic", "discrete"]

    def __init__(self, hidden: int, latent_size: int, choices: int, numbers: int) -> None:
        super().__init__()
        self.latent_size, self.choices, self._numbers = latent_size, choices, numbers
        self.linear = nn.Linear(hidden, latent_size * choices * numbers)

    def forward(self, hidden: Tensor) -> Tensor:
        """[..., H] to parameters [..., D, K * numbers]: all of one kind, then all of the next."""
        raw: Tensor = self.linear(hidden)
        return raw.view(*raw.shape[:-1], self.latent_size, self.choices * self._numbers)

    def fit(self, values: NDArray[np.float32]) -> None:
        """Told, before training, values [N, D] of what is to be predicted."""

    @abstractmethod
    def nll(self, parameters: Tensor, target: Tensor) -> Tensor:
        """[..., D] of targets [..., D]: what is minimised."""

    @abstractmethod
    def mean(self, parameters: Tensor) -> Tensor:
        """[..., D]"""

    @abstractmethod
    def sample(self, parameters: Tensor, temperature: float, noise: Noise) -> Tensor:
        """[..., D]; see `agents.world_models.sequence.interface.SequenceModel.sample_with`."""


def choose(logits: Tensor, temperature: float, uniform: Tensor) -> Tensor:
    """[...] an entry of logits [..., K], by the inverse of the distribution function; at
    temperature 0 the first of the greatest."""
    if temperature == 0:
        return logits.argmax(-1)
    cumulative = torch.softmax(logits / temperature, -1).cumsum(-1)
    # rounding may leave the last sum below 1
    below = uniform.unsqueeze(-1) * cumulative[..., -1:] >= cumulative
    return below.sum(-1).clamp(max=logits.shape[-1] - 1)


class Mixture(Output):
    """Logits, means and log standard deviations of K Gaussians."""

    kind = "mixture"

    def __init__(self, hidden: int, latent_size: int, components: int) -> None:
        super().__init__(hidden, latent_size, components, 3)

    def nll(self, parameters: Tensor, target: Tensor) -> Tensor:
        return mixture_nll(parameters, target)

    def mean(self, parameters: Tensor) -> Tensor:
        logits, means, _ = parameters.chunk(3, -1)
        return (torch.softmax(logits, -1) * means).sum(-1)

    def sample(self, parameters: Tensor, temperature: float, noise: Noise) -> Tensor:
        logits, means, log_stds = parameters.chunk(3, -1)
        chosen = choose(logits, temperature, noise.component).unsqueeze(-1)
        mean, log_std = means.gather(-1, chosen), log_stds.gather(-1, chosen)
        std = torch.exp(log_std.clamp(min=LEAST_LOG_STD)).squeeze(-1)
        return mean.squeeze(-1) + std * (math.sqrt(temperature) * noise.normal)


class Deterministic(Output):
    """One number a dimension."""

    kind = "deterministic"

    def __init__(self, hidden: int, latent_size: int) -> None:
        super().__init__(hidden, latent_size, 1, 1)

    def nll(self, parameters: Tensor, target: Tensor) -> Tensor:
        return (parameters.squeeze(-1) - target).square()

    def mean(self, parameters: Tensor) -> Tensor:
        return parameters.squeeze(-1)

    def sample(self, parameters: Tensor, temperature: float, noise: Noise) -> Tensor:
        del temperature, noise
        return parameters.squeeze(-1)


class Discrete(Output):
    """Logits of K bins.

    Attributes:
        centres: [D, K] ascending; where a dimension has fewer values, the last one repeats, and
            its repetitions are never the target.
        borders: [D, K - 1] halfway between centres.
    """

    kind = "discrete"
    centres: Tensor
    borders: Tensor

    def __init__(self, hidden: int, latent_size: int, bins: int) -> None:
        super().__init__(hidden, latent_size, bins, 1)
        spread = torch.linspace(-2.0, 2.0, bins).repeat(latent_size, 1)
        self.register_buffer("centres", spread)
        self.register_buffer("borders", (spread[:, 1:] + spread[:, :-1]) / 2)

    def fit(self, values: NDArray[np.float32]) -> None:
        centres = np.stack([_centres(column, self.choices) for column in values.T])
        fitted = torch.from_numpy(centres).to(self.centres.device)
        self.centres.copy_(fitted)
        between = (fitted[:, 1:] + fitted[:, :-1]) / 2
        self.borders.copy_(between.masked_fill(fitted[:, 1:] == fitted[:, :-1], torch.inf))

    def bins(self, target: Tensor) -> Tensor:
        """[..., D] the bin whose centre is nearest."""
        columns = target.reshape(-1, self.latent_size).T.contiguous()
        found: Tensor = torch.searchsorted(self.borders, columns)
        return found.T.reshape(target.shape)

    def nll(self, parameters: Tensor, target: Tensor) -> Tensor:
        flat = functional.cross_entropy(
            parameters.reshape(-1, self.choices), self.bins(target).reshape(-1), reduction="none"
        )
        return flat.reshape(target.shape)

    def mean(self, parameters: Tensor) -> Tensor:
        return (torch.softmax(parameters, -1) * self.centres).sum(-1)

    def sample(self, parameters: Tensor, temperature: float, noise: Noise) -> Tensor:
        chosen = choose(parameters, temperature, noise.component).unsqueeze(-1)
        shape = (*parameters.shape[:-1], self.choices)
        return self.centres.expand(shape).gather(-1, chosen).squeeze(-1)


def _centres(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    distinct = np.unique(values)
    if len(distinct) > count:
        quantiles = np.quantile(values, (np.arange(count) + 0.5) / count)
        distinct = np.unique(quantiles.astype(np.float32))
    return np.concatenate((distinct, np.full(count - len(distinct), distinct[-1])))


def build_output(
    kind: Literal["mixture", "deterministic", "discrete"],
    hidden: int,
    latent_size: int,
    *,
    mixtures: int,
    bins: int,
) -> Output:
    """The output of that name."""
    if kind == "mixture":
        return Mixture(hidden, latent_size, mixtures)
    if kind == "deterministic":
        return Deterministic(hidden, latent_size)
    return Discrete(hidden, latent_size, bins)
