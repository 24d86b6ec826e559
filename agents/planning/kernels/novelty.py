"""Tables of what is novel, compiled: see `agents.planning.novelty`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agents.planning.kernels.compiling import compiled
from agents.planning.kernels.forms import (
    ATOMS,
    DEPTHS,
    EPOCH,
    HASHED,
    LOWEST,
    MAGNITUDES,
    USED,
    WIDTH,
    Atoms,
    Form,
    Integer,
    Slots,
)
from agents.planning.kernels.randomness import scrambled


@compiled
def magnitude_of(path_reward: float) -> int:
    if path_reward <= 0.0:
        return 0
    order = math.floor(math.log2(path_reward))
    if path_reward >= 1.0:
        order += 1
    return min(max(int(order), -LOWEST), LOWEST - 1)


@compiled
def _slot(slots: Slots, hashed: bool, first: Integer, key: Integer) -> Integer:
    """Where the key is, or belongs. `first` is the least stamp of this epoch."""
    if not hashed:
        return key
    mask = slots.shape[1] - 1
    at = np.int64(scrambled(np.uint64(key)) & np.uint64(mask))
    while slots[0, at] >= first and slots[1, at] != key:
        at = (at + 1) & mask
    return at


@compiled
def _enter_key(
    slots: Slots, hashed: bool, first: Integer, key: Integer, depth: Integer
) -> tuple[int, int]:
    """Whether the key is novel, and whether it was not there."""
    at = _slot(slots, hashed, first, key)
    stamp, new = slots[0, at], 0
    if stamp >= first:
        if first + depth >= stamp:
            return 0, 0
    else:
        new = 1
        if hashed:
            slots[1, at] = key
    slots[0, at] = first + depth
    return 1, new


@compiled
def _key_stays(slots: Slots, hashed: bool, first: Integer, key: Integer, depth: Integer) -> bool:
    stamp = slots[0, _slot(slots, hashed, first, key)]
    return bool(stamp < first or first + depth <= stamp)


@compiled
def _first_key(form: Form, path_reward: float) -> Integer:
    """The number of the first key in the table of this reward's magnitude."""
    if form[MAGNITUDES] == 0:
        return 0
    keys = 1
    for _ in range(max(form[WIDTH], 1)):
        keys *= form[ATOMS]
    return (magnitude_of(path_reward) + LOWEST) * keys


@compiled
def _tuple_key(form: Form, atoms: Atoms, path_reward: float) -> Integer:
    number = np.uint64(0)
    if form[MAGNITUDES] != 0:
        number = scrambled(np.uint64(magnitude_of(path_reward) + LOWEST + 1))
    for atom in atoms:
        number = scrambled(number + np.uint64(atom + 1))
    return np.int64(number >> np.uint64(1))


@compiled
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


@compiled
def enter(slots: Slots, form: Form, atoms: Atoms, depth: Integer, path_reward: float) -> int:
    """See `agents.planning.novelty.NoveltyTable.enter`; there must be room."""
    if form[DEPTHS] == 0:
        depth = 0
    width, hashed, epoch = form[WIDTH], form[HASHED] != 0, form[EPOCH] << 32
    novel = new = 0
    if width == 0:
        key = _tuple_key(form, atoms, path_reward)
        novel, new = _enter_key(slots, hashed, epoch, key, depth)
        form[USED] += new
        return novel
    first, count = _first_key(form, path_reward), form[ATOMS]
    if width == 1:
        for atom in atoms:
            one, other = _enter_key(slots, hashed, epoch, first + atom, depth)
            novel, new = novel + one, new + other
    elif width == 2:
        for i in range(len(atoms)):
            row = first + np.int64(atoms[i]) * count
            for j in range(i + 1, len(atoms)):
                one, other = _enter_key(slots, hashed, epoch, row + atoms[j], depth)
                novel, new = novel + one, new + other
    elif len(atoms) >= width:
        chosen = np.arange(width)
        more = True
        while more:
            key = np.int64(0)
            for position in chosen:
                key = key * count + atoms[position]
            one, other = _enter_key(slots, hashed, epoch, first + key, depth)
            novel, new = novel + one, new + other
            more = _next_combination(chosen, len(atoms))
    form[USED] += new
    return novel


@compiled
def stays_novel(slots: Slots, form: Form, atoms: Atoms, depth: Integer, path_reward: float) -> bool:
    """See `agents.planning.novelty.NoveltyTable.stays_novel`."""
    if form[DEPTHS] == 0:
        depth = 0
    width, hashed, epoch = form[WIDTH], form[HASHED] != 0, form[EPOCH] << 32
    if width == 0:
        return _key_stays(slots, hashed, epoch, _tuple_key(form, atoms, path_reward), depth)
    first, count = _first_key(form, path_reward), form[ATOMS]
    if width == 1:
        for atom in atoms:  # noqa: SIM110 - numba compiles no any()
            if _key_stays(slots, hashed, epoch, first + atom, depth):
                return True
        return False
    if width == 2:
        for i in range(len(atoms)):
            row = first + np.int64(atoms[i]) * count
            for j in range(i + 1, len(atoms)):
                if _key_stays(slots, hashed, epoch, row + atoms[j], depth):
                    return True
        return False
    if len(atoms) < width:
        return False
    chosen = np.arange(width)
    more = True
    while more:
        key = np.int64(0)
        for position in chosen:
            key = key * count + atoms[position]
        if _key_stays(slots, hashed, epoch, first + key, depth):
            return True
        more = _next_combination(chosen, len(atoms))
    return False


@compiled
def move(slots: Slots, larger: Slots, form: Form) -> None:
    first = form[EPOCH] << 32
    for at in range(slots.shape[1]):
        if slots[0, at] >= first:
            to = _slot(larger, True, first, slots[1, at])
            larger[0, to] = slots[0, at]
            larger[1, to] = slots[1, at]
