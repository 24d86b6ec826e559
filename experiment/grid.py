"""Index arithmetic: an integer is one run of one setting, found without listing the grid.

A grid is a row of axes. An axis is one hyperparameter with its values, or several that move
together (a zip group, the legal combinations under a constraint, a random draw). The first axis
varies fastest; `setting = index mod G` and `run = index div G`, with G the product of the lengths.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from experiment.canonical import canonical

Row = tuple[Any, ...]


class Axis(msgspec.Struct, frozen=True):
    """Hyperparameters that move together, and the rows of values that they take.

    Attributes:
        names: [K] hyperparameters.
        rows: [L] rows of K values; any sequence, so random draws need not be materialised.
    """

    names: tuple[str, ...]
    rows: Sequence[Row]

    def positions(self, values: Mapping[str, Any]) -> list[int]:
        """Where the rows stand that agree with `values`; names of other axes are ignored."""
        wanted = [
            (column, canonical(values[name]))
            for column, name in enumerate(self.names)
            if name in values
        ]
        return [
            position
            for position, row in enumerate(self.rows)
            if all(canonical(row[column]) == value for column, value in wanted)
        ]


class Grid(msgspec.Struct, frozen=True):
    """The settings of one agent file: `axes` vary, `constants` do not.

    Attributes:
        axes: first varies fastest.
        constants: hyperparameters with one value, documented defaults included.
    """

    axes: tuple[Axis, ...]
    constants: Mapping[str, Any]

    @property
    def size(self) -> int:
        """G, the number of settings."""
        return math.prod(len(axis.rows) for axis in self.axes)

    @property
    def names(self) -> set[str]:
        """All hyperparameters."""
        return set(self.constants).union(*[axis.names for axis in self.axes])

    def split(self, index: int) -> tuple[int, int]:
        """(setting, run) of an index."""
        run, setting = divmod(index, self.size)
        return setting, run

    def index(self, setting: int, run: int) -> int:
        """The inverse of `split`."""
        return run * self.size + setting

    def setting(self, number: int) -> dict[str, Any]:
        """The resolved hyperparameters of setting `number`, names sorted."""
        if not 0 <= number < self.size:
            raise IndexError(f"setting {number} of a grid of {self.size}")
        values = dict(self.constants)
        for axis in self.axes:
            number, position = divmod(number, len(axis.rows))
            values.update(zip(axis.names, axis.rows[position], strict=True))
        return dict(sorted(values.items()))

    def where(self, values: Mapping[str, Any]) -> Iterator[int]:
        """The settings, in increasing order, that have all of `values` (name -> value).

        Costs as much as there are rows on the axes plus matches, whatever the size of the grid.
        A full setting gives the one (or, where draws repeat, each) number that it has.
        """
        for name, value in values.items():
            if name in self.constants and canonical(self.constants[name]) != canonical(value):
                return
        stride = 1
        offsets: list[list[int]] = []
        for axis in self.axes:
            named = any(name in values for name in axis.names)
            positions: Sequence[int] = axis.positions(values) if named else range(len(axis.rows))
            offsets.append([stride * position for position in positions])
            stride *= len(axis.rows)
        # the last axis is the most significant digit, so it leads the product
        for digits in itertools.product(*reversed(offsets)):
            yield sum(digits)
