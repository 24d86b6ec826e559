"""CPU-seconds of an update of IRIS's three networks at published sizes, in either precision.

    python benchmarks/training_precision.py [--repeats 3] [--share 16]

A batch is that of the published settings over `--share`; seconds are told of the whole one.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from gymnasium.spaces import Box
from imagination_work import ACTIONS, SIDE, TOKENS, VOCABULARY

from agents.iris.imagination import Starts
from agents.iris.learning import Batch, Learner, Observed, Part
from agents.iris.settings import IrisSettings, Precision
from agents.iris.world_models.interface import Segments


def batches(settings: IrisSettings, share: int) -> dict[Part, Batch]:
    """Random ones, of that share of the sizes."""
    draws = torch.Generator().manual_seed(0)

    def drawn(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(high, shape, generator=draws)

    frames = drawn(256, settings.tokenizer_batch_size // share, SIDE, SIDE, 3).to(torch.uint8)
    rows, steps = settings.world_model_batch_size // share, settings.sequence_length
    there = torch.ones(rows, steps, dtype=torch.bool)
    segments = Segments(
        drawn(VOCABULARY, rows, steps, TOKENS),
        drawn(ACTIONS, rows, steps),
        drawn(2, rows, steps).float(),
        ~there,
        there,
    )
    count, before = settings.actor_critic_batch_size // share, settings.actor_critic_burn_in + 1
    seen = torch.ones(count, before, dtype=torch.bool)
    return {
        "tokenizer": Observed(frames, None),
        "world_model": segments,
        "actor_critic": Starts(drawn(VOCABULARY, count, before, TOKENS), seen, None),
    }


def measured(
    precision: Precision, imagined: Precision, share: int, repeats: int
) -> dict[Part, float]:
    """CPU-seconds of whole updates: the least of `repeats`, after one that is not counted."""
    settings = IrisSettings(training_precision=precision, imagination_precision=imagined)
    nobody: Any = None
    learner = Learner(
        settings,
        Box(0, 255, (SIDE, SIDE, 3), np.uint8),
        ACTIONS,
        nobody,
        torch.Generator().manual_seed(0),
        torch.device("cpu"),
    )
    found: dict[Part, float] = {}
    for part, batch in batches(settings, share).items():
        spent = []
        for _ in range(1 + repeats):
            began = time.process_time()
            learner.update(part, [batch], torch.Generator().manual_seed(1))
            spent.append(time.process_time() - began)
        found[part] = share * min(spent[1:])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--share", type=int, default=16)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for precision in ("float32", "bfloat16"):
        for imagined in ("float32", "bfloat16"):
            found = measured(precision, imagined, given.share, given.repeats)
            told = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in found.items())
            print(f"training {precision}, imagination {imagined}: {told}", flush=True)


if __name__ == "__main__":
    main()
