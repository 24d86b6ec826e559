"""Which values of a hyperparameter get a label at their tick, so that no two overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plotting import style
from plotting.hyperparameters import MOST_CATEGORIES, Axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = 5.0  # points between two labels
_SLANT = 45.0  # degrees, of category labels that do not fit side by side


def set_scale(axes: Axes, axis: Axis) -> None:
    """The horizontal axis with room beside the outermost values, and as yet without labels."""
    from matplotlib.ticker import NullFormatter

    places = axis.places
    if axis.scale == "log":
        axes.set_xscale("log")
        room = (places[-1] / places[0]) ** 0.08
        axes.set_xlim(places[0] / room, places[-1] * room)
    elif axis.scale == "linear":
        room = 0.08 * (places[-1] - places[0])
        axes.set_xlim(places[0] - room, places[-1] + room)
    else:
        axes.set_xlim(-0.4, len(places) - 0.6)
    axes.xaxis.set_major_formatter(NullFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())


def label_values(axes: Axes, axis: Axis, first: int, width: float, measure: style.Measure) -> None:
    """Ticks at the values, on an axis that is `width` points wide.

    Where not all labels fit, value number `first` has one before the others, then powers of ten.
    Numbers that are too many for that are read off an ordinary axis.
    """
    from matplotlib.ticker import (
        FixedLocator,
        FuncFormatter,
        LogLocator,
        MaxNLocator,
    )

    if axis.scale != "category" and len(axis.values) > MOST_CATEGORIES:
        if axis.scale == "log":
            wide = axis.places[-1] >= 100 * axis.places[0]
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        else:
            axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.value_text(value)))
        return
    texts = [style.value_text(value) for value in axis.values]
    scaled = axes.transData.transform([(place, 0.0) for place in axis.places])[:, 0]
    left, right = axes.bbox.x0, axes.bbox.x1
    points = [float(width * (each - left) / (right - left)) for each in scaled]
    widths = [measure(text, False) for text in texts]
    order = sorted(range(len(texts)), key=lambda k: (k != first, not _is_power_of_ten(axis, k)))
    shown = fitting(points, widths, order)
    how: dict[str, Any] = {}
    if len(shown) < len(texts) and axis.scale == "category":
        height = style.TICK_SIZE / math.sin(math.radians(_SLANT))
        shown = fitting(points, [height - _GAP] * len(texts), order)
        how = {"rotation": _SLANT, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks([axis.places[k] for k in shown], [texts[k] for k in shown], **how)
    axes.xaxis.set_minor_locator(FixedLocator(axis.places))


def fitting(centres: Sequence[float], widths: Sequence[float], order: Sequence[int]) -> list[int]:
    """Which labels to show: in `order`, those that keep a gap to all that are shown already."""
    shown: list[int] = []
    for k in order:
        if all(abs(centres[k] - centres[o]) >= (widths[k] + widths[o]) / 2 + _GAP for o in shown):
            shown.append(k)
    return sorted(shown)


def _is_power_of_ten(axis: Axis, k: int) -> bool:
    if axis.scale != "log":
        return True
    exponent = math.log10(axis.places[k])
    return abs(exponent - round(exponent)) < 1e-9
