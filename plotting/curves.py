"""Curves for the eye: smoothed, and those of several runs on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from experiment.curves import Curve


def smoothed(curve: Curve, window: int) -> Curve:
    """Every value as the mean over the `window` timesteps that end with it; scores stay.

    Timesteps without a value do not count. A point before training stays as it is.
    """
    import numpy as np

    at = curve.timestep.astype(float)
    known = np.isfinite(curve.value)
    length = np.diff(np.concatenate(([0.0], at)))
    borders = np.concatenate(([0.0], at))
    start = np.maximum(at - window, 0.0)

    def gained(pieces: NDArray[np.float64]) -> NDArray[np.float64]:
        integral = np.concatenate(([0.0], np.cumsum(pieces)))
        gain: NDArray[np.float64] = np.interp(at, borders, integral) - np.interp(
            start, borders, integral
        )
        return gain

    covered = gained(np.where(known, length, 0.0))
    total = gained(np.where(known, curve.value, 0.0) * length)
    means = total / np.where(covered > 0, covered, np.nan)
    return replace(curve, value=np.where(at > 0, means, curve.value))


def stack(curves: Sequence[Curve]) -> tuple[NDArray[np.int64], NDArray[np.float64], bool]:
    """Curves of several runs on one timestep axis [B]: (timesteps, values [run, B], as measured).

    Runs that were measured at different timesteps are interpolated linearly, each inside its own
    range: the values are then those of the drawn lines, and `as measured` is False.
    """
    import numpy as np

    axis = curves[0].timestep
    if all(curve.timestep.size == axis.size for curve in curves):
        axes = np.stack([curve.timestep for curve in curves])
        if (axes == axis).all():
            return axis, np.stack([curve.value for curve in curves]), True
    axis = np.unique(np.concatenate([curve.timestep for curve in curves]))
    rows = [np.interp(axis, c.timestep, c.value, left=np.nan, right=np.nan) for c in curves]
    return axis, np.stack(rows), False
