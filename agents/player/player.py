"""The loop: keys, steps, frames, recordings."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.player.frame import draw
from agents.player.keys import COMMANDS, HELP, VIEWING, ActionKeys, Command
from agents.player.recording import Recording
from agents.player.window import Screen
from agents.player.world import Moment, World

_PAGE = 10
_FASTER = 1.5


class Player:
    """Plays a world until it is left.

    Args:
        human: whether keys act, at the beginning; else the agent.
        rate: steps a second.
        side: height of a picture in pixels.
        video, arrays: what is recorded from the beginning on; `,` begins other files beside these.
        alone: nobody looks: it ends with the first episode.
        most: steps, after which it ends; None: it has no such end.
        say: takes a line for people.

    Attributes:
        steps: taken so far.
        moment: the present one.
    """

    def __init__(
        self,
        world: World,
        screen: Screen,
        *,
        human: bool = False,
        rate: float = 15.0,
        side: int = 256,
        video: Path | None = None,
        arrays: Path | None = None,
        alone: bool = False,
        most: int | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self._world, self._screen, self._rate, self._side = world, screen, rate, side
        self._human = human and world.action_space is not None
        self._video, self._arrays = video, arrays
        self._alone, self._most, self._say = alone, most, say
        self._keys = None if world.action_space is None else ActionKeys(world.action_space)
        self._paused = self._quits = self._one_step = False
        self._header = True
        self._recording: Recording | None = None
        self._recordings = 0
        self.steps = 0
        self.moment: Moment = world.reset()

    def play(self) -> None:
        """To the end."""
        if self._video is not None or self._arrays is not None:
            self._begin_recording(self._video, self._arrays)
        try:
            self._show()
            while not self._quits:
                self._round()
        finally:
            self._end_recording()
            self._screen.close()

    def _round(self) -> None:
        pressed, held, closed = self._screen.keys()
        self._quits = closed
        moved = False
        for key in pressed:
            command = self._command(key)
            if command is not None:
                moved |= self._obey(command)
        if self._quits:
            return
        goes = (not self._paused or self._one_step) and not self.moment.over and not moved
        self._one_step = False
        if goes:
            action: Any = None
            if self._human and self._keys is not None:
                action = self._keys.action(held)
            self.moment = self._world.step(action)
            self.steps += 1
        self._show(keep=goes)
        if (self._alone and self.moment.over) or self.steps == self._most:
            self._quits = True

    def _command(self, key: str) -> Command | None:
        if self._keys is None and key in VIEWING:
            return VIEWING[key]
        return COMMANDS.get(key)

    def _obey(self, command: Command) -> bool:
        """Returns whether it led somewhere else."""
        match command:
            case "quit":
                self._quits = True
            case "pause":
                self._paused = not self._paused
            case "one_step":
                self._paused = self._one_step = True
            case "header":
                self._header = not self._header
            case "switch":
                able = self._world.has_agent and self._keys is not None
                self._human = self._human != able
            case "faster":
                self._rate *= _FASTER
            case "slower":
                self._rate /= _FASTER
            case "record":
                if self._recording is not None:
                    self._end_recording()
                else:
                    self._begin_recording(*self._new_files())
            case "reset":
                self.moment = self._world.reset()
                return True
            case _:
                return self._move(command)
        return False

    def _move(self, command: Command) -> bool:
        steps = {"next": 1, "previous": -1, "forwards": _PAGE, "backwards": -_PAGE}
        episodes = {"next_episode": 1, "previous_episode": -1}
        moment = self._world.move(steps.get(command, 0), episodes.get(command, 0))
        if moment is None:
            return False
        self.moment, self._paused = moment, True
        return True

    def _show(self, *, keep: bool = True) -> None:
        header = ""
        if self._header:
            header = "human   " if self._human else ""
            header += "paused   " if self._paused else ""
            header += HELP
        frame = draw(self.moment, self._side, header, recording=self._recording is not None)
        if self._recording is not None and keep:
            self._recording.add(frame, self.moment, self._world.last())
        self._screen.show(frame, self._rate)

    def _new_files(self) -> tuple[Path, Path]:
        self._recordings += 1
        stem = self._video or self._arrays or Path("recording.mp4")
        name = f"{stem.stem}_{self._recordings}"
        suffix = ".mp4" if importlib.util.find_spec("av") else ".gif"
        return stem.with_name(name + suffix), stem.with_name(f"{name}.npz")

    def _begin_recording(self, video: Path | None, arrays: Path | None) -> None:
        self._recording = Recording(video, arrays, self._rate)
        self._say(f"records {' and '.join(str(path) for path in (video, arrays) if path)}")

    def _end_recording(self) -> None:
        if self._recording is not None:
            self._recording.finish()
            self._recording = None
