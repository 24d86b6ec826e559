"""LPIPS (Zhang et al. 2018): distances of VGG16's features, weighted by learned linear layers."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.base import AgentRefused

#: Channels of VGG16's convolutions; a number begins each of its five stages.
STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
MEAN = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


class Perceptual(nn.Module):
    """Is not learned, and no part of a tokenizer's state.

    Args:
        path: a file of tensors, as torch.save or safetensors make them, with
            torchvision's names `features.0.weight`, ... of VGG16 and LPIPS's `lin0.model.1.weight`
            to `lin4.model.1.weight`.

    Raises:
        AgentRefused: there is no such file, or a tensor is missing or of another shape.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        weights = _tensors(path)
        self._stages: list[list[tuple[Tensor, Tensor]]] = []
        self._lines: list[Tensor] = []
        number, inputs = 0, 3
        for stage, widths in enumerate(STAGES):
            convolutions = []
            for width in widths:
                convolutions.append(
                    (
                        _tensor(weights, f"features.{number}.weight", (width, inputs, 3, 3), path),
                        _tensor(weights, f"features.{number}.bias", (width,), path),
                    )
                )
                number, inputs = number + 2, width
            number += 1  # the pooling
            self._stages.append(convolutions)
            self._lines.append(
                _tensor(weights, f"lin{stage}.model.1.weight", (1, inputs, 1, 1), path)
            )
        self._mean = torch.tensor(MEAN)[:, None, None]
        self._scale = torch.tensor(SCALE)[:, None, None]

    def forward(self, reconstructed: Tensor, pictures: Tensor) -> Tensor:
        """A mean over the batch; pictures of one channel count as grey."""
        distance = pictures.new_zeros(())
        ours, theirs = self._features(reconstructed), self._features(pictures)
        for mine, other, line in zip(ours, theirs, self._lines, strict=True):
            difference = (_unit(mine) - _unit(other)).square()
            distance = distance + functional.conv2d(difference, line.to(mine.device)).mean()
        return distance

    def _features(self, pictures: Tensor) -> list[Tensor]:
        device = pictures.device
        x = (pictures.expand(-1, 3, -1, -1) * 2 - 1 - self._mean.to(device)) / self._scale.to(
            device
        )
        found = []
        for stage, convolutions in enumerate(self._stages):
            if stage:
                x = functional.max_pool2d(x, 2)
            for weight, bias in convolutions:
                x = functional.relu(
                    functional.conv2d(x, weight.to(device), bias.to(device), padding=1)
                )
            found.append(x)
        return found


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def _tensors(path: str) -> dict[str, Tensor]:
    if not Path(path).is_file():
        raise AgentRefused(f"tokenizer_lpips_path: there is no file {path}")
    if path.endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(path)
    return cast(dict[str, Tensor], torch.load(path, weights_only=True, map_location="cpu"))


def _tensor(weights: dict[str, Tensor], name: str, shape: tuple[int, ...], path: str) -> Tensor:
    found = weights.get(name)
    if found is None or found.shape != shape:
        have = "is missing" if found is None else f"is {list(found.shape)}"
        raise AgentRefused(
            f"tokenizer_lpips_path {path}: {name} {have}, and is to be {list(shape)}"
        )
    return found.detach().float()
