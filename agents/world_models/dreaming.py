"""What dreams are computed by: numpy and compiled loops on the processor, torch elsewhere."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.world_models.sequence.exporting import heads_of, memory_of
from agents.world_models.sequence.interface import Noise, Sample
from agents.world_models.sequence.kernels import draw, sample_bins, sample_mixture
from agents.world_models.sequence.model import LearnedModel


class Dreamer(Protocol):
    """B members of a model."""

    def begin(self, batch: int) -> None:
        """All of them are in the model's initial state."""
        ...

    def features(self) -> Tensor:
        """[B, F]"""
        ...

    def step(self, latents: Tensor, actions: Tensor, noise: Noise) -> Sample:
        """What follows, and the memory has taken in; noise is on the processor. End probabilities
        are compared with `noise.end`."""
        ...


class Luck:
    """Noise of members with seeds of their own, step by step."""

    def __init__(self, seeds: NDArray[np.int64], latent_size: int) -> None:
        self._seeds = np.ascontiguousarray(seeds, dtype=np.int64)
        self._component, self._normal = np.empty((2, len(seeds), latent_size), np.float32)
        self._end = np.empty(len(seeds), np.float32)
        self._noise = Noise(
            torch.from_numpy(self._component),
            torch.from_numpy(self._normal),
            torch.from_numpy(self._end),
        )

    def of(self, step: int) -> Noise:
        """[B, ...] of that step; overwritten by the next call."""
        draw(self._seeds, step, self._component, self._normal, self._end)
        return self._noise


class CompiledDreamer:
    """On the processor."""

    def __init__(self, model: LearnedModel, temperature: float) -> None:
        self._memory, self._heads = memory_of(model), heads_of(model)
        self._temperature = temperature

    def begin(self, batch: int) -> None:
        self._memory.begin(batch)
        heads = self._heads
        self._said = np.empty((batch, len(heads.bias)), np.float32)
        self._x = np.empty((batch, len(heads.shift)), np.float32)

    def features(self) -> Tensor:
        return torch.from_numpy(self._memory.features)

    def step(self, latents: Tensor, actions: Tensor, noise: Noise) -> Sample:
        before, heads, said = latents.numpy(), self._heads, self._said
        self._memory.step(before, actions.numpy())
        np.matmul(self._memory.hidden, heads.weights, out=said)
        said += heads.bias
        self._sample(noise)
        after = self._x * heads.scale
        after += heads.shift
        if heads.difference:
            after += before
        reward = said[:, -2].copy()
        if heads.has_end:
            end = noise.end.numpy() < 1 / (1 + np.exp(-said[:, -1]))
        else:
            end = np.zeros(len(after), np.bool_)
        return Sample(torch.from_numpy(after), torch.from_numpy(reward), torch.from_numpy(end))

    def _sample(self, noise: Noise) -> None:
        heads, said, x, temperature = self._heads, self._said, self._x, self._temperature
        if heads.kind == "mixture":
            component, normal = noise.component.numpy(), noise.normal.numpy()
            sample_mixture(said, heads.choices, temperature, component, normal, x)
        elif heads.kind == "discrete":
            sample_bins(said, heads.centres, temperature, noise.component.numpy(), x)
        else:
            x[:] = said[:, : x.shape[1]]


class TorchDreamer:
    """Where the model is."""

    def __init__(self, model: LearnedModel, temperature: float) -> None:
        self._model, self._temperature = model.eval(), temperature
        self._device = model.shift.device

    def begin(self, batch: int) -> None:
        self._state = self._model.initial_state(batch)

    def features(self) -> Tensor:
        return self._model.features(self._state)

    @torch.no_grad()
    def step(self, latents: Tensor, actions: Tensor, noise: Noise) -> Sample:
        self._state, prediction = self._model.step(self._state, latents, actions)
        there = Noise(*(each.to(self._device, non_blocking=True) for each in noise))
        return self._model.sample_with(prediction, self._temperature, there)
