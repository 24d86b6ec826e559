"""One thread, and matrix products that do not depend on where in memory their operands lie."""

from __future__ import annotations

import os

os.environ.setdefault("MKL_CBWR", "AVX2")

import torch

torch.set_num_threads(1)
