"""A figure around its plots: legend above the axes, caption below, nothing over the data."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plotting import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN = 0.1  # inches around everything
POINTS_PER_INCH = 72


@dataclass(frozen=True, slots=True)
class Note:
    """A paragraph of the caption; what it is about stands before it in bold."""

    text: str
    about: str = ""


@contextmanager
def styled() -> Iterator[None]:
    """Our settings over matplotlib's own defaults, whatever the user's matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style.RC)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, as high as its plots; to be made and filled inside `styled`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def render(figure: Figure, suffix: str, dpi: int = style.STYLES["web"].dpi) -> bytes:
    """The figure as a file of this kind ("pdf", "png", "svg"); equal figures give equal bytes."""
    file = io.BytesIO()
    with styled():
        figure.savefig(file, format=suffix, dpi=dpi, metadata=style.METADATA[suffix])
    return file.getvalue()


def label_timesteps(
    axes: Axes, total_timesteps: int, width: float, name: str = "timesteps"
) -> None:
    """The horizontal axis of a curve, as many numbers as fit into `width` inches."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlabel(name)
    axes.set_xlim(0, total_timesteps)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=int(1.6 * width), steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda t, _: style.short_number(t, 1e3)))


def number_scores(axes: Axes) -> None:
    """Numbers on the vertical axis: all in thousands, or none."""
    from matplotlib.ticker import FuncFormatter

    thousands_from = 1e3 if max(map(abs, axes.get_ylim())) >= 1e4 else float("inf")
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: style.short_number(value, thousands_from))
    )


def add_texts(
    figure: Figure,
    title: str,
    handles: Sequence[Artist],
    labels: Sequence[str],
    notes: Sequence[Note],
) -> None:
    """Makes the figure higher by its legend and caption, so that the plots keep their height.

    Each of them may be empty.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + _add_legend(figure, title, handles, labels))
    caption_height = _add_caption(figure, notes)
    share = caption_height / figure.get_size_inches()[1]
    figure.set_layout_engine(
        ConstrainedLayoutEngine(w_pad=MARGIN, h_pad=MARGIN / 2, rect=(0, share, 1, 1 - share))
    )


def as_text(notes: Sequence[Note]) -> str:
    """The caption as a file of its own."""
    paragraphs = [f"{note.about}: {note.text}" if note.about else note.text for note in notes]
    return "\n\n".join(paragraphs) + "\n"


def label_directly(
    axes: Axes, ends: Sequence[tuple[float, str, str]], width: float, height: float
) -> bool:
    """Names lines at their right ends, where that leaves no name over another.

    Args:
        ends: of each line its last value, its colour and its name.
        width, height: of the plot, in inches.

    Returns:
        False where they do not fit and a legend is needed.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    measure = text_measure(figure, style.LEGEND_SIZE)
    widest = max((measure(name, False) for _, _, name in ends), default=math.inf)
    if widest > 0.25 * width * POINTS_PER_INCH or any(math.isnan(y) for y, _, _ in ends):
        return False
    low, high = axes.get_ylim()
    points = sorted((y - low) / (high - low) * 0.8 * height * POINTS_PER_INCH for y, _, _ in ends)
    if any(b - a < 1.2 * style.LEGEND_SIZE for a, b in itertools.pairwise(points)):
        return False
    for y, colour, name in ends:
        axes.annotate(
            name,
            (1.0, y),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=style.LEGEND_SIZE,
            annotation_clip=False,
        )
    return True


def _add_caption(figure: Figure, notes: Sequence[Note]) -> float:
    """Adds the caption below the figure as it is, and says how high it is in inches."""
    if not notes:
        return 0.0
    width, height = figure.get_size_inches()
    measure = text_measure(figure, style.CAPTION_SIZE)
    room = (width - 2 * MARGIN) * POINTS_PER_INCH
    paragraphs = [
        style.wrap(
            f"{note.about}: {note.text}" if note.about else note.text,
            room,
            measure,
            bold=len(style.words(note.about)),
        )
        for note in notes
    ]
    line_height = style.CAPTION_SIZE * style.LINE_SPACING / POINTS_PER_INCH
    gap = style.PARAGRAPH_GAP * line_height
    text_height = sum(map(len, paragraphs)) * line_height + (len(paragraphs) - 1) * gap
    top = text_height + MARGIN  # inches from the bottom
    total = height + top + MARGIN
    figure.set_size_inches(width, total)
    for paragraph in paragraphs:
        for line in paragraph:
            _write_line(figure, line, top / total, measure)
            top -= line_height
        top -= gap
    return float(total - height)


def _write_line(figure: Figure, line: style.Line, top: float, measure: style.Measure) -> None:
    width = figure.get_size_inches()[0] * POINTS_PER_INCH
    left = MARGIN * POINTS_PER_INCH
    for text, bold in line:
        weight = "bold" if bold else "normal"
        size = style.CAPTION_SIZE
        figure.text(left / width, top, text, size=size, weight=weight, va="top", gid="caption")
        left += measure(text, bold) + measure(" ", False)


def _add_legend(
    figure: Figure, title: str, handles: Sequence[Artist], labels: Sequence[str]
) -> float:
    """Above the axes, under the title, in as many columns as fit; says how high it is in inches."""
    if not labels and not title:
        return 0.0
    room = figure.get_size_inches()[0] - 2 * MARGIN
    handle_length = 0.5  # inches, with its padding
    labels = [wrapped(figure, label, style.LEGEND_SIZE, room - handle_length) for label in labels]
    for columns in (4, 3, 2, 1):
        legend = figure.legend(
            handles,
            labels,
            loc="outside upper center",
            ncols=max(1, min(columns, len(labels))),
            title=wrapped(figure, title, style.TITLE_SIZE, room),
            title_fontsize=style.TITLE_SIZE,
        )
        extent = legend.get_window_extent()
        if columns == 1 or extent.width / figure.dpi <= room:
            break
        legend.remove()
    return float(extent.height / figure.dpi)


def wrapped(figure: Figure, text: str, size: float, width: float) -> str:
    """`text` in lines of at most `width` inches."""
    lines = style.wrap(text, width * POINTS_PER_INCH, text_measure(figure, size))
    return "\n".join(words for ((words, _),) in lines)


def text_measure(figure: Figure, size: float) -> style.Measure:
    """Widths of texts in points."""
    from matplotlib.font_manager import FontProperties

    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    scale = POINTS_PER_INCH / figure.dpi

    def width(text: str, bold: bool) -> float:
        font = FontProperties(family=style.FONT, size=size, weight="bold" if bold else "normal")
        return float(renderer.get_text_width_height_descent(text, font, False)[0]) * scale

    return width
