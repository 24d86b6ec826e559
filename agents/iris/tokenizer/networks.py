"""Networks between pictures and the K vectors that codes stand for.

`residual` is the one of IRIS, which is VQGAN's (Esser, Rombach and Ommer 2021) at one width: blocks
of group norm, swish and 3 x 3 convolutions, attention where the picture is small enough, mirrored.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.iris.tokenizer_settings import TokenizerSettings

GROUPS = 32


def norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, channels, eps=1e-6)


class Residual(nn.Module):
    """x + conv(swish(norm(conv(swish(norm(x))))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first_norm, self.second_norm = norm(channels), norm(channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        in_place = not torch.is_grad_enabled()
        hidden = self.first(functional.silu(self.first_norm(x), inplace=in_place))
        hidden = self.second(functional.silu(self.second_norm(hidden), inplace=in_place))
        out: Tensor = hidden.add_(x) if in_place else x + hidden
        return out


class Attention(nn.Module):
    """One head of attention over all places of a picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.projection = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (t.flatten(2).transpose(1, 2) for t in self.qkv(self.norm(x)).chunk(3, 1))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = x + self.projection(mixed.transpose(1, 2).reshape(x.shape))
        return out


class Upsample(nn.Sequential):
    """Sides are doubled."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Upsample(scale_factor=2.0), nn.Conv2d(inputs, outputs, 3, padding=1))


class Downsample(nn.Module):
    """Sides are halved, rounded up where they are odd."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(functional.pad(x, (0, 1 + x.shape[3] % 2, 0, 1 + x.shape[2] % 2)))
        return out


def sides_of_levels(settings: TokenizerSettings, side: int) -> list[int]:
    """Pixels a side of each level, from the picture to the codes."""
    sides = [side]
    for _ in range(settings.tokenizer_downsamplings):
        sides.append(-(-sides[-1] // 2))
    return sides


def residual_encoder(
    settings: TokenizerSettings, inputs: int, outputs: int, side: int
) -> nn.Sequential:
    width, sides = settings.tokenizer_channels, sides_of_levels(settings, side)
    layers: list[nn.Module] = [nn.Conv2d(inputs, width, 3, padding=1)]
    for level, pixels in enumerate(sides):
        layers += _level(settings, width, pixels, settings.tokenizer_res_blocks)
        if level < len(sides) - 1:
            layers.append(Downsample(width, width))
    layers += [Residual(width), Attention(width), Residual(width), norm(width), nn.SiLU()]
    layers.append(nn.Conv2d(width, outputs, 3, padding=1))
    return nn.Sequential(*layers)


def residual_decoder(
    settings: TokenizerSettings, inputs: int, outputs: int, side: int
) -> nn.Sequential:
    width, sides = settings.tokenizer_channels, sides_of_levels(settings, side)
    layers: list[nn.Module] = [nn.Conv2d(inputs, width, 3, padding=1)]
    layers += [Residual(width), Attention(width), Residual(width)]
    for level, pixels in reversed(list(enumerate(sides))):
        layers += _level(settings, width, pixels, settings.tokenizer_res_blocks + 1)
        if level:
            layers.append(Upsample(width, width))
    layers += [norm(width), nn.SiLU(), nn.Conv2d(width, outputs, 3, padding=1)]
    return nn.Sequential(*layers)


def _level(settings: TokenizerSettings, width: int, pixels: int, blocks: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for _ in range(blocks):
        layers.append(Residual(width))
        if pixels in settings.tokenizer_attention:
            layers.append(Attention(width))
    return layers


def plain_encoder(settings: TokenizerSettings, inputs: int, outputs: int) -> nn.Sequential:
    """A convolution that halves the sides for each level, then one of the codes' place."""
    width = settings.tokenizer_channels
    layers: list[nn.Module] = []
    for _ in range(settings.tokenizer_downsamplings):
        layers += [Downsample(inputs, width), nn.ReLU()]
        inputs = width
    layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
    return he(nn.Sequential(*layers, nn.Conv2d(width, outputs, 1)))


def plain_decoder(settings: TokenizerSettings, inputs: int, outputs: int) -> nn.Sequential:
    """A convolution, then a transposed one that doubles the sides for each level."""
    width = settings.tokenizer_channels
    layers: list[nn.Module] = [nn.Conv2d(inputs, width, 3, padding=1)]
    for _ in range(settings.tokenizer_downsamplings - 1):
        layers += [nn.ReLU(), nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)]
    layers += [nn.ReLU(), nn.ConvTranspose2d(width, outputs, 4, stride=2, padding=1)]
    return he(nn.Sequential(*layers))


def he(network: nn.Sequential) -> nn.Sequential:
    """The same with weights that keep signals' size through ReLU (He et al. 2015), biases 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


def encoder_of(settings: TokenizerSettings, inputs: int, outputs: int, side: int) -> nn.Sequential:
    """Of `tokenizer_network`: pictures of so many channels to the smallest level's."""
    if settings.tokenizer_network == "residual":
        return in_fast_layout(residual_encoder(settings, inputs, outputs, side))
    return plain_encoder(settings, inputs, outputs)


def decoder_of(settings: TokenizerSettings, inputs: int, outputs: int, side: int) -> nn.Sequential:
    """Of `tokenizer_network`: the smallest level to pictures, of so many channels each."""
    if settings.tokenizer_network == "residual":
        return in_fast_layout(residual_decoder(settings, inputs, outputs, side))
    return plain_decoder(settings, inputs, outputs)


def fitted(pictures: Tensor, sides: torch.Size | tuple[int, ...]) -> Tensor:
    """Decoded pictures without what rounding up of odd sides added."""
    return pictures[..., : sides[0], : sides[1]]


def in_fast_layout(network: nn.Sequential) -> nn.Sequential:
    """The same with channels last in memory, in which convolutions are faster."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network
