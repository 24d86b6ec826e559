"""A played episode as a video: what the planner saw, and beside it what it thought.

An .mp4 needs PyAV (`pip install av`); a .gif needs nothing more, and is for short episodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agents.planning.episode_frame import FrameStyle, draw_frame
from agents.video import open_video

if TYPE_CHECKING:
    from agents.planning.planner import Decision


class EpisodeVideo:
    """Writes the file when it is closed, and none when it is left by an error::

        with EpisodeVideo(path, simulator.action_names) as video:
            video.add(picture, decision, episode_return=0.0)

    Args:
        path: .mp4 or .gif.
        actions: their names.
        title: above the statistics.
        rate: decisions a second.

    Raises:
        AgentRefused: another kind of file, or PyAV is missing.
    """

    def __init__(
        self, path: Path, actions: Sequence[str], *, title: str = "", rate: float = 6.0
    ) -> None:
        self._writer = open_video(path, rate)
        self._style = FrameStyle(tuple(actions), title)
        self.decisions = 0

    def add(
        self,
        picture: NDArray[np.uint8],
        decision: Decision | None = None,
        *,
        episode_return: float,
        guide: NDArray[np.float64] | None = None,
    ) -> None:
        """One more moment of the episode.

        Args:
            picture: [H, W, 3] of the state.
            decision: taken there; None where the episode is over.
            episode_return: sum of the rewards up to there.
            guide: [A] the guiding policy's probabilities there.
        """
        self._writer.add(
            draw_frame(self._style, picture, decision, self.decisions, episode_return, guide)
        )
        self.decisions += decision is not None

    def close(self) -> None:
        self._writer.finish()

    def __enter__(self) -> EpisodeVideo:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._writer.discard()
