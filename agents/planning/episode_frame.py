"""One frame of an episode's video: the state, and beside it the decision taken there."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

    from agents.planning.planner import Decision

PICTURE, LARGEST = 420, 640  # pixels of the longer side: about, and at most
PANEL, MARGIN, LINE = 380, 18, 22
MOST_ACTIONS = 18  # rows: the best are shown where there are more
BACKGROUND, INK, QUIET, RULE = "#15191e", "#e9ebee", "#a7b0bb", "#343b44"
CHOSEN, POLICY, GUIDE = "#7cc4f0", "#1fbf8f", "#8b949f"
NAMES, NUMBERS, BARS = 112, 60, 144  # widths of the columns


class FrameStyle(NamedTuple):
    """What all frames of a video have in common."""

    actions: tuple[str, ...]
    title: str


def draw_frame(
    style: FrameStyle,
    picture: NDArray[np.uint8],
    decision: Decision | None,
    number: int,
    episode_return: float,
    guide: NDArray[np.float64] | None = None,
) -> Image.Image:
    """Every frame of an episode has the same size, whose sides are even, as video asks.

    Args:
        picture: [H, W, 3]; small ones are shown larger, in whole pixels, large ones smaller.
        decision: None where the episode is over.
        number: of decisions before this one.
        guide: [A] the guiding policy's probabilities, where there is one.
    """
    from PIL import Image, ImageDraw

    state = _sized(picture)
    rows = min(len(style.actions), MOST_ACTIONS) + (len(style.actions) > MOST_ACTIONS)
    height = max(state.height, 2 * MARGIN + (7 + rows) * LINE)
    size = state.width + PANEL, height
    frame = Image.new("RGB", (size[0] + size[0] % 2, size[1] + size[1] % 2), BACKGROUND)
    frame.paste(state, (0, (height - state.height) // 2))
    pen = ImageDraw.Draw(frame)
    left, y = state.width + MARGIN, MARGIN
    _text(pen, (left, y), style.title, INK, size=14)
    y += LINE + 6
    if decision is None:
        _text(pen, (left, y), f"the end, after {number} decisions", INK)
    else:
        _text(pen, (left, y), f"decision {number + 1}", INK)
    _text(pen, (left + PANEL - 2 * MARGIN, y), f"return {_number(episode_return)}", INK, "ra")
    y += LINE
    if decision is None:
        return frame
    for line in _statistics(decision):
        _text(pen, (left, y), line, QUIET)
        y += LINE
    y += 6
    _table(pen, style.actions, decision, guide, left, y)
    return frame


def _sized(picture: NDArray[np.uint8]) -> Image.Image:
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(picture))
    longer = max(image.size)
    if longer > LARGEST:
        image.thumbnail((LARGEST, LARGEST))
        return image
    times = max(1, round(PICTURE / longer))
    return image.resize(
        (times * image.width, times * image.height), resample=Image.Resampling.NEAREST
    )


def _statistics(decision: Decision) -> list[str]:
    found = decision.statistics
    solved = ", nothing left to search" if found.solved else ""
    return [
        f"{found.generated} new nodes, {found.cached} kept, {found.pruned} pruned",
        f"depth {found.max_depth}, mean {_number(found.mean_depth)}{solved}",
    ]


def _table(
    pen: ImageDraw.ImageDraw,
    actions: tuple[str, ...],
    decision: Decision,
    guide: NDArray[np.float64] | None,
    left: int,
    y: int,
) -> None:
    """A row an action: Q, and bars for the policy, and for the guide below it."""
    columns = left, left + NAMES + NUMBERS, left + NAMES + NUMBERS + 14
    _text(pen, (columns[1], y), "Q", QUIET, "ra")
    _text(pen, (columns[2], y), "policy" + ("" if guide is None else ", guide"), QUIET)
    y += LINE
    pen.line((left, y - 3, left + PANEL - 2 * MARGIN, y - 3), RULE)
    for action in _shown(decision):
        taken = action == decision.action
        colour = CHOSEN if taken else INK
        _text(pen, (columns[0], y), _short(pen, actions[action], taken), colour)
        q = decision.q[action]
        _text(pen, (columns[1], y), _number(q) if np.isfinite(q) else "–", colour, "ra")
        policy = BARS * float(decision.policy[action])
        pen.rectangle((columns[2], y + 3, columns[2] + BARS, y + LINE - 9), outline=RULE)
        if policy >= 0.5:
            pen.rectangle(
                (columns[2], y + 3, columns[2] + policy, y + LINE - 9),
                fill=CHOSEN if taken else POLICY,
            )
        if guide is not None and math.isfinite(guide[action]):
            end = columns[2] + BARS * float(guide[action])
            pen.rectangle((columns[2], y + LINE - 7, end, y + LINE - 5), fill=GUIDE)
        y += LINE
    more = len(actions) - MOST_ACTIONS
    if more > 0:
        _text(pen, (left, y), f"and {more} more of lower Q", QUIET)


def _shown(decision: Decision) -> list[int]:
    """All actions in their order, or of many the chosen one and the best."""
    count = len(decision.q)
    if count <= MOST_ACTIONS:
        return list(range(count))
    best = [int(k) for k in np.argsort(-decision.q, kind="stable") if k != decision.action]
    return sorted([decision.action, *best[: MOST_ACTIONS - 1]])


def _number(value: float) -> str:
    return f"{value + 0.0:.4g}".replace("-", "\N{MINUS SIGN}")


def _short(pen: ImageDraw.ImageDraw, name: str, taken: bool) -> str:
    text = ("→ " if taken else "") + name
    while len(text) > 3 and pen.textlength(text, _font(13)) > NAMES - 4:
        text = text[:-2] + "…"
    return text


def _text(
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    colour: str,
    anchor: str = "la",
    size: int = 13,
) -> None:
    pen.text(at, text, fill=colour, font=_font(size), anchor=anchor)


@functools.cache
def _font(size: int) -> Any:
    """That of the figures, which comes with matplotlib: the same on every machine."""
    from pathlib import Path

    import matplotlib
    from PIL import ImageFont

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size)
