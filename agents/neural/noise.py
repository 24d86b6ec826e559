"""Random numbers for members that draw together, each from a stream of its own.

numpy fills blocks of many steps at a time, one member after another, so that a step costs a
subscript, and what a member gets does not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

_MOST_STEPS = 256
_LEAST_UNIFORM = 2.0**-25
_MOST_NUMBERS = 2**17  # in a member's block

Kind = Literal["normal", "uniform"]


@dataclass
class _Block:
    """Draws of one kind and shape: numbers [steps, M, *shape], of which `used` steps are spent."""

    numbers: Tensor
    used: int


class Noise:
    """Normals and uniforms [M, *shape], the next ones at each call.

    Attributes:
        generators: of each member; draw from them what is not to be had here.
    """

    def __init__(
        self,
        generators: Sequence[np.random.Generator],
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.generators = list(generators)
        self._device, self._dtype = device, dtype
        self._drawn_as: Any = np.float64 if dtype == torch.float64 else np.float32
        self._blocks: dict[tuple[Kind, tuple[int, ...]], _Block] = {}

    def normal(self, *shape: int) -> Tensor:
        """Standard normals [M, *shape]."""
        return self._next("normal", shape)

    def uniform(self, *shape: int) -> Tensor:
        """Uniforms in (0, 1), [M, *shape]."""
        return self._next("uniform", shape)

    def _next(self, kind: Kind, shape: tuple[int, ...]) -> Tensor:
        block = self._blocks.get((kind, shape))
        if block is None:
            block = self._blocks[kind, shape] = self._empty(shape)
        if block.used == len(block.numbers):
            self._fill(block, kind)
        block.used += 1
        return block.numbers[block.used - 1]

    def _empty(self, shape: tuple[int, ...]) -> _Block:
        """A block with nothing left; its length depends on the shape alone."""
        steps = max(1, min(_MOST_STEPS, _MOST_NUMBERS // max(1, int(np.prod(shape)))))
        members = len(self.generators)
        numbers = torch.empty(steps, members, *shape, dtype=self._dtype, device=self._device)
        return _Block(numbers, used=steps)

    def _fill(self, block: _Block, kind: Kind) -> None:
        steps, _, *shape = block.numbers.shape
        for member, generator in enumerate(self.generators):
            draw = generator.standard_normal if kind == "normal" else generator.random
            numbers = draw((steps, *shape), dtype=self._drawn_as)
            if kind == "uniform":  # numpy's may be 0, whose logarithm is wanted
                np.maximum(numbers, _LEAST_UNIFORM, out=numbers)
            block.numbers[:, member] = torch.from_numpy(numbers).to(self._device)
        block.used = 0

    def state_dict(self, member: int) -> dict[str, Any]:
        """A member's stream: its generator, and what was drawn but not used."""
        return {
            "generator": self.generators[member].bit_generator.state,
            "blocks": {
                key: (block.used, block.numbers[block.used :, member].cpu().numpy().copy())
                for key, block in self._blocks.items()
            },
        }

    def load_state_dict(self, member: int, state: dict[str, Any]) -> None:
        """Continues a member's stream. All members must have used equally much."""
        self.generators[member].bit_generator.state = state["generator"]
        for key, (used, rest) in state["blocks"].items():
            block = self._blocks.get(key)
            if block is None:
                block = self._blocks[key] = self._empty(key[1])
            block.used = used
            block.numbers[used:, member] = torch.from_numpy(rest).to(self._device)
