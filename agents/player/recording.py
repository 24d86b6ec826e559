"""What was played, as a video and as arrays, to be looked at again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agents.base import AgentRefused
from agents.player.world import Moment, Panel
from agents.video import VideoWriter, open_video

_KEPT = ("rewards", "totals", "steps", "over")


class Recording:
    """Frames and moments from a beginning on; `finish` writes the files.

    Args:
        video: .mp4 or .gif, or None.
        arrays: .npz, or None: pictures of each panel "panel.NAME" [T, H, W, 3], rewards, totals,
            steps and over [T], and what the world adds.
    """

    def __init__(self, video: Path | None, arrays: Path | None, rate: float) -> None:
        self._writer: VideoWriter | None = None if video is None else open_video(video, rate)
        self._path = arrays
        self._moments: list[Moment] = []
        self._added: list[dict[str, NDArray[Any]]] = []

    def add(self, frame: Image.Image, moment: Moment, added: dict[str, NDArray[Any]]) -> None:
        """One more."""
        if self._writer is not None:
            self._writer.add(frame)
        if self._path is not None:
            self._moments.append(moment)
            self._added.append(added)

    def finish(self) -> None:
        """Writes what there is."""
        if self._writer is not None:
            self._writer.finish()
        if self._path is None or not self._moments:
            return
        moments = self._moments
        arrays: dict[str, Any] = {
            "rewards": [moment.reward for moment in moments],
            "totals": [moment.total for moment in moments],
            "steps": [moment.steps for moment in moments],
            "over": [moment.over for moment in moments],
        }
        for place, panel in enumerate(moments[0].panels):
            arrays[f"panel.{panel.name}"] = [m.panels[place].picture for m in moments]
        for name in self._added[0]:
            arrays[name] = [added[name] for added in self._added]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_name(f".{self._path.name}.part")
        with unfinished.open("wb") as file:
            write: Any = np.savez_compressed
            write(file, **{name: np.array(many) for name, many in arrays.items()})
        unfinished.replace(self._path)


class Recorded:
    """Recordings as a world to look through: see `agents.player.world.World`.

    Raises:
        AgentRefused: a file is no recording.
    """

    action_space = None
    has_agent = True

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._episode = self._place = 0
        self._load()

    def _load(self) -> None:
        path = self._paths[self._episode]
        try:
            with np.load(path) as file:
                arrays = {name: file[name] for name in file}
            self._panels = {n[6:]: a for n, a in arrays.items() if n.startswith("panel.")}
            self._facts = [arrays[name] for name in _KEPT]
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise AgentRefused(f"{path} is no recording: {error}") from None

    def reset(self) -> Moment:
        """From the beginning of the recording."""
        self._place = 0
        return self._moment()

    def step(self, action: Any | None) -> Moment:
        """One place on, up to the end."""
        self._place = min(self._place + 1, len(self._facts[0]) - 1)
        return self._moment()

    def move(self, steps: int, episodes: int) -> Moment | None:
        """To another place, or to the beginning of another recording."""
        if episodes:
            self._episode = (self._episode + episodes) % len(self._paths)
            self._load()
            self._place = 0
        self._place = int(np.clip(self._place + steps, 0, len(self._facts[0]) - 1))
        return self._moment()

    def _moment(self) -> Moment:
        reward, total, steps, _ = (array[self._place] for array in self._facts)
        panels = tuple(Panel(name, many[self._place]) for name, many in self._panels.items())
        note = f"{self._paths[self._episode].name}, {self._place + 1} of {len(self._facts[0])}"
        last = self._place == len(self._facts[0]) - 1
        return Moment(panels, float(reward), float(total), int(steps), last, note)

    def last(self) -> dict[str, NDArray[Any]]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """Nothing is open."""
