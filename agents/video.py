"""Videos, picture by picture; there is no file before they are finished.

An .mp4 needs PyAV (`pip install av`); a .gif needs nothing more, and is for short episodes.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agents.base import AgentRefused

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".mp4", ".gif")
COLOURS = 128  # of a gif


class VideoWriter(Protocol):
    """Takes pictures of one size, whose sides are even."""

    def add(self, frame: Image.Image) -> None:
        """One more picture."""
        ...

    def finish(self) -> None:
        """The file is there, if there was a picture."""
        ...

    def discard(self) -> None:
        """There will be no file."""
        ...


def open_video(path: Path, rate: float) -> VideoWriter:
    """A video of so many pictures a second.

    Args:
        path: .mp4 or .gif.

    Raises:
        AgentRefused: another kind of file, or PyAV is missing.
    """
    if path.suffix == ".gif":
        return _Gif(path, rate)
    if path.suffix == ".mp4":
        return _Mp4(path, rate)
    raise AgentRefused(f"{path} does not end in .mp4 or .gif: try {path.with_suffix('.mp4')}")


def _unfinished(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.part")


class _Gif:
    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, rate
        self._frames: list[Image.Image] = []

    def add(self, frame: Image.Image) -> None:
        from PIL import Image

        self._frames.append(frame.quantize(COLOURS, dither=Image.Dither.NONE))

    def finish(self) -> None:
        if not self._frames:
            return
        unfinished = _unfinished(self._path)
        first, *others = self._frames
        first.save(
            unfinished,
            "GIF",
            save_all=True,
            append_images=others,
            duration=round(1000 / self._rate),
            loop=0,
        )
        unfinished.replace(self._path)

    def discard(self) -> None:
        self._frames.clear()


class _Mp4:
    """H.264, as browsers and slides play it."""

    def __init__(self, path: Path, rate: float) -> None:
        try:
            import av
        except ImportError:
            raise AgentRefused(
                f"{path} needs PyAV, which is not installed: pip install av, or name a .gif"
            ) from None
        self._path, self._unfinished = path, _unfinished(path)
        self._container: Any = av.open(str(self._unfinished), "w", format="mp4")
        self._rate = Fraction(rate).limit_denominator(1000)
        self._stream: Any = None

    def add(self, frame: Image.Image) -> None:
        import av

        if self._stream is None:
            options = {"crf": "18", "preset": "veryfast"}
            self._stream = self._container.add_stream("libx264", rate=self._rate, options=options)
            self._stream.width, self._stream.height = frame.size
            self._stream.pix_fmt = "yuv420p"
        pixels: Any = av.VideoFrame
        for packet in self._stream.encode(pixels.from_image(frame)):
            self._container.mux(packet)

    def finish(self) -> None:
        if self._stream is None:
            self.discard()
            return
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()
        self._unfinished.replace(self._path)

    def discard(self) -> None:
        self._container.close()
        self._unfinished.unlink(missing_ok=True)
