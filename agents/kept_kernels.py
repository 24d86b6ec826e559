"""Compiled kernels that are kept on disk, and when what numba has kept of them is out of date."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit


def kept(function: Callable[..., Any], folder: Path, **options: Any) -> Any:
    """`function`, compiled anew whenever a Python file in `folder`, at any depth, has changed.

    numba itself looks at the function's own file only, and sees no change of a kernel that it
    calls, or of a constant, elsewhere. It keeps things under the function's qualified name,
    however, so that says what is in the files.
    """
    function.__qualname__ += f"_{_content(folder)}"
    return njit(cache=True, **options)(function)


@functools.cache
def _content(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
