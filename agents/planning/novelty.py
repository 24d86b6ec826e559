"""Novelty: which states show something that the search has not seen, or not so near its root.

A table keeps, for every combination of `width` atoms, the least depth at which a state showed it.
With d the depth of a state and T the table (infinity where nothing was seen):

* a new state is novel where d < T[c] for one of its combinations c; it is entered at once;
* a state that is in the tree already stays novel where d <= T[c] for one of them.

Further forms: without depths (every depth counts as 0: the classical table of IW, where a new state
is novel by what was never seen), whole tuples instead of combinations (a state is novel when no
state equal in all atoms was seen), and one table for each order of magnitude of the reward
gathered on the way (Bandres, Bonet & Geffner 2018).

An atom may be the value of a feature, feature * values + value: the table is then that of a least
depth for each feature and value.

A table forgets everything by counting its epoch up; entries of another epoch mean nothing.
"""

from __future__ import annotations

import math

import numpy as np

from agents.planning.evaluation import Atoms
from agents.planning.kernels.forms import (
    ATOMS,
    DEPTHS,
    EPOCH,
    HASHED,
    LOWEST,
    MAGNITUDES,
    USED,
    WIDTH,
    Form,
    Slots,
)
from agents.planning.kernels.novelty import enter, magnitude_of, move, stays_novel

#: Keys up to which every key has a slot of its own (a quarter of a GiB, touched where used).
_DIRECT = 2**25
_KEY_BITS = 62


class NoveltyTable:
    """One table; see the module's text.

    Args:
        atom_count: atoms are 0, ..., atom_count - 1.
        width: atoms of a combination; None: whole tuples.
        depths: whether depths matter.
        magnitudes: a table for each order of magnitude of the path's reward.

    Raises:
        ValueError: combinations that 62 bits cannot number.
    """

    def __init__(
        self,
        atom_count: int,
        width: int | None = 1,
        *,
        depths: bool = True,
        magnitudes: bool = False,
    ) -> None:
        keys = atom_count ** (width or 1) * (2 * LOWEST if magnitudes else 1)
        if width is not None and keys >= 2**_KEY_BITS:
            raise ValueError(f"width {width} is too much for {atom_count:,} atoms")
        self.hashed = width is None or magnitudes or keys > _DIRECT
        self.form: Form = np.zeros(8, dtype=np.int64)
        self.form[[EPOCH, WIDTH, ATOMS, HASHED, DEPTHS, MAGNITUDES]] = [
            1,
            width or 0,
            atom_count,
            self.hashed,
            depths,
            magnitudes,
        ]
        self.slots: Slots = (
            np.zeros((2, 2**12), dtype=np.int64)
            if self.hashed
            else np.zeros((1, keys), dtype=np.int64)
        )

    def forget(self) -> None:
        """The table is empty again."""
        self.form[EPOCH] += 1
        self.form[USED] = 0

    def enter(self, atoms: Atoms, depth: int = 0, path_reward: float = 0.0) -> int:
        """Enters a new state; how many of its combinations were novel."""
        if self.hashed:
            self.make_room(len(atoms))
        return int(enter(self.slots, self.form, atoms, depth, path_reward))

    def stays_novel(self, atoms: Atoms, depth: int = 0, path_reward: float = 0.0) -> bool:
        """Whether a state that is in the tree is still novel."""
        return bool(stays_novel(self.slots, self.form, atoms, depth, path_reward))

    def make_room(self, *counts: int) -> None:
        """Room for states of so many atoms each, to be called before they are entered where keys
        are hashed: at most half of the slots are taken."""
        width = int(self.form[WIDTH])
        needed = int(self.form[USED]) + sum(math.comb(n, width) if width else 1 for n in counts)
        capacity = self.slots.shape[1]
        if 2 * needed > capacity:
            while 2 * needed > capacity:
                capacity *= 2
            larger = np.zeros((2, capacity), dtype=np.int64)
            move(self.slots, larger, self.form)
            self.slots = larger


def magnitude(path_reward: float) -> int:
    """0 where nothing was gained, floor(log2 R) for R < 1, and 1 more from 1 on."""
    return int(magnitude_of(path_reward))
