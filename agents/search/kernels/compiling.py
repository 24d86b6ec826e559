"""How the kernels of a search are compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

from agents.kept_kernels import kept

#: For kernels that only kernels call: without the way in from Python they compile in half the time.
INNER: dict[str, Any] = {
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
inner = njit(**INNER)


def entry(function: Callable[..., Any]) -> Any:
    """Compiles a kernel that Python calls, and keeps the result on disk."""
    return kept(function, _SEARCH, error_model="numpy", nogil=True)


_SEARCH = Path(__file__).resolve().parent.parent
