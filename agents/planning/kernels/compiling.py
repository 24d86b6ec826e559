"""How the kernels of planning are compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from agents.kept_kernels import kept

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(function: Kernel) -> Kernel:
    """Compiles a kernel, which kernels and Python call, and keeps the result on disk
    until a file of this folder changes."""
    return cast(Kernel, kept(function, Path(__file__).parent))
