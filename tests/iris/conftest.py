"""One thread, and matrix products that do not depend on where in memory their operands lie."""

from experiment import processor

processor.settle()

import torch  # noqa: E402 - reads those settings

torch.set_num_threads(1)
