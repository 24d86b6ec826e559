"""Atari games: the preprocessing around the Arcade Learning Environment."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import gymnasium
import msgspec
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.wrappers import AtariPreprocessing
from numpy.typing import NDArray

from envs.errors import EnvironmentRefused
from envs.noise import Noisy
from envs.settings import AtariSettings, EnvironmentSettings, NoiseSettings
from envs.wrappers import Problem

#: The attribute of a game that holds the screen saved beside the state it was put into.
RESTORED_SCREEN = "_restored_screen"
_NOOP = 0


def is_atari(spec: EnvSpec) -> bool:
    return spec.namespace == "ALE"


def check(settings: EnvironmentSettings, spec: EnvSpec) -> None:
    """Refuses Atari settings for other environments, and continuous actions for Atari."""
    if not is_atari(spec):
        if settings.atari is not None:
            raise EnvironmentRefused("atari", f"{spec.id} is no Atari game (ALE/...): leave it out")
        return
    if settings.continuous or settings.kwargs.get("continuous"):
        raise EnvironmentRefused("continuous", f"{spec.id} is played with discrete actions")


def emulator_arguments() -> dict[str, Any]:
    """Arguments that leave one frame a step and nothing random to the emulator.

    Sticky actions are left to a wrapper: the emulator's own remember the last action where no
    snapshot of it reaches.
    """
    import ale_py

    # it greets at every start
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    return {
        "frameskip": 1,
        "repeat_action_probability": 0.0,
        "max_num_frames_per_episode": 0,
        "obs_type": "rgb",
    }


def steps_per_episode(spec: EnvSpec, settings: AtariSettings) -> int | None:
    """The registered limit, which is in frames, in steps."""
    frames = spec.kwargs.get("max_num_frames_per_episode")
    return None if not frames else int(frames) // settings.frame_skip


def settings_of(settings: AtariSettings | None, *, evaluation: bool) -> AtariSettings:
    """Those that hold in training, or in evaluation."""
    settings = settings or AtariSettings()
    if not evaluation:
        return settings
    changed: dict[str, Any] = {
        "terminal_on_life_loss": settings.eval_terminal_on_life_loss,
        "noop_max": settings.eval_noop_max,
    }
    given = {name: value for name, value in changed.items() if value is not None}
    return msgspec.structs.replace(settings, **given)


def preprocess(
    env: gymnasium.Env[Any, Any], settings: AtariSettings, noise: NoiseSettings | None = None
) -> gymnasium.Env[Any, Any]:
    """Observation uint8 [frame_stack, screen_size, screen_size], [..., 3] in colour; each picture
    is disturbed once."""
    from gymnasium.wrappers import FrameStackObservation, StickyAction

    if settings.repeat_action_probability > 0:
        # below the frame skip, so that every frame repeats anew, as in Machado et al. (2018)
        env = StickyAction(env, settings.repeat_action_probability)
    env = Preprocessing(env, settings)
    if noise is not None:
        env = Noisy(env, noise)
    return FrameStackObservation(env, settings.frame_stack)


class Preprocessing(AtariPreprocessing):
    """Gymnasium's, which always pools the brighter of two frames, resizes by area and begins a new
    game after the loss of a life, with all three left to the settings.

    Attributes:
        goes_on: whether the next reset goes on in the same game.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], settings: AtariSettings) -> None:
        super().__init__(
            env,
            noop_max=settings.noop_max,
            frame_skip=settings.frame_skip,
            screen_size=settings.screen_size,
            terminal_on_life_loss=settings.terminal_on_life_loss,
            grayscale_obs=settings.grayscale,
        )
        self.settings = settings
        self._resized = resizing(settings)
        self.goes_on = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        if self.goes_on and seed is None:
            observation, _, terminated, truncated, info = self.step(_NOOP)
            if not (terminated or truncated):
                return observation, info
        self.goes_on = False
        return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        step: Any = super().step(action)
        lost_a_life = step[2] and not self.ale.game_over()
        self.goes_on = lost_a_life and self.settings.after_life_loss == "continue"
        if self.settings.max_pool:
            return step  # type: ignore[no-any-return]
        # also of the frame that ended the episode, which Gymnasium's does not take
        self._look()
        return self._get_obs(), *step[1:]

    def _look(self) -> None:
        picture = self.obs_buffer[0]
        if self.settings.grayscale:
            self.ale.getScreenGrayscale(picture)
        else:
            self.ale.getScreenRGB(picture)

    def _get_obs(self) -> NDArray[np.uint8]:
        if self.settings.max_pool and self.frame_skip > 1:
            np.maximum(self.obs_buffer[0], self.obs_buffer[1], out=self.obs_buffer[0])
        return self._resized(self.obs_buffer[0])


def resizing(settings: AtariSettings) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """The function from a screen to a new square picture."""
    import cv2

    how = cv2.INTER_AREA if settings.resize == "area" else cv2.INTER_LINEAR
    size = (settings.screen_size, settings.screen_size)
    return functools.partial(cv2.resize, dsize=size, interpolation=how)  # type: ignore[return-value]


def screen_of(problem: Problem) -> NDArray[np.uint8] | None:
    """The screen of a running game, uint8 [210, 160] of palette indices; None: it is not known.

    The emulator shows it, unless a state was restored since, which brings no screen with it: then
    it is the one that was saved beside the state.
    """
    game: Any = problem.unwrapped
    if not problem.was_put_back:
        return game.ale.getScreen()  # type: ignore[no-any-return]
    return getattr(game, RESTORED_SCREEN, None)
