"""Draws summaries: legend above the axes, caption below, nothing over the data."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from plotting import style
from plotting.caption import drawn_seed_lines, experiment_note, general_note
from plotting.summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Y_LABELS = {"train": "training return", "eval": "evaluation return", "reward": "reward per step"}
_MARGIN = 0.1  # inches around everything
_POINTS_PER_INCH = 72


def draw(
    summaries: Sequence[Summary], title: str, width: float = 5.0, height: float = 2.8
) -> Figure:
    """The figure of some experiments: `height` inches of plot, and what legend and caption need."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for position, summary in enumerate(summaries):
            _draw_experiment(axes, summary, *style.colour(position))
        _label_axes(axes, summaries, width)
        _add_texts(figure, summaries, title)
        return figure


def render(figure: Figure, suffix: str) -> bytes:
    """The figure as a file of this kind ("pdf", "png", "svg"); equal figures give equal bytes."""
    file = io.BytesIO()
    with _style():
        figure.savefig(file, format=suffix, metadata=style.METADATA[suffix])
    return file.getvalue()


@contextmanager
def _style() -> Iterator[None]:
    """Our settings over matplotlib's own defaults, whatever the user's matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style.RC)
        yield


def _draw_experiment(axes: Axes, summary: Summary, colour: str, dashes: Any) -> None:
    several = len(summary.seeds) > 1
    if several:
        lines = drawn_seed_lines(summary)
        faint = 0.35 if len(lines) <= 10 else 0.2
        for position in lines:
            curve = summary.seeds[position].curve
            axes.plot(curve.timestep, curve.value, color=colour, linewidth=0.5, alpha=faint)
        axes.fill_between(
            summary.timestep, summary.low, summary.high, color=colour, alpha=0.22, linewidth=0
        )
    axes.plot(
        summary.timestep,
        summary.mean,
        color=colour,
        linestyle=dashes,
        linewidth=1.6,
        label=summary.label,
        # a line needs two points to be seen
        marker="o" if len(summary.timestep) == 1 else "",
        markersize=4,
        zorder=3,
    )


def _label_axes(axes: Axes, summaries: Sequence[Summary], width: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlabel("timesteps")
    axes.set_ylabel(Y_LABELS[summaries[0].metric.kind])
    axes.set_xlim(0, max(each.total_timesteps for each in summaries))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=int(1.6 * width), steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda t, _: style.short_number(t, 1e3)))
    # all in thousands, or none
    thousands_from = 1e3 if max(map(abs, axes.get_ylim())) >= 1e4 else float("inf")
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: style.short_number(value, thousands_from))
    )


def _add_texts(figure: Figure, summaries: Sequence[Summary], title: str) -> None:
    """Makes the figure higher by its legend and its caption, so that the plot keeps its height."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + _add_legend(figure, title))
    caption_height = _add_caption(figure, summaries)
    share = caption_height / figure.get_size_inches()[1]
    figure.set_layout_engine(
        ConstrainedLayoutEngine(w_pad=_MARGIN, h_pad=_MARGIN / 2, rect=(0, share, 1, 1 - share))
    )


def _add_caption(figure: Figure, summaries: Sequence[Summary]) -> float:
    """Adds the caption below the figure as it is, and says how high it is in inches."""
    width, height = figure.get_size_inches()
    measure = _measure(figure, style.CAPTION_SIZE)
    room = (width - 2 * _MARGIN) * _POINTS_PER_INCH
    paragraphs = [style.wrap(note, room, measure, bold) for note, bold in _notes(summaries)]
    line_height = style.CAPTION_SIZE * style.LINE_SPACING / _POINTS_PER_INCH
    gap = style.PARAGRAPH_GAP * line_height
    text_height = sum(map(len, paragraphs)) * line_height + (len(paragraphs) - 1) * gap
    top = text_height + _MARGIN  # inches from the bottom
    total = height + top + _MARGIN
    figure.set_size_inches(width, total)
    for paragraph in paragraphs:
        for line in paragraph:
            _write_line(figure, line, top / total, measure)
            top -= line_height
        top -= gap
    return float(total - height)


def _notes(summaries: Sequence[Summary]) -> Iterator[tuple[str, int]]:
    """(paragraph, how many of its first words are bold)."""
    for summary in summaries:
        yield f"{summary.label}: {experiment_note(summary)}", len(style.words(summary.label))
    yield general_note(summaries), 0


def _write_line(figure: Figure, line: style.Line, top: float, measure: style.Measure) -> None:
    width = figure.get_size_inches()[0] * _POINTS_PER_INCH
    left = _MARGIN * _POINTS_PER_INCH
    for text, bold in line:
        weight = "bold" if bold else "normal"
        size = style.CAPTION_SIZE
        figure.text(left / width, top, text, size=size, weight=weight, va="top", gid="caption")
        left += measure(text, bold) + measure(" ", False)


def _add_legend(figure: Figure, title: str) -> float:
    """Above the axes, under the title, in as many columns as fit; says how high it is in inches."""
    room = figure.get_size_inches()[0] - 2 * _MARGIN
    handles, labels = figure.axes[0].get_legend_handles_labels()
    handle_length = 0.5  # inches, with its padding
    labels = [_wrapped(figure, label, style.LEGEND_SIZE, room - handle_length) for label in labels]
    for columns in (4, 3, 2, 1):
        legend = figure.legend(
            handles,
            labels,
            loc="outside upper center",
            ncols=min(columns, len(labels)),
            title=_wrapped(figure, title, style.TITLE_SIZE, room),
            title_fontsize=style.TITLE_SIZE,
        )
        extent = legend.get_window_extent()
        if columns == 1 or extent.width / figure.dpi <= room:
            break
        legend.remove()
    return float(extent.height / figure.dpi)


def _wrapped(figure: Figure, text: str, size: float, width: float) -> str:
    """`text` in lines of at most `width` inches."""
    lines = style.wrap(text, width * _POINTS_PER_INCH, _measure(figure, size))
    return "\n".join(words for ((words, _),) in lines)


def _measure(figure: Figure, size: float) -> style.Measure:
    """Widths of texts in points."""
    from matplotlib.font_manager import FontProperties

    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    scale = _POINTS_PER_INCH / figure.dpi

    def width(text: str, bold: bool) -> float:
        font = FontProperties(family=style.FONT, size=size, weight="bold" if bold else "normal")
        return float(renderer.get_text_width_height_descent(text, font, False)[0]) * scale

    return width
