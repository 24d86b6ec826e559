"""What was experienced: a ring of rows for each environment, sampled by priority.

Rows are those of `agents.muzero.targets`. A place is e T + t, environment e's row at t of T.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from agents.muzero.sum_tree import SumTree
from agents.muzero.targets import LAST, STEP, TERMINAL, Targets, find_targets

Floats = NDArray[np.float32]
Places = NDArray[np.int64]

#: What is added to every priority.
LEAST_PRIORITY = 1e-6


class Field(NamedTuple):
    """What a row has of one name."""

    shape: tuple[int, ...]
    dtype: DTypeLike


class Batch(NamedTuple):
    """B sequences; overwritten by the next batch of equal size.

    Attributes:
        starts: [B] places of their first rows.
        weights: [B] that make up for their probabilities, the greatest 1.
        targets: see there.
        actions: [B, K] done, or any where nothing was; of a box [B, K, D] in [-1, 1].
        policies: [B, K + 1, A] that the search advised; 0 where nothing was.
    """

    starts: Places
    weights: Floats
    targets: Targets
    actions: NDArray[Any]
    policies: Floats


class Replay:
    """The last rows of E environments.

    Args:
        environments: E.
        capacity: T, rows of each.
        fields: "observations", "policies" ([A]) and whatever else is to be kept beside them, and
            "actions" where these are not numbers.
        unroll: K.
        actions: A; of a box D.
        discount: γ, negative between two players.
        exponent: of priorities; 0: all rows are equal.
        correction: of the weights that make up for it; 0: all are 1.

    Attributes:
        arrays: field -> [E, T, ...]; "kinds", "rewards", "actions" and "values" are always there.
        written: [E] rows of each since the beginning.
    """

    def __init__(
        self,
        environments: int,
        capacity: int,
        fields: Mapping[str, Field],
        *,
        unroll: int,
        actions: int,
        discount: float,
        exponent: float = 0.0,
        correction: float = 0.0,
    ) -> None:
        self._unroll, self._actions, self._discount = unroll, actions, discount
        self._exponent, self._correction = exponent, correction
        always = {
            "kinds": Field((), np.uint8),
            "rewards": Field((), np.float32),
            "actions": Field((), np.int64),
            "values": Field((), np.float32),
        }
        # zeros take no memory before they are written
        self.arrays: dict[str, NDArray[Any]] = {
            name: np.zeros((environments, capacity, *shape), dtype)
            for name, (shape, dtype) in {**always, **fields}.items()
        }
        self.written = np.zeros(environments, np.int64)
        self._tree = SumTree(environments * capacity)
        self._greatest = 1.0  # priority so far
        self._rows = 0  # that may begin a sequence
        self._room: dict[int, Targets] = {}

    @property
    def capacity(self) -> int:
        """T."""
        return int(self.arrays["kinds"].shape[1])

    def __len__(self) -> int:
        """Steps held."""
        return self._rows

    # -- writing

    def add(self, environment: int, priority: float | None = None, **row: Any) -> None:
        """Writes a row of an environment, over its oldest one.

        Args:
            priority: how far off it is; None: as much as any so far.
            row: its fields; what is left out is 0.
        """
        place = int(self.written[environment]) % self.capacity
        old = environment * self.capacity + place
        self._rows -= self._tree.priorities[old] > 0
        for name, array in self.arrays.items():
            array[environment, place] = row.get(name, 0)
        self.written[environment] += 1
        if row.get("kinds", STEP) == LAST:
            share = 0.0
        else:
            share = self._greatest if priority is None else self._share(priority)
            self._rows += 1
        self._tree.set(np.array([old]), np.array([share]))

    def cut(self, environment: int) -> None:
        """What an environment writes next does not follow on its newest row, whose step counts as
        not done."""
        newest = int(self.written[environment]) - 1
        if newest < 0:
            return
        slot = newest % self.capacity
        kinds, place = self.arrays["kinds"], environment * self.capacity + slot
        if kinds[environment, slot] in (TERMINAL, LAST):
            return
        kinds[environment, slot] = LAST
        self._rows -= self._tree.priorities[place] > 0
        self._tree.set(np.array([place]), np.zeros(1))

    def prioritise(self, starts: Places, errors: Floats) -> None:
        """Renews the priorities of places by how far off they were; NaN: they stay."""
        if self._exponent == 0:
            return
        known = ~np.isnan(errors)
        starts, errors = starts[known], errors[known]
        shares = (np.abs(errors.astype(np.float64)) + LEAST_PRIORITY) ** self._exponent
        self._greatest = max(self._greatest, float(shares.max(initial=0.0)))
        self._tree.set(starts, shares)

    def _share(self, priority: float) -> float:
        share: float = (abs(priority) + LEAST_PRIORITY) ** self._exponent
        self._greatest = max(self._greatest, share)
        return share

    # -- reading

    def sample(
        self,
        size: int,
        rng: np.random.Generator,
        *,
        horizon: int,
        shrink: float = np.inf,
        correction: float | None = None,
    ) -> Batch:
        """Sequences drawn by priority, with replacement.

        Args:
            size: B.
            rng: where they are, and what is done where nothing was.
            horizon: n of the value targets.
            shrink: rows of age, in steps of all environments, for which a target looks one step
                less ahead, down to one.
            correction: in place of the replay's.

        Raises:
            ValueError: there is nothing to draw from.
        """
        if self._rows == 0:
            raise ValueError("the replay is empty")
        starts = self._tree.sample(rng.random(size))
        targets = self._room.get(size)
        if targets is None:
            targets = self._room[size] = Targets.empty(size, self._unroll)
        horizons = np.full(size, horizon, np.int64)
        if np.isfinite(shrink):
            behind = (self.ages(starts) * len(self.written) / shrink).astype(np.int64)
            horizons = np.clip(horizon - behind, 1, horizon)
        arrays = self.arrays
        find_targets(
            arrays["kinds"],
            arrays["rewards"],
            self.written,
            starts,
            horizons,
            self._discount,
            targets,
        )
        done = targets.policy_mask[:, :-1] > 0
        kept = self.rows("actions", targets.rows[:, :-1])
        if kept.ndim == 2:
            actions = np.where(done, kept, rng.integers(self._actions, size=done.shape))
        else:
            anything = rng.uniform(-1, 1, kept.shape).astype(np.float32)
            actions = np.where(done[..., None], kept, anything)
        policies = self.rows("policies", targets.rows)
        policies *= targets.policy_mask[..., None]
        return Batch(starts, self._weights(starts, correction), targets, actions, policies)

    def _weights(self, starts: Places, correction: float | None) -> Floats:
        beta = self._correction if correction is None else correction
        if self._exponent == 0 or beta == 0:
            return np.ones(len(starts), np.float32)
        shares = self._tree.priorities[starts]
        weights: Floats = ((shares.min() / shares) ** beta).astype(np.float32)
        return weights

    def ages(self, places: Places) -> Places:
        """[B] how many rows their environment has written since."""
        e, slot = np.divmod(places, self.capacity)
        return (self.written[e] - 1 - slot) % self.capacity

    def rows(self, field: str, places: Places) -> NDArray[Any]:
        """A field [..., shape] of places [...]; any row's where a place is -1."""
        array = self.arrays[field]
        return array.reshape(-1, *array.shape[2:])[places]

    def write(self, field: str, places: Places, values: NDArray[Any]) -> None:
        """Renews a field of places [B]."""
        array = self.arrays[field]
        array.reshape(-1, *array.shape[2:])[places] = values

    def uniform(self, size: int, rng: np.random.Generator) -> Places:
        """[size] places of rows, whatever they are, with replacement."""
        T = self.capacity
        e = rng.integers(len(self.written), size=size)
        places: Places = e * T + rng.integers(np.minimum(self.written[e], T))
        return places

    # -- leaving and coming back

    def state_dict(self) -> dict[str, Any]:
        """The part that was written."""
        used = int(min(self.written.max(initial=0), self.capacity))
        priorities = self._tree.priorities.reshape(len(self.written), -1)[:, :used]
        return {
            "written": self.written.copy(),
            "greatest": self._greatest,
            "priorities": priorities.copy(),
            "arrays": {name: array[:, :used].copy() for name, array in self.arrays.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.written[:], self._greatest = state["written"], state["greatest"]
        used = state["priorities"].shape[1]
        for name, array in self.arrays.items():
            array[:, :used] = state["arrays"][name]
        priorities = np.zeros((len(self.written), self.capacity))
        priorities[:, :used] = state["priorities"]
        self._tree.load(priorities.reshape(-1))
        self._rows = int((priorities > 0).sum())
