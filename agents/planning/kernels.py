"""The compiled inner loops of planning: random numbers, novelty, and growing a tree by rollouts.

They are one file since numba's cache of what it has compiled looks at one file only: it would not
see that a kernel of another one has changed.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
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

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@njit(cache=True)
def scrambled(number: np.uint64) -> np.uint64:
    """A bijection of 64 bits in which every bit of the result depends on every bit given."""
    number = (number ^ (number >> _30)) * _FIRST
    number = (number ^ (number >> _27)) * _SECOND
    return number ^ (number >> _31)


@njit(cache=True)
def uniform(stream: Stream) -> float:
    """The next number, in [0, 1)."""
    stream[0] += _STEP
    return float(scrambled(stream[0]) >> _11) * 2.0**-53


@njit(cache=True)
def pick(weights: NDArray[np.float64], total: float, stream: Stream) -> int:
    """An index with probability weight / total, where `total` is above 0; never one of weight 0."""
    rest = uniform(stream) * total
    last = -1
    for index in range(len(weights)):
        if weights[index] > 0.0:
            last = index
            rest -= weights[index]
            if rest < 0.0:
                break
    return last


@njit(cache=True)
def magnitude_of(path_reward: float) -> int:
    if path_reward <= 0.0:
        return 0
    order = math.floor(math.log2(path_reward))
    if path_reward >= 1.0:
        order += 1
    return min(max(int(order), -LOWEST), LOWEST - 1)


@njit(cache=True)
def _slot(slots: Slots, hashed: bool, first: Integer, key: Integer) -> Integer:
    """Where the key is, or belongs. `first` is the least stamp of this epoch."""
    if not hashed:
        return key
    mask = slots.shape[1] - 1
    at = np.int64(scrambled(np.uint64(key)) & np.uint64(mask))
    while slots[0, at] >= first and slots[1, at] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True)
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


@njit(cache=True)
def _key_stays(slots: Slots, hashed: bool, first: Integer, key: Integer, depth: Integer) -> bool:
    stamp = slots[0, _slot(slots, hashed, first, key)]
    return bool(stamp < first or first + depth <= stamp)


@njit(cache=True)
def _first_key(form: Form, path_reward: float) -> Integer:
    """The number of the first key in the table of this reward's magnitude."""
    if form[MAGNITUDES] == 0:
        return 0
    keys = 1
    for _ in range(max(form[WIDTH], 1)):
        keys *= form[ATOMS]
    return (magnitude_of(path_reward) + LOWEST) * keys


@njit(cache=True)
def _tuple_key(form: Form, atoms: Atoms, path_reward: float) -> Integer:
    number = np.uint64(0)
    if form[MAGNITUDES] != 0:
        number = scrambled(np.uint64(magnitude_of(path_reward) + LOWEST + 1))
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


@njit(cache=True)
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


@njit(cache=True)
def move(slots: Slots, larger: Slots, form: Form) -> None:
    first = form[EPOCH] << 32
    for at in range(slots.shape[1]):
        if slots[0, at] >= first:
            to = _slot(larger, True, first, slots[1, at])
            larger[0, to] = slots[0, at]
            larger[1, to] = slots[1, at]


@njit(cache=True)
def solve(nodes: Nodes, child: Children, n: Integer) -> None:
    """Solves node `n`, and its ancestors as far as all their actions lead to solved children."""
    actions = child.shape[1]
    while nodes[n].flags & SOLVED == 0:
        nodes[n].flags |= SOLVED
        n = nodes[n].parent
        if n < 0:
            return
        nodes[n].solved_children += 1
        possible = 1 if nodes[n].flags & REPEATED != 0 else actions
        if nodes[n].solved_children < possible:
            return


@njit(cache=True)
def write_node(
    nodes: Nodes,
    child: Children,
    prior: Priors,
    pool: Atoms,
    n: int,
    first_atom: int,
    atoms: Atoms,
    guide: NDArray[np.float64],
    parent: int,
    action: int,
    reward: float,
    terminated: bool,
    truncated: bool,
    lives: int,
    value: float,
) -> None:
    """Writes node `n`, for which there is room: all but what novelty says of it."""
    flags = 0
    if terminated:
        flags |= TERMINATED
    if truncated:
        flags |= TRUNCATED
    if lives < nodes[parent].lives:
        flags |= LIFE_LOST
    child[parent, action] = n
    for a in range(len(guide)):
        prior[n, a] = guide[a]
    for i in range(len(atoms)):
        pool[first_atom + i] = atoms[i]
    nodes[n].parent = parent
    nodes[n].action = action
    nodes[n].repeats = 0
    nodes[n].reward = reward
    nodes[n].path_reward = nodes[parent].path_reward + reward
    nodes[n].value = 0.0 if terminated else value
    nodes[n].first_atom = first_atom
    nodes[n].atom_count = len(atoms)
    nodes[n].new_atoms = 0
    nodes[n].depth = nodes[parent].depth + 1
    nodes[n].lives = lives
    nodes[n].solved_children = 0
    nodes[n].flags = flags


@njit(cache=True)
def choose(
    nodes: Nodes, child: Children, prior: Priors, n: int, stream: Stream, least: float
) -> int:
    """An action of the guiding policy at a new node; `DONE`, the node being solved, where it has
    none of them probability."""
    total = 0.0
    for a in range(child.shape[1]):
        total += prior[n, a]
    if total <= least:
        solve(nodes, child, n)
        return DONE
    return pick(prior[n], total, stream)


@njit(cache=True)
def take_up(
    nodes: Nodes,
    child: Children,
    pool: Atoms,
    slots: Slots,
    form: Form,
    rules: Rules,
    size: int,
    in_table: bool,
) -> None:
    """Nodes of earlier decisions: those that end an episode or are as deep as nodes may be are
    solved, and with `in_table` all are entered and those that are not novel are solved too."""
    for n in range(size):
        node = nodes[n]
        ended = node.flags & ENDED != 0
        novel = 1
        if in_table and (not ended or rules[TERMINAL_ATOMS] != 0):
            atoms = pool[node.first_atom : node.first_atom + node.atom_count]
            novel = enter(slots, form, atoms, np.int64(node.depth), node.path_reward)
        pruned = not ended and novel == 0 and node.flags & REPEATED == 0
        if pruned:
            nodes[n].flags |= PRUNED
        if ended or pruned or node.depth >= rules[MAX_DEPTH]:
            solve(nodes, child, n)


@njit(cache=True)
def select(
    nodes: Nodes,
    child: Children,
    prior: Priors,
    pool: Atoms,
    slots: Slots,
    form: Form,
    rules: Rules,
    stream: Stream,
    least: float,
    start: int,
) -> int:
    """Where the next rollout leaves the tree, walking on from node `start`: node * A + action; or
    `DONE` when the root is solved; or `ASK` - node."""
    actions = child.shape[1]
    weights = np.empty(actions)
    while nodes[0].flags & SOLVED == 0:
        n, action = np.int64(start), np.int64(0)
        start = 0
        while True:
            node = nodes[n]
            if node.flags & REPEATED != 0:
                action = np.int64(node.action)
            else:
                atoms = pool[node.first_atom : node.first_atom + node.atom_count]
                if rules[NOVELTY] != 0 and not stays_novel(
                    slots, form, atoms, np.int64(node.depth), node.path_reward
                ):
                    nodes[n].flags |= PRUNED
                    solve(nodes, child, n)
                    break
                if math.isnan(prior[n, 0]):
                    return int(ASK - n)
                total = 0.0
                for a in range(actions):
                    c = child[n, a]
                    weights[a] = prior[n, a] if c < 0 or nodes[c].flags & SOLVED == 0 else 0.0
                    total += weights[a]
                if total <= least:
                    solve(nodes, child, n)
                    break
                action = np.int64(pick(weights, total, stream))
            if child[n, action] < 0:
                return int(n * actions + action)
            n = np.int64(child[n, action])
    return DONE


@njit(cache=True)
def _alike(nodes: Nodes, pool: Atoms, parent: int, atoms: Atoms) -> bool:
    first, count = nodes[parent].first_atom, nodes[parent].atom_count
    if count != len(atoms):
        return False
    for i in range(count):  # noqa: SIM110 - numba compiles no all()
        if pool[first + i] != atoms[i]:
            return False
    return True


@njit(cache=True)
def extend(
    nodes: Nodes,
    child: Children,
    prior: Priors,
    pool: Atoms,
    slots: Slots,
    form: Form,
    rules: Rules,
    stream: Stream,
    n: int,
    first_atom: int,
    atoms: Atoms,
    guide: NDArray[np.float64],
    parent: int,
    action: int,
    reward: float,
    terminated: bool,
    truncated: bool,
    lives: int,
    value: float,
    least: float,
    goes_on: bool,
) -> int:
    """Writes node `n`, for which there is room; returns the action that the rollout goes on with,
    `DONE` where it ends, by what it found or as it may not go on, or `ASK`."""
    write_node(
        nodes,
        child,
        prior,
        pool,
        n,
        first_atom,
        atoms,
        guide,
        parent,
        action,
        reward,
        terminated,
        truncated,
        lives,
        value,
    )
    node = nodes[n]
    depth, ended = np.int64(node.depth), terminated or truncated
    if rules[MAX_REPEATS] > 0 and not ended and _alike(nodes, pool, parent, atoms):
        nodes[n].repeats = nodes[parent].repeats + 1
        if nodes[n].repeats <= rules[MAX_REPEATS]:
            nodes[n].flags |= REPEATED
    novel = 1
    if rules[NOVELTY] != 0 and (not ended or rules[TERMINAL_ATOMS] != 0):
        novel = enter(slots, form, atoms, depth, node.path_reward)
        nodes[n].new_atoms = novel
    pruned = not ended and novel == 0 and nodes[n].flags & REPEATED == 0
    if pruned:
        nodes[n].flags |= PRUNED
    if ended or pruned or depth >= rules[MAX_DEPTH]:
        solve(nodes, child, n)
        return DONE
    if not goes_on:
        return DONE
    if nodes[n].flags & REPEATED != 0:
        return action
    if math.isnan(guide[0]):
        return ASK
    return choose(nodes, child, prior, n, stream, least)
