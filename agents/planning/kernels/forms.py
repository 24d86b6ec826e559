"""What the compiled loops of planning work on, and the names of its parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Atoms = NDArray[np.int32]
Stream = NDArray[np.uint64]
"""[1] the state of a generator of SplitMix64 (Steele, Lea & Flood 2014)."""
Slots = NDArray[np.int64]
"""[2, capacity]: epoch * 2^32 + depth, and the key, which a table with a slot a key leaves out."""
Form = NDArray[np.int64]
"""[8] what a novelty table is, by the names below."""
Rules = NDArray[np.int64]
"""[4] how rollouts go, by the names below."""
Nodes = NDArray[np.void]
Children = NDArray[np.int32]
Priors = NDArray[np.float64]
Integer = int | np.signedinteger
"""Kernels calculate in 64 bits."""

EPOCH, USED, WIDTH, ATOMS, HASHED, DEPTHS, MAGNITUDES = range(7)
NOVELTY, MAX_DEPTH, MAX_REPEATS, TERMINAL_ATOMS = range(4)
#: Magnitudes of rewards lie in [-LOWEST, LOWEST).
LOWEST = 64

TERMINATED, TRUNCATED, SOLVED, PRUNED, CACHED, LIFE_LOST, REPEATED = (2**i for i in range(7))
"""Flags of a node. `LIFE_LOST`: fewer lives than its parent. `REPEATED`: it looks like its parent,
and may be extended with its own action only (frame repetition)."""
ENDED = TERMINATED | TRUNCATED

NODE = np.dtype(
    [
        ("parent", np.int32),
        ("action", np.int16),
        ("repeats", np.int16),  # nodes in a row that look alike, up to this one
        ("reward", np.float64),
        ("path_reward", np.float64),  # undiscounted, from the root
        ("value", np.float64),
        ("first_atom", np.int64),
        ("atom_count", np.int32),
        ("new_atoms", np.int32),
        ("depth", np.int32),
        ("lives", np.int32),
        ("solved_children", np.int32),
        ("flags", np.uint8),
    ],
    align=True,
)

#: Instead of an action: nothing goes on here, or the guiding policy has to be asked first. `select`
#: says at which node: `ASK` less its number.
DONE, ASK = -1, -2
