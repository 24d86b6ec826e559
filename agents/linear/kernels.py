"""The inner loops of the linear agents: Python as it stands, or compiled by numba where that pays.

Loading numba takes longer than a short run. Both forms give the same bits: a kernel does scalar
arithmetic in a fixed order, and `math` is the C library's in both.
"""

from __future__ import annotations

import functools
import os
import sys
from collections import defaultdict
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar, cast

import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])

#: Numbers that plain kernels get through while numba and what it has compiled before are loaded.
_WORTH_LOADING = 2e6

_kernels: set[Any] = set()
#: So far, by process: those that are forked begin anew.
_work: defaultdict[int, float] = defaultdict(float)


def kernel(function: Function) -> Function:
    """Marks a function that may be compiled, and that kernels may call."""
    _kernels.add(function)
    return function


def form_for(work: float) -> Callable[[Function], Function]:
    """`compiled` or `plain`: what is quicker for kernels that touch so many numbers."""
    pid = os.getpid()
    _work[pid] += work
    return compiled if _work[pid] > _WORTH_LOADING or "numba" in sys.modules else plain


@functools.cache
def compiled(function: Function) -> Function:
    """The kernel, and those that it calls, as numba compiles them."""
    from numba import njit

    names = function.__globals__
    called = {
        name: compiled(names[name])
        for name in function.__code__.co_names
        if isinstance(names.get(name), FunctionType) and names[name] in _kernels
    }
    copy: Any = FunctionType(function.__code__, names | called, function.__name__)
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return cast(Function, njit(cache=True, error_model="numpy")(copy))


def plain(function: Function) -> Function:
    """The kernel as it stands, with C's arithmetic: nothing overflows with a warning."""

    @functools.wraps(function)
    def run(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*map(_with_attributes, arguments))

    return cast(Function, run)


def _with_attributes(value: Any) -> Any:
    """Records whose fields are attributes, as they are to numba."""
    has_fields = isinstance(value, np.ndarray) and value.dtype.names
    return value.view(np.recarray) if has_fields else value
