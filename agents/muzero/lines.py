"""Lines of cells on a board, as a layer of a network reads and answers them.

A line has, of each feature, the sum over its cells, and a dense layer makes features of a line of
that; the same one for all lines. It is a convolution on a hypergraph (Feng et al. 2019) whose
edges are the lines.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

#: Rows and columns from a cell of a line to the next.
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def lines_of(height: int, width: int, length: int) -> NDArray[np.float32]:
    """[lines, height * width] 1 where a cell is in a line: across, down, and both diagonals.

    Raises:
        ValueError: there is no such line.
    """
    found = []
    for down, right in DIRECTIONS:
        for row in range(height):
            for column in range(width):
                rows = row + down * np.arange(length)
                columns = column + right * np.arange(length)
                if rows[-1] < height and 0 <= columns[-1] < width:
                    line = np.zeros((height, width), np.float32)
                    line[rows, columns] = 1
                    found.append(line.ravel())
    if not found:
        raise ValueError(f"no line of {length} cells on a board of {height} x {width}")
    return np.array(found)


class Lines(nn.Module):
    """Features of lines, of those of their cells."""

    def __init__(self, lines: NDArray[np.float32], reads: int, writes: int) -> None:
        super().__init__()
        # what is not learned is no part of what is kept
        self.register_buffer("_incidence", torch.from_numpy(lines), persistent=False)
        self._weight = nn.Linear(reads, writes)

    def forward(self, cells: Tensor) -> Tensor:
        """[B, lines, writes] of [B, reads, h, w]."""
        sums = self.get_buffer("_incidence").to(cells.dtype) @ cells.flatten(2).transpose(1, 2)
        return functional.relu(self._weight(sums))

    def told(self, features: Tensor, size: torch.Size) -> Tensor:
        """[B, writes, h, w], each cell the sum over the lines through it, of [B, lines, writes]."""
        sums = self.get_buffer("_incidence").t().to(features.dtype) @ features
        return sums.transpose(1, 2).reshape(len(sums), -1, *size)
