"""A dense network of torch's, on the processor, as acting asks for it: compiled."""

from __future__ import annotations

import numpy as np

from agents.muzero.dense_inference import DenseInference
from agents.muzero.networks import DenseNetwork
from agents.muzero.settings import MuZeroSettings


class MirroredInference(DenseInference):
    """Of the parameters that the network had at the last `refresh`, for values and roots too.

    Args:
        capacity: the most observations at once.
    """

    def __init__(self, settings: MuZeroSettings, network: DenseNetwork, *, capacity: int) -> None:
        self._network = network
        mirror = np.zeros(network.widths.size, np.float32)
        self._mirror = network.widths.views(mirror)
        self._copy()
        super().__init__(settings, network.widths, mirror, capacity=capacity)

    def refresh(self) -> None:
        self._copy()
        super().refresh()

    def _copy(self) -> None:
        for name, stack in self._mirror.items():
            for (weight, bias), layer in zip(stack, self._network.stacks[name], strict=True):
                weight[:] = layer.weight.detach().numpy().T
                bias[:] = layer.bias.detach().numpy()
