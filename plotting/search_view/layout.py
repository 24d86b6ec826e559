"""Where the nodes of a tree are drawn: tidy trees of any width and depth in linear time.

Buchheim, Jünger and Leipert (2002), "Improving Walker's algorithm to run in linear time", without
recursion, since searches may be a thousand edges deep. `tidy` in assets/layout.js does the same.
"""

from __future__ import annotations

from collections.abc import Sequence

SIBLINGS, COUSINS = 1.0, 1.4  # least distances
#: Where a level has at least MANY nodes, those with fewer than SPARSE of it are lower than 1.
MANY, SPARSE, LOWEST = 40, 0.08, 0.25


def tidy(children: Sequence[Sequence[int]]) -> list[float]:
    """The position of each node across its level, the leftmost at 0; the level is its depth.

    No two of a level are closer than SIBLINGS, or COUSINS where their parents differ; a parent is
    in the middle of its children; equal subtrees look equal, and a mirrored tree is the mirror
    image.

    Args:
        children: of each node, in order; a child's number is above its parent's, and 0 is the root.
    """
    layout = _Layout(children)
    for node in range(len(children) - 1, -1, -1):
        layout.join(node)
    return layout.positions()


def level_heights(counts: Sequence[int]) -> list[float]:
    """The height of each level, given how many nodes it has: a search that is wide near its root
    and has a few deep rollouts is drawn with more room where there is more to see."""
    most = max(counts)
    if most < MANY:
        return [1.0] * len(counts)
    return [min(1.0, max(LOWEST, count / (SPARSE * most))) for count in counts]


class _Layout:
    """prelim: of a node in its parent's frame, before `modifier` of its ancestors.

    middle: of a node's children, in its own frame. thread: where a contour goes on below a leaf.
    """

    def __init__(self, children: Sequence[Sequence[int]]) -> None:
        count = len(children)
        self.children = children
        self.prelim, self.modifier = [0.0] * count, [0.0] * count
        self.shift, self.change = [0.0] * count, [0.0] * count
        self.middle = [0.0] * count
        self.thread = [-1] * count
        self.ancestor = list(range(count))
        self.parent, self.number = [-1] * count, [0] * count
        for node, below in enumerate(children):
            for number, child in enumerate(below):
                self.parent[child], self.number[child] = node, number

    def join(self, node: int) -> None:
        """Puts the finished subtrees of the children side by side."""
        below = self.children[node]
        if not below:
            return
        default = below[0]
        for number, child in enumerate(below):
            if number == 0:
                self.prelim[child] = self.middle[child]
                continue
            self.prelim[child] = self.prelim[below[number - 1]] + SIBLINGS
            if self.children[child]:
                self.modifier[child] = self.prelim[child] - self.middle[child]
            default = self._push(child, below[number - 1], below[0], default)
        shift = change = 0.0
        for child in reversed(below):
            self.prelim[child] += shift
            self.modifier[child] += shift
            change += self.change[child]
            shift += self.shift[child] + change
        self.middle[node] = (self.prelim[below[0]] + self.prelim[below[-1]]) / 2

    def positions(self) -> list[float]:
        self.prelim[0] = self.middle[0]
        above = [0.0] * len(self.children)
        for node, below in enumerate(self.children):
            for child in below:
                above[child] = above[node] + self.modifier[node]
        found = [prelim + more for prelim, more in zip(self.prelim, above, strict=True)]
        least = min(found)
        return [position - least for position in found]

    def _push(self, child: int, before: int, first: int, default: int) -> int:
        """Moves `child` away from the subtrees before it, walking down the contours."""
        modifier = self.modifier
        inner_right = outer_right = child
        inner_left, outer_left = before, first
        sum_inner_right = sum_outer_right = modifier[child]
        sum_inner_left, sum_outer_left = modifier[before], modifier[first]
        while True:
            next_left, next_right = self._right(inner_left), self._left(inner_right)
            if next_left < 0 or next_right < 0:
                break
            inner_left, inner_right = next_left, next_right
            outer_left, outer_right = self._left(outer_left), self._right(outer_right)
            self.ancestor[outer_right] = child
            gap = self.prelim[inner_left] + sum_inner_left + COUSINS
            overlap = gap - self.prelim[inner_right] - sum_inner_right
            if overlap > 0:
                mover = self.ancestor[inner_left]
                if self.parent[mover] != self.parent[child]:
                    mover = default
                self._move(mover, child, overlap)
                sum_inner_right += overlap
                sum_outer_right += overlap
            sum_inner_left += modifier[inner_left]
            sum_inner_right += modifier[inner_right]
            sum_outer_left += modifier[outer_left]
            sum_outer_right += modifier[outer_right]
        if next_left >= 0 and self._right(outer_right) < 0:
            self.thread[outer_right] = next_left
            modifier[outer_right] += sum_inner_left - sum_outer_right
        if next_right >= 0 and self._left(outer_left) < 0:
            self.thread[outer_left] = next_right
            modifier[outer_left] += sum_inner_right - sum_outer_left
            default = child
        return default

    def _move(self, left: int, right: int, distance: float) -> None:
        share = distance / (self.number[right] - self.number[left])
        self.change[right] -= share
        self.shift[right] += distance
        self.change[left] += share
        self.prelim[right] += distance
        self.modifier[right] += distance

    def _left(self, node: int) -> int:
        below = self.children[node]
        return below[0] if below else self.thread[node]

    def _right(self, node: int) -> int:
        below = self.children[node]
        return below[-1] if below else self.thread[node]
