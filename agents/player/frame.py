"""The picture of a moment: panels side by side, and a line of text below and above."""

from __future__ import annotations

import functools
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from agents.player.world import Moment

_BACKGROUND, _INK, _RED = (24, 24, 28), (235, 235, 235), (230, 60, 60)
_GAP, _LINE = 8, 20


def draw(moment: Moment, side: int, header: str = "", *, recording: bool = False) -> Image.Image:
    """A frame whose sides are even; panels are `side` pixels high."""
    panels = []
    for panel in moment.panels:
        height, width = panel.picture.shape[:2]
        picture = Image.fromarray(panel.picture)
        wide = max(1, round(width * side / height))
        panels.append((panel.name, picture.resize((wide, side), Image.Resampling.NEAREST)))
    width = _GAP + sum(picture.width + _GAP for _, picture in panels)
    height = side + 3 * _LINE + 2 * _GAP
    frame = Image.new("RGB", (width + width % 2, height + height % 2), _BACKGROUND)
    ink, font = ImageDraw.Draw(frame), _font()
    x = _GAP
    for name, picture in panels:
        frame.paste(picture, (x, _LINE + _GAP))
        ink.text((x, _LINE + 2 * _GAP + side), name, _INK, font)
        x += picture.width + _GAP
    told = f"step {moment.steps}  reward {moment.reward:.3g}  return {moment.total:.4g}"
    told += "  over" * moment.over + f"  {moment.note}" * bool(moment.note)
    ink.text((_GAP, 4), told, _INK, font)
    ink.text((_GAP, 2 * _LINE + 2 * _GAP + side), header, _INK, font)
    if recording:
        ink.ellipse((frame.width - 18, 5, frame.width - 8, 15), _RED)
    return frame


@functools.cache
def _font() -> Any:
    return ImageFont.load_default(12)
