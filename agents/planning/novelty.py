"""Novelty: which states show something that the search has not seen, or not so near its root.

A table keeps, for every combination of `width` atoms, the least depth at which a state showed it.
With d the depth of a state and T the table (infinity where nothing was seen):

* a new state is novel where d < T[c] for one of its combinations c; it is entered at once;
* a state that is in the tree already stays novel where d <= T[c] for one of them.

Further forms: without depths (every depth counts as 0: the classical table of IW, where a new state
is novel by what was never seen), whole tuples instead of combinations (a state is novel when no
state equal in all atoms was seen), and one table for each order of magnitude of the reward
gathered on the way (Bandres, Bonet & Geffner 2018).

A table forgets everything by counting its epoch up; entries of another epoch mean nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.planning.draws import scrambled
from agents.planning.evaluation import Atoms

Slots = NDArray[np.int64]
"""[2, capacity]: epoch * 2^32 + depth, and the key, which a table with a slot a key leaves out."""
Form = NDArray[np.int64]
"""[8] what a table is, by the names below."""

Integer = int | np.signedinteger
"""Kernels calculate in 64 bits."""

EPOCH, USED, WIDTH, ATOMS, HASHED, DEPTHS, MAGNITUDES = range(7)

#: Keys up to which every key has a slot of its own (a quarter of a GiB, touched where used).
_DIRECT = 2**25
#: Magnitudes of rewards lie in [-_LOWEST, _LOWEST).
_LOWEST = 64
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
        keys = atom_count ** (width or 1) * (2 * _LOWEST if magnitudes else 1)
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
            _move(self.slots, larger, self.form)
            self.slots = larger


def magnitude(path_reward: float) -> int:
    """0 where nothing was gained, floor(log2 R) for R < 1, and 1 more from 1 on."""
    return int(_magnitude(path_reward))


@njit(cache=True)
def _magnitude(path_reward: float) -> int:
    if path_reward <= 0.0:
        return 0
    order = math.floor(math.log2(path_reward))
    if path_reward >= 1.0:
        order += 1
    return min(max(int(order), -_LOWEST), _LOWEST - 1)


@njit(cache=True)
def _slot(slots: Slots, form: Form, key: Integer) -> Integer:
    """Where the key is, or belongs."""
    if form[HASHED] == 0:
        return key
    mask = slots.shape[1] - 1
    at = np.int64(scrambled(np.uint64(key)) & np.uint64(mask))
    while slots[0, at] >> 32 == form[EPOCH] and slots[1, at] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True)
def _enter_key(slots: Slots, form: Form, key: Integer, depth: Integer) -> int:
    at = _slot(slots, form, key)
    stamp = slots[0, at]
    if stamp >> 32 == form[EPOCH]:
        if depth >= stamp & 0xFFFFFFFF:
            return 0
    elif form[HASHED] != 0:
        slots[1, at] = key
        form[USED] += 1
    slots[0, at] = (form[EPOCH] << 32) | depth
    return 1


@njit(cache=True)
def _key_stays(slots: Slots, form: Form, key: Integer, depth: Integer) -> bool:
    stamp = slots[0, _slot(slots, form, key)]
    return bool(stamp >> 32 != form[EPOCH] or depth <= stamp & 0xFFFFFFFF)


@njit(cache=True)
def _first_key(form: Form, path_reward: float) -> Integer:
    """The number of the first key in the table of this reward's magnitude."""
    if form[MAGNITUDES] == 0:
        return 0
    keys = 1
    for _ in range(max(form[WIDTH], 1)):
        keys *= form[ATOMS]
    return (_magnitude(path_reward) + _LOWEST) * keys


@njit(cache=True)
def _tuple_key(form: Form, atoms: Atoms, path_reward: float) -> Integer:
    number = np.uint64(0)
    if form[MAGNITUDES] != 0:
        number = np.uint64(_magnitude(path_reward) + _LOWEST + 1)
    for atom in atoms:
        number = scrambled(number + np.uint64(atom + 1))
    return np.int64(number >> np.uint64(1))


@njit(cache=True)
def _next_combination(chosen: NDArray[np.int64], size: int) -> bool:
    """The next ascending choice of positions below `size`, in place; False after the last."""
    width = len(chosen)
    at = width - 1
    while at >= 0 and chosen[at] == size - width + at:
        at -= 1
    if at < 0:
        return False
    chosen[at] += 1
    for later in range(at + 1, width):
        chosen[later] = chosen[later - 1] + 1
    return True


@njit(cache=True)
def enter(slots: Slots, form: Form, atoms: Atoms, depth: Integer, path_reward: float) -> int:
    """See `NoveltyTable.enter`; there must be room."""
    if form[DEPTHS] == 0:
        depth = 0
    width = form[WIDTH]
    if width == 0:
        return _enter_key(slots, form, _tuple_key(form, atoms, path_reward), depth)
    first, novel = _first_key(form, path_reward), 0
    if width == 1:
        for atom in atoms:
            novel += _enter_key(slots, form, first + atom, depth)
        return novel
    if width == 2:
        for i in range(len(atoms)):
            row = first + np.int64(atoms[i]) * form[ATOMS]
            for j in range(i + 1, len(atoms)):
                novel += _enter_key(slots, form, row + atoms[j], depth)
        return novel
    if len(atoms) < width:
        return 0
    chosen = np.arange(width)
    while True:
        key = np.int64(0)
        for position in chosen:
            key = key * form[ATOMS] + atoms[position]
        novel += _enter_key(slots, form, first + key, depth)
        if not _next_combination(chosen, len(atoms)):
            return novel


@njit(cache=True)
def stays_novel(slots: Slots, form: Form, atoms: Atoms, depth: Integer, path_reward: float) -> bool:
    """See `NoveltyTable.stays_novel`."""
    if form[DEPTHS] == 0:
        depth = 0
    width = form[WIDTH]
    if width == 0:
        return _key_stays(slots, form, _tuple_key(form, atoms, path_reward), depth)
    first = _first_key(form, path_reward)
    if width == 1:
        for atom in atoms:  # noqa: SIM110 - numba compiles no any()
            if _key_stays(slots, form, first + atom, depth):
                return True
        return False
    if width == 2:
        for i in range(len(atoms)):
            row = first + np.int64(atoms[i]) * form[ATOMS]
            for j in range(i + 1, len(atoms)):
                if _key_stays(slots, form, row + atoms[j], depth):
                    return True
        return False
    if len(atoms) < width:
        return False
    chosen = np.arange(width)
    while True:
        key = np.int64(0)
        for position in chosen:
            key = key * form[ATOMS] + atoms[position]
        if _key_stays(slots, form, first + key, depth):
            return True
        if not _next_combination(chosen, len(atoms)):
            return False


@njit(cache=True)
def _move(slots: Slots, larger: Slots, form: Form) -> None:
    for at in range(slots.shape[1]):
        if slots[0, at] >> 32 == form[EPOCH]:
            to = _slot(larger, form, slots[1, at])
            larger[0, to] = slots[0, at]
            larger[1, to] = slots[1, at]
