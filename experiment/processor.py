"""One thread and one code path of matrix products: settings that numerical libraries read at start.

Imports none of them.
"""

from __future__ import annotations

import os
from pathlib import Path

#: Environment variables for the threads of numerical libraries.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_CODE_PATH = "MKL_CBWR"


def settle() -> None:
    """To be called before numpy or torch is imported; what the user has set stays as it is."""
    # networks here are small: more threads only get in each other's way, and in other runs'
    for variable in THREADS:
        os.environ.setdefault(variable, "1")
    # one path for every shape: a member's bits do not depend on its group
    os.environ.setdefault(_CODE_PATH, _widest_path())


def matrix_products() -> str:
    """The code path in use, for the record."""
    return os.environ.get(_CODE_PATH, "free")


def _widest_path() -> str:
    """AVX512 where MKL has it, on Intel's processors; it is up to 1.5 times as fast as AVX2."""
    try:
        described = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "AVX2"
    return "AVX512" if "GenuineIntel" in described and " avx512f" in described else "AVX2"
