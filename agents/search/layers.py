"""What a small network is in memory, and its options as the numbers that loops read."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: What the range of a latent state is at least, when "min_max" divides by it.
LATENT_FLOOR = 1e-5

#: Activations, the last one for latent states only; stacks; places in `Network.layout`.
RELU, TANH, ELU, SILU, NOTHING, RESCALED = range(6)
DYNAMICS, REWARD, TRUNK, POLICY, VALUE, STACKS = range(6)
LATENT, ACTIVATION, TRANSFORM, RESIDUAL, Q_HEAD, VALUE_COMPRESSED, REWARD_COMPRESSED, FIRST = range(
    8
)


class Network(NamedTuple):
    """Dense layers in one vector.

    Attributes:
        parameters: weights [reads, writes] and bias of each layer, one layer after another.
        layout: the options by the names above, then for each stack (dynamics, reward, trunk,
            policy, value) its number of layers and for each of these reads and writes.
        value_atoms, reward_atoms: [bins], none for heads of one scalar.
    """

    parameters: NDArray[Any]
    layout: NDArray[np.int64]
    value_atoms: NDArray[np.float64]
    reward_atoms: NDArray[np.float64]
