"""`--monitor`: a window that shows the scene while the agent trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from experiment.errors import ConfigError

if TYPE_CHECKING:
    from envs.wrappers import Problem


class Monitor:
    """Draws each step's frame once `after` timesteps have passed. Training does not notice."""

    def __init__(self, environment: Problem, name: str, after: int) -> None:
        if environment.render_mode != "rgb_array":
            raise ConfigError(f"--monitor: {name} cannot be rendered")
        self._environment, self._name = environment, name
        self._after, self._steps = after, 0
        self._window: Any = None
        self._clock: Any = None
        self._fps = environment.metadata.get("render_fps", 30)

    def step(self) -> None:
        """Call after every training step."""
        self._steps += 1
        if self._steps <= self._after:
            return
        import pygame

        frame = np.asarray(self._environment.render())
        if self._window is None:
            pygame.display.init()
            self._window = pygame.display.set_mode((frame.shape[1], frame.shape[0]))
            pygame.display.set_caption(self._name)
            self._clock = pygame.time.Clock()
        pygame.surfarray.blit_array(self._window, frame.swapaxes(0, 1))
        pygame.display.flip()
        pygame.event.pump()
        self._clock.tick(self._fps)
