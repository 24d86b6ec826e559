"""How figures look: palette, typography, number format, and text that fits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

#: Okabe and Ito's palette, told apart by colour-blind readers; its yellow is too faint for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
REFERENCE = "#666666"  # of what others report
GREY = "#707070"  # of what stands back
ALARM = "#B00020"  # of what diverged
MAP = "viridis"  # of scores: as bright as they are high, also in grey
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)))  # beyond the palette, the same colours dashed

SCORE_LABELS = {
    "train": "training return",
    "eval": "evaluation return",
    "reward": "reward per step",
}

FONT = "DejaVu Sans"  # comes with matplotlib: the same figure on every machine
TITLE_SIZE = 10.0  # points, as all sizes
LEGEND_SIZE = 8.0
CAPTION_SIZE = 7.0
LABEL_SIZE = 9.0
TICK_SIZE = 8.0
LONGEST_TICK = 12  # characters
LINE_SPACING = 1.35  # in sizes
PARAGRAPH_GAP = 0.35  # in lines

RC: dict[RcKeyType, Any] = {
    "font.family": FONT,
    "font.size": 9,
    "axes.labelsize": LABEL_SIZE,
    "xtick.labelsize": TICK_SIZE,
    "ytick.labelsize": TICK_SIZE,
    "legend.fontsize": LEGEND_SIZE,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "text.parse_math": False,  # a name may hold a $
    "pdf.fonttype": 42,  # embedded TrueType, as journals ask
    "svg.hashsalt": "rl-sweep",  # the same element names every time
    "figure.dpi": 200,
    "text.hinting": "none",  # else widths would differ between what is measured and what is drawn
}


@dataclass(frozen=True, slots=True)
class Style:
    """Where a figure is for: inches of its plot, and whether its caption is part of it.

    Letters have the same size everywhere, so a narrower plot is one that is shown larger.
    panels_width: of a figure of panels; None for as many side by side as there are, up to 4.
    """

    width: float
    height: float
    dpi: int
    caption: bool = True
    panels_width: float | None = None


#: paper: a column of a page, unscaled; talk: half a slide or all of it; web: a page to scroll.
STYLES = {
    "paper": Style(3.4, 2.2, 300, panels_width=3.4),
    "talk": Style(4.0, 2.5, 300, caption=False, panels_width=5.2),
    "web": Style(5.0, 2.8, 200),
}

#: Per format: leave the date out, so that equal figures are equal files.
METADATA: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None},
    "png": {},
    "svg": {"Date": None},
}

#: The width of a text, given whether it is bold.
Measure = Callable[[str, bool], float]
#: Stretches of words, each with whether it is bold.
Line = list[tuple[str, bool]]


def colour(position: int) -> tuple[str, Any]:
    """(colour, line style) of the experiment at this position."""
    return PALETTE[position % len(PALETTE)], DASHES[position // len(PALETTE) % len(DASHES)]


def short_number(value: float, thousands_from: float) -> str:
    """100000 as 100k, 1500000 as 1.5M; below `thousands_from` as it is."""
    for size, unit, least in ((1e9, "G", 1e9), (1e6, "M", 1e6), (1e3, "k", thousands_from)):
        if abs(value) >= least:
            return f"{value / size:.6g}{unit}".replace("-", "\N{MINUS SIGN}")
    return f"{value + 0.0:.6g}".replace("-", "\N{MINUS SIGN}")  # + 0.0: no "-0"


def value_text(value: Any) -> str:
    """A hyperparameter's value at its tick: short numbers, lists without brackets."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _shortened(_plain_text(value))
    if 0 < abs(value) < 1e-3:
        mantissa, exponent = f"{value:.5e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}".replace("-", "\N{MINUS SIGN}")
    return short_number(value, 1e4)


def _plain_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(value_text, value))
    return value if isinstance(value, str) else json.dumps(value)


def _shortened(text: str) -> str:
    """Both ends of a long text."""
    half = LONGEST_TICK // 2
    return text if len(text) <= LONGEST_TICK else f"{text[:half]}\u2026{text[1 - half :]}"


def words(text: str) -> list[str]:
    """What a line may be broken between: a no-break space does not separate words."""
    return re.findall(r"[^ \t\n]+", text)


def wrap(text: str, width: float, measure: Measure, bold: int = 0) -> list[Line]:
    """Breaks `text` into lines no wider than `width`, in whatever unit `measure` has.

    The first `bold` words are bold. A word that is wider than a line is broken inside.
    """
    lines: list[Line] = [[]]
    for position, word in enumerate(words(text)):
        is_bold = position < bold
        for piece in _fitting_pieces(word, width, measure, is_bold):
            longer = _add_word(lines[-1], piece, is_bold)
            if lines[-1] and _line_width(longer, measure) > width:
                longer = [(piece, is_bold)]
                lines.append(longer)
            lines[-1] = longer
    return [line for line in lines if line]


def _add_word(line: Line, word: str, bold: bool) -> Line:
    if line and line[-1][1] == bold:
        return [*line[:-1], (f"{line[-1][0]} {word}", bold)]
    return [*line, (word, bold)]


def _line_width(line: Line, measure: Measure) -> float:
    gaps = (len(line) - 1) * measure(" ", False)
    return gaps + sum(measure(words, bold) for words, bold in line)


def _fitting_pieces(word: str, width: float, measure: Measure, bold: bool) -> list[str]:
    pieces = []
    while len(word) > 1 and measure(word, bold) > width:
        cut = len(word) - 1
        while cut > 1 and measure(word[:cut], bold) > width:
            cut -= 1
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word]


def rounded(value: float, span: float) -> str:
    """A score to three digits of the range that it stands in."""
    digits = max(0, 2 - math.floor(math.log10(span))) if span > 0 else 3
    if abs(value) >= 1e4:
        return short_number(float(f"{value:.3g}"), 1e3)
    return f"{value:.{min(digits, 6)}f}".replace("-", "\N{MINUS SIGN}")
