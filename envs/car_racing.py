"""Gymnasium's CarRacing, drawn faster: the same pixels, rewards and random numbers.

Gymnasium transforms each of about 700 polygons of grass and road in Python, and draws those within
some distance of the window. Here NumPy transforms all of them at once, and those that touch what
is seen are drawn, by the same calls. Surfaces are kept from picture to picture, and so is the text
of the score; a background that fills the window is filled in.

No display is opened unless `render_mode` is "human".
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pygame
from gymnasium.envs.box2d import car_racing as stock
from numpy.typing import NDArray
from pygame import gfxdraw

_WIDTH, _HEIGHT = stock.WINDOW_W, stock.WINDOW_H
_BAR = _HEIGHT // 8  # rows at the bottom that the indicators cover
_MARGIN = 2.0  # pixels: an antialiased edge reaches into its neighbours
_BLACK = (0, 0, 0)


class CarRacing(stock.CarRacing):
    """As `gymnasium.envs.box2d.CarRacing`, arguments included; observations are contiguous.

    Args:
        action_repeat: frames of a step, during which the action stays; their rewards are summed,
            and the last one is drawn. An episode that is over ends at once.
    """

    # without types in Gymnasium
    car: Any
    road: Any
    surf: Any
    state: Any

    def __init__(self, *args: Any, action_repeat: int = 1, **kwargs: Any) -> None:
        if type(action_repeat) is not int or action_repeat < 1:
            raise ValueError(f"action_repeat is {action_repeat!r}, not a number of frames")
        super().__init__(*args, **kwargs)
        self.action_repeat = action_repeat
        self._draws = True
        self._polygons = np.empty((0, 4, 2))
        self._centers, self._radii = np.empty((0, 2)), np.empty(0)
        self._colors = np.empty((0, 3))
        self._drawn, self._shown = (pygame.Surface((_WIDTH, _HEIGHT)) for _ in range(2))
        self._seen = pygame.Surface((stock.STATE_W, stock.STATE_H))

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if action is None or self.action_repeat == 1:  # None: of the reset
            return self._frame(action)
        total = 0.0
        for frame in range(1, self.action_repeat + 1):
            self._draws = frame == self.action_repeat
            _, reward, terminated, truncated, info = self._frame(action)
            total += reward
            if terminated:
                break
        if not self._draws:
            self._draws = True
            self.state = self._render("state_pixels")
        return self.state, total, terminated, truncated, info

    def _frame(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, float(reward), terminated, truncated, info

    def _create_track(self) -> bool:
        if not super()._create_track():  # type: ignore[no-untyped-call]
            return False
        grass, tiles = _grass(), iter(self.road)
        self._polygons = np.concatenate([grass, [polygon for polygon, _ in self.road_poly]])
        self._centers = self._polygons.mean(axis=1)
        self._radii = np.linalg.norm(self._polygons - self._centers[:, None], axis=2).max(axis=1)
        self._colors = np.empty((len(self._polygons), 3))
        self._colors[: len(grass)] = self.grass_color
        for row, (_, color) in zip(self._colors[len(grass) :], self.road_poly, strict=True):
            row[:] = color
            if not isinstance(color, tuple):  # of a tile, which a touch recolours in place
                next(tiles).color = row
        return True

    def _render(self, mode: str) -> Any:
        if mode != "state_pixels" or "t" not in self.__dict__:
            return super()._render(mode)
        if not self._draws:
            return None
        self.surf = self._drawn
        angle = -self.car.hull.angle
        zoom = 0.1 * stock.SCALE * max(1 - self.t, 0) + stock.ZOOM * stock.SCALE * min(self.t, 1)
        x, y = self.car.hull.position
        center = pygame.math.Vector2((-x * zoom, -y * zoom)).rotate_rad(angle)
        translation = (_WIDTH / 2 + center[0], _HEIGHT / 4 + center[1])
        self._render_road(zoom, translation, angle)
        self.car.draw(self.surf, zoom, translation, angle, False)
        # what was drawn has its origin at the bottom; the bar hides the rows that are left out
        drawn, shown = map(pygame.surfarray.pixels2d, (self._drawn, self._shown))
        np.copyto(shown.T[: _HEIGHT - _BAR], drawn.T[: _BAR - 1 : -1])
        del drawn, shown  # which lock their surfaces
        self.surf = self._shown
        self._render_indicators(_WIDTH, _HEIGHT)  # type: ignore[no-untyped-call]
        text = _text(f"{self.reward:04.0f}")
        place = text.get_rect()
        place.center = (60, _HEIGHT - _HEIGHT * 2.5 / 40.0)
        self.surf.blit(text, place)
        pygame.transform.smoothscale(self.surf, self._seen.get_size(), self._seen)
        return np.ascontiguousarray(pygame.surfarray.pixels3d(self._seen).swapaxes(0, 1))

    def _render_road(self, zoom: float, translation: tuple[float, float], angle: float) -> None:
        # pygame's own cosine and sine, which are exact at right angles
        cos, sin = pygame.math.Vector2(1, 0).rotate_rad(angle)
        if not self._fills_the_window(zoom, translation, cos, sin):
            self.surf.fill(_BLACK)
            bounds = stock.PLAYFIELD
            field = [(bounds, bounds), (bounds, -bounds), (-bounds, -bounds), (-bounds, bounds)]
            self._draw_colored_polygon(  # type: ignore[no-untyped-call]
                self.surf, field, self.bg_color, zoom, translation, angle, clip=False
            )
        else:
            seen = (0, self._lowest, _WIDTH, _HEIGHT - self._lowest)
            self.surf.fill([int(c) for c in self.bg_color], seen)
        to_screen = np.array([[cos, sin], [-sin, cos]]) * zoom
        center = self._centers @ to_screen + translation
        reach = self._radii * zoom + _MARGIN
        near = np.flatnonzero(
            (np.abs(center[:, 0] - _WIDTH / 2) < reach + _WIDTH / 2)
            & (center[:, 1] > self._lowest - reach)
            & (center[:, 1] < _HEIGHT + reach)
        )
        x, y = self._polygons[near, :, 0], self._polygons[near, :, 1]
        on_screen = np.empty((len(near), 4, 2))
        on_screen[..., 0] = (cos * x - sin * y) * zoom + translation[0]
        on_screen[..., 1] = (sin * x + cos * y) * zoom + translation[1]
        low, high = on_screen.min(axis=1), on_screen.max(axis=1)
        touches = (high > (-_MARGIN, self._lowest - _MARGIN)) & (
            low < (_WIDTH + _MARGIN, _HEIGHT + _MARGIN)
        )
        touching = touches.all(axis=1)
        # as gfxdraw would: towards zero
        points = on_screen[touching].astype(np.int64).tolist()
        colors = self._colors[near[touching]].astype(np.int64).tolist()
        for polygon, color in zip(points, colors, strict=True):
            gfxdraw.aapolygon(self.surf, polygon, color)
            gfxdraw.filled_polygon(self.surf, polygon, color)

    @property
    def _lowest(self) -> int:
        """The first row that is seen of what is drawn now."""
        return _BAR if self.surf is self._drawn else 0

    def _fills_the_window(
        self, zoom: float, translation: tuple[float, float], cos: float, sin: float
    ) -> bool:
        """Whether all that the window shows lies within the playfield."""
        reach = stock.PLAYFIELD - _MARGIN / zoom
        for corner_x in (0, _WIDTH):
            for corner_y in (0, _HEIGHT):
                x, y = (corner_x - translation[0]) / zoom, (corner_y - translation[1]) / zoom
                if max(abs(cos * x + sin * y), abs(cos * y - sin * x)) >= reach:
                    return False
        return True


@functools.cache
def _grass() -> NDArray[np.float64]:
    """[400, 4, 2] the corners of the patches of grass, in the order in which they are drawn."""
    side = stock.GRASS_DIM
    return np.array(
        [
            [
                (side * x + side, side * y),
                (side * x, side * y),
                (side * x, side * y + side),
                (side * x + side, side * y + side),
            ]
            for x in range(-20, 20, 2)
            for y in range(-20, 20, 2)
        ]
    )


@functools.lru_cache(maxsize=64)
def _text(text: str) -> pygame.Surface:
    """The score as a picture."""
    pygame.font.init()
    font = pygame.font.Font(pygame.font.get_default_font(), 42)
    return font.render(text, True, (255, 255, 255), _BLACK)
