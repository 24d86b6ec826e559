"""Random draws that an index addresses: sample j is computed, never stored.

Every hyperparameter has a stream of its own, so adding one, or taking more samples, moves no
draw that was there before; and a draw is the same on every machine.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiment.grid import Row

#: kind -> what its argument is
KINDS = {
    "uniform": "[low, high]",
    "log_uniform": "[low, high], low above 0",
    "integer": "[low, high], both ends included",
    "choice": "a list of values",
}


class Draws(Sequence[Row]):
    """[samples] rows of random values.

    Attributes:
        parameters: name -> {kind: argument}, kinds as in KINDS, already checked.
    """

    def __init__(self, parameters: Mapping[str, Mapping[str, Any]], samples: int, seed: int):
        self.parameters = {name: dict(draw) for name, draw in parameters.items()}
        self.samples = samples
        self.seed = seed

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self[p] for p in range(*position.indices(self.samples))]
        if not 0 <= position < self.samples:
            raise IndexError(position)
        return tuple(
            _draw(kind, argument, _uniform(self.seed, name, position))
            for name, draw in self.parameters.items()
            for kind, argument in draw.items()
        )

    def described(self) -> dict[str, Any]:
        """As JSON: the same as in the agent file."""
        return {"samples": self.samples, "seed": self.seed, "parameters": self.parameters}


def _uniform(seed: int, name: str, position: int) -> float:
    digest = hashlib.sha256(f"{seed}:{position}:{name}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) * 2.0**-53


def _draw(kind: str, argument: Any, u: float) -> Any:
    if kind == "choice":
        return argument[int(u * len(argument))]
    low, high = argument
    if kind == "integer":
        return low + int(u * (high - low + 1))
    if kind == "uniform":
        value = (1 - u) * low + u * high
    else:
        value = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
    # six digits: readable, and the same where exp and log differ in the last bit
    return min(max(float(f"{value:.6g}"), low), high)
