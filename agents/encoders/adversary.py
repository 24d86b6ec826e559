"""A discriminator of pictures, and the loss that it gives a decoder (Larsen et al. 2016).

With d(x) its logit that x is a picture, not a reconstruction x̂:

    decoder:        w·mean(softplus(-d(x̂)))
    discriminator:  mean(softplus(-d(x))) + mean(softplus(d(x̂)))
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.encoders.layers import encoder_layers


class Adversary(nn.Module):
    """The discriminator, with an optimizer of its own.

    Args:
        side: pixels of the pictures.
        width: filters of its first convolution.
    """

    optimizer: torch.optim.Adam

    def __init__(self, channels: int, side: int, width: int) -> None:
        super().__init__()
        layers, features = encoder_layers(channels, side, width)
        self.layers = nn.Sequential(layers, nn.Linear(features, 1))

    def start(self, learning_rate: float) -> None:
        """Makes the optimizer, once the weights are where they stay."""
        self.optimizer = torch.optim.Adam(
            self.parameters(), lr=learning_rate, betas=(0.5, 0.999), fused=True
        )

    def deception(self, reconstruction: Tensor) -> Tensor:
        """The decoder's loss; the discriminator's weights get no gradient."""
        self.requires_grad_(False)
        loss = functional.softplus(-self.layers(reconstruction)).mean()
        self.requires_grad_(True)
        return loss

    def learn(self, pictures: Tensor, reconstruction: Tensor) -> Tensor:
        """One update; returns its loss before it, detached."""
        self.optimizer.zero_grad(set_to_none=True)
        real = functional.softplus(-self.layers(pictures)).mean()
        made = functional.softplus(self.layers(reconstruction.detach())).mean()
        loss = real + made
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach()
