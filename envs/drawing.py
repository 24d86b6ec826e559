"""Plain pictures of an environment: world coordinates in, RGB array or window out.

pygame is imported with the first picture only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
GREY: Colour = (205, 205, 205)
RED: Colour = (200, 60, 50)
GREEN: Colour = (60, 150, 80)
BLUE: Colour = (60, 100, 180)


class Canvas:
    """A square picture, ``size`` pixels a side, of the world between ``low`` and ``high``.

    Horizontal and vertical world axes are scaled apart; vertical grows upwards.
    """

    def __init__(self, low: Point, high: Point, *, window: bool, size: int = 400) -> None:
        import pygame

        self._pygame: Any = pygame
        self._low, self._size, self._window = low, size, window
        self._scale = (size / (high[0] - low[0]), size / (high[1] - low[1]))
        if window:
            pygame.display.init()
            self._surface: Any = pygame.display.set_mode((size, size))
            self._clock: Any = pygame.time.Clock()
        else:
            self._surface = pygame.Surface((size, size))
        self.clear()

    def clear(self) -> None:
        self._surface.fill(WHITE)

    def line(self, points: Sequence[Point], colour: Colour = BLACK, width: int = 2) -> None:
        self._pygame.draw.lines(self._surface, colour, False, list(map(self._pixel, points)), width)

    def dot(self, centre: Point, colour: Colour = RED, radius: int = 8) -> None:
        self._pygame.draw.circle(self._surface, colour, self._pixel(centre), radius)

    def rectangle(self, low: Point, high: Point, colour: Colour) -> None:
        left, bottom = self._pixel(low)
        right, top = self._pixel(high)
        self._pygame.draw.rect(self._surface, colour, (left, top, right - left, bottom - top))

    def capsule(self, start: Point, end: Point, radius: float, colour: Colour) -> None:
        """All points within ``radius`` (world units, horizontal) of a segment."""
        pixels = round(radius * self._scale[0])
        self.line([start, end], colour, 2 * pixels)
        self.dot(start, colour, pixels)
        self.dot(end, colour, pixels)

    def show(self, fps: int) -> NDArray[np.uint8] | None:
        """The picture, uint8 [size, size, 3]; None when it went to the window."""
        if self._window:
            self._pygame.event.pump()
            self._pygame.display.flip()
            self._clock.tick(fps)
            return None
        pixels = self._pygame.surfarray.array3d(self._surface)
        return np.ascontiguousarray(pixels.transpose(1, 0, 2))

    def close(self) -> None:
        if self._window:
            self._pygame.display.quit()

    def _pixel(self, point: Point) -> tuple[int, int]:
        x = (point[0] - self._low[0]) * self._scale[0]
        y = self._size - (point[1] - self._low[1]) * self._scale[1]
        return round(x), round(y)
