"""Convolutions between pictures of any size and vectors, as in Ha and Schmidhuber (2018), A.1."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

#: Units that the decoder begins with, for each filter of the encoder's first convolution.
_UNITS = 32
_KERNEL, _STRIDE = 4, 2


def encoder_layers(channels: int, side: int, width: int) -> tuple[nn.Sequential, int]:
    """Convolutions [B, channels, side, side] → [B, features], and the number of features.

    Kernels of 4, stride 2, no padding, ReLU, as long as there are 4 pixels a side: for 64 pixels
    and width 32 the paper's, with 32, 64, 128 and 256 filters.
    """
    layers: list[nn.Module] = []
    filters = width
    while side >= _KERNEL:
        layers += [nn.Conv2d(channels, filters, _KERNEL, _STRIDE), nn.ReLU()]
        channels, filters = filters, min(2 * filters, 8 * width)
        side = (side - _KERNEL) // _STRIDE + 1
    return nn.Sequential(*layers, nn.Flatten()), channels * side**2


def decoder_kernels(side: int) -> list[int]:
    """Kernels that take one pixel to `side` pixels by transposed convolutions of stride 2: 6 or 5,
    whichever fits, from the end; the first one covers what is left. 64: [5, 5, 6, 6]."""
    kernels: list[int] = []
    while side > 1:
        kernel = side if side <= 6 else 6 if side % 2 == 0 else 5
        kernels.insert(0, kernel)
        side = (side - kernel) // _STRIDE + 1
    return kernels


class OfOnePixel(nn.ConvTranspose2d):
    """A transposed convolution of pictures of one pixel: a matrix product, which is ten times as
    fast as where processors take it for a convolution. Weights are those of its base."""

    def forward(self, pixels: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[B, after, k, k] of [B, before, 1, 1]."""
        assert self.bias is not None
        # channels are last in memory, of the weights and of the result
        weights = self.weight.permute(0, 2, 3, 1)
        products = pixels[:, :, 0, 0] @ weights.flatten(1)
        grid = products.reshape(-1, *weights.shape[1:]) + self.bias
        pictures: Tensor = grid.permute(0, 3, 1, 2)
        return pictures


class Decoder(nn.Module):
    """Latents [B, D] → pictures [B, channels, side, side] within [0, 1].

    A dense layer, then transposed convolutions of stride 2 with ReLU, a sigmoid at the end: for 64
    pixels and width 32 the paper's, with 1024 units and 128, 64, 32 filters.
    """

    def __init__(self, representation_size: int, channels: int, side: int, width: int) -> None:
        super().__init__()
        kernels = decoder_kernels(side)
        filters = [width * min(4, 2**n) for n in reversed(range(len(kernels) - 1))]
        sizes = [_UNITS * width, *filters, channels]
        self.dense = nn.Linear(representation_size, sizes[0])
        layers: list[nn.Module] = []
        for (before, after), kernel in zip(itertools.pairwise(sizes), kernels, strict=True):
            type_ = nn.ConvTranspose2d if layers else OfOnePixel
            layers += [type_(before, after, kernel, _STRIDE), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, latents: Tensor) -> Tensor:
        pictures: Tensor = self.layers(self.dense(latents)[:, :, None, None])
        # in full precision: the loss is a sum of thousands of small differences
        return torch.sigmoid(pictures.float())
