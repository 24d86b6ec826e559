"""First parameters of layers in torch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


@torch.no_grad()
def begin(network: nn.Module, rng: np.random.Generator, *, wide: bool = False) -> None:
    """First parameters from a generator, by torch's own law; what is 0 or a normalisation's stays
    as it is.

    Args:
        wide: weights of variance 2/(fan in) and biases 0, which keep signals' size through relu.
    """
    for layer in network.modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear) or not layer.weight.any():
            continue
        bound = 1 / np.sqrt(layer.weight[0].numel())
        for parameter, limit in (
            (layer.weight, bound * np.sqrt(6) if wide else bound),
            (layer.bias, 0.0 if wide else bound),
        ):
            if parameter is not None:
                drawn = rng.uniform(-limit, limit, tuple(parameter.shape))
                parameter.copy_(torch.from_numpy(drawn))
