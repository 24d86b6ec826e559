"""One thread, and matrix products that do not depend on where in memory their operands lie."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from experiment import processor

processor.settle()

import torch  # noqa: E402 - reads those settings
from arithmetics import ARITHMETICS, computing_with  # noqa: E402 - imports torch

torch.set_num_threads(1)


@pytest.fixture(params=ARITHMETICS)
def each_arithmetic(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs a test twice: as on the processor, and as on a GPU."""
    with computing_with(request.param):
        yield
