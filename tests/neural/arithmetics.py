"""The compiled arithmetic and torch's, both on the processor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from numba.core.dispatcher import Dispatcher

from agents.neural import adam, arithmetic, compiled, critics, replay, wide
from agents.neural.policies import squashed_gaussian

ARITHMETICS = ("compiled", "torch")
_COMPILING = (adam, compiled, critics, replay, wide, squashed_gaussian)


def other_than(which: str) -> str:
    """The other one."""
    (other,) = (one for one in ARITHMETICS if one != which)
    return other


@contextmanager
def computing_with(which: str) -> Iterator[None]:
    """What is built within computes so. With torch, compiled functions refuse to be called."""
    with pytest.MonkeyPatch.context() as patch:
        if which == "torch":
            patch.setattr(arithmetic, "is_compiled", lambda device: False)
            for module in _COMPILING:
                for name, value in list(vars(module).items()):
                    if isinstance(value, Dispatcher):
                        patch.setattr(module, name, _refuse)
        yield


def assert_agree(computation: Callable[[], Any], *, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Whether the arrays that it returns, nested as they may be, are equal up to rounding."""
    results = []
    for which in ARITHMETICS:
        with computing_with(which):
            results.append(computation())
    torch.testing.assert_close(results[1], results[0], rtol=rtol, atol=atol)


def _refuse(*_: Any) -> None:
    raise AssertionError("compiled arithmetic, where torch's was asked for")
