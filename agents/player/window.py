"""A window with keys, and what stands in for one where there is none."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from PIL import Image


class Keys(NamedTuple):
    """Attributes:
    pressed: names of keys that went down since the last look, in order.
    held: those that are down.
    closed: whether the window was closed.
    """

    pressed: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()
    closed: bool = False


class Screen(Protocol):
    """Where frames are shown."""

    def keys(self) -> Keys:
        """Since the last look."""
        ...

    def show(self, frame: Image.Image, rate: float) -> None:
        """A frame, for its share of a second."""
        ...

    def close(self) -> None:
        """It is gone."""
        ...


class NoScreen:
    """Shows nothing, as fast as can be."""

    def keys(self) -> Keys:
        """None ever."""
        return Keys()

    def show(self, frame: Image.Image, rate: float) -> None:
        """Nobody looks."""

    def close(self) -> None:
        """Nothing is open."""


class Window:
    """A window of pygame."""

    def __init__(self, title: str) -> None:
        import pygame

        self._pygame: Any = pygame
        pygame.display.init()
        pygame.display.set_caption(title)
        self._clock = pygame.time.Clock()
        self._surface: Any = None
        self._held: set[str] = set()

    def keys(self) -> Keys:
        """See `Screen`."""
        pygame, pressed, closed = self._pygame, [], False
        if self._surface is None:
            return Keys()
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                closed = True
            elif event.type == pygame.KEYDOWN:
                pressed.append(pygame.key.name(event.key))
                self._held.add(pressed[-1])
            elif event.type == pygame.KEYUP:
                self._held.discard(pygame.key.name(event.key))
        # a key that was let go at once was still pressed
        return Keys(tuple(pressed), frozenset(self._held | set(pressed)), closed)

    def show(self, frame: Image.Image, rate: float) -> None:
        """See `Screen`."""
        pygame = self._pygame
        if self._surface is None or self._surface.get_size() != frame.size:
            self._surface = pygame.display.set_mode(frame.size)
        shown = pygame.image.frombytes(frame.tobytes(), frame.size, "RGB")
        self._surface.blit(shown, (0, 0))
        pygame.display.flip()
        self._clock.tick(rate)

    def close(self) -> None:
        """See `Screen`."""
        self._pygame.display.quit()
