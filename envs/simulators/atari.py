"""Simulators of Atari games.

After a state is restored the emulator still shows the picture of before: pictures are taken right
after a step, and a snapshot carries those that belong to it.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.atari import resizing, screen_of
from envs.settings import AtariSettings
from envs.simulator import Outcome
from envs.simulators.base import ProblemSimulator, State
from envs.simulators.saved import Saved
from envs.wrappers import Problem

#: The screen, [rows, columns].
SCREEN = (210, 160)


def plays_whole_steps(settings: AtariSettings) -> bool:
    """Whether the emulator can play all frames of a step by itself: nothing happens in between."""
    pools = settings.max_pool and settings.frame_skip > 1
    sticky = settings.repeat_action_probability > 0
    return not (pools or sticky or settings.terminal_on_life_loss)


class _Screens(ProblemSimulator):
    """What both kinds show."""

    ale: Any
    _screen: NDArray[np.uint8] | None
    _in_colour: NDArray[np.uint8] | None
    """The screen [210, 160, 3], where it is known."""

    def lives(self) -> int:
        return int(self.ale.lives())

    def ram(self) -> NDArray[np.uint8]:
        return self.ale.getRAM()  # type: ignore[no-any-return]

    def screen(self) -> NDArray[np.uint8]:
        if self._screen is None:
            raise RuntimeError(
                "the emulator shows what was before the restore; take the screen after a step"
            )
        return self._screen

    def picture(self) -> NDArray[np.uint8]:
        """The screen; after a restore the last picture of the observation."""
        if self._in_colour is not None:
            return self._in_colour
        last: NDArray[np.uint8] = self.observation()[-1]
        return last if last.ndim == 3 else np.repeat(last[..., None], 3, axis=2)


class Emulated(_Screens):
    """An emulator that skips the frames itself: nothing is done between two of its states but to
    run it and take the picture at the end."""

    def __init__(self, problem: Problem, bins: int, settings: AtariSettings) -> None:
        super().__init__(problem, bins)
        self.frames_per_step = settings.frame_skip
        # an episode begins in the problem that the file describes, and goes on in the emulator
        self._beginning = problem
        self._emulator = Emulator(problem.unwrapped, settings)
        self.ale = self._emulator.ale
        self.problem = Problem(
            self._emulator, steps_per_episode=problem.steps_per_episode, overwrite=problem.overwrite
        )
        self._buffer = np.zeros(SCREEN, np.uint8)
        self._screen: NDArray[np.uint8] | None = None
        self._adopted: NDArray[np.uint8] | None = None
        self._fresh = False  # whether the emulator shows the present state
        self._stacked: NDArray[np.uint8] | None = None

    def _keep(self, observation: Any) -> Any:
        return observation  # its pictures are new, and nobody's to write to

    def _read(self, problem: Problem) -> Any:
        if problem is self.problem:
            return self.ale.cloneState()
        simulator: Any = problem.unwrapped
        return simulator.ale.cloneState()

    def _write(self, inside: Any) -> None:
        self.ale.restoreState(inside)

    def reset(self, seed: int | None = None) -> None:
        self._beginning.reset(seed=seed)
        self.adopt(self._beginning)

    def restore(self, snapshot: State) -> None:
        super().restore(snapshot)
        self._screen, self._stacked, self._adopted, self._fresh = None, None, None, False

    def step(self, action: int) -> Outcome:
        emulator = self._emulator
        emulator.frames = self._observation
        outcome = super().step(action)
        self._stacked, self._screen, self._fresh = None, None, True
        return outcome

    def screen(self) -> NDArray[np.uint8]:
        if self._fresh and self._screen is None:
            self.ale.getScreen(self._buffer)
            self._screen = self._buffer
        return super().screen()

    def observation(self) -> NDArray[np.uint8]:
        if self._stacked is None:
            self._stacked = np.array(self._observation)
            self._stacked.setflags(write=False)
        return self._stacked

    def adopt(self, problem: Problem) -> State:
        stack: Any = problem.env
        frames = tuple(stack.obs_queue)
        state = self._state_of(problem, frames)
        self.restore(state)
        screen = screen_of(problem)
        if screen is not None:
            self._buffer[:] = screen
            self._screen = self._buffer
        self._adopted = in_colour(problem)
        return state

    @property
    def _in_colour(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        return self.ale.getScreenRGB() if self._fresh else self._adopted

    def close(self) -> None:
        self._beginning.close()


class Emulator(gymnasium.Env[Any, Any]):
    """A game whose step is one call of the emulator. Its observation is a tuple of pictures, the
    oldest first, which following states share."""

    def __init__(self, game: Any, settings: AtariSettings) -> None:
        import ale_py

        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self.ale = ale = ale_py.ALEInterface()
        ale.setFloat("repeat_action_probability", 0.0)
        ale.setInt("max_num_frames_per_episode", 0)
        ale.setInt("frame_skip", settings.frame_skip)  # unheard once the game is loaded
        rom = ale_py.roms.get_rom_path(game._game)
        assert rom is not None  # the game itself was loaded from it
        ale.loadROM(rom)
        if game._game_mode is not None:
            ale.setMode(game._game_mode)
        if game._game_difficulty is not None:
            ale.setDifficulty(game._game_difficulty)
        ale.reset_game()
        self.action_space = game.action_space
        self._codes = list(game._action_set)
        self._resized = resizing(settings)
        shape = SCREEN if settings.grayscale else (*SCREEN, 3)
        self._show = ale.getScreenGrayscale if settings.grayscale else ale.getScreenRGB
        self._raw = np.empty(shape, np.uint8)
        self.frames: tuple[NDArray[np.uint8], ...] = ()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        ale = self.ale
        reward = float(ale.act(self._codes[action]))
        self._show(self._raw)
        picture = self._resized(self._raw)
        picture.setflags(write=False)
        frames = (*self.frames[1:], picture)
        return frames, reward, ale.game_over(with_truncation=False), False, {}


class FrameByFrame(_Screens, Saved):
    """Any preprocessing, its random numbers included, at the speed of the environment itself."""

    def __init__(self, problem: Problem, bins: int, settings: AtariSettings) -> None:
        super().__init__(problem, bins)
        self.frames_per_step = settings.frame_skip
        simulator: Any = problem.unwrapped
        self.ale = simulator.ale

    @property
    def _screen(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        return screen_of(self.problem)

    @property
    def _in_colour(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        return in_colour(self.problem)


def in_colour(problem: Problem) -> NDArray[np.uint8] | None:
    """The screen of a running game, uint8 [210, 160, 3]; None: its state was put back."""
    game: Any = problem.unwrapped
    return None if problem.was_put_back else game.ale.getScreenRGB()
