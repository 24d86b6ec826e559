"""What both sides of `world_models.py` share: sizes, and how a side does what it is asked to.

Runs under either side's Python, so it needs nothing but the standard library.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

#: Does a piece of work, once more each time, and returns how much of it.
Work = Callable[[], float]

SIDE, LATENTS, ACTIONS = 64, 32, 3
HIDDEN, MIXTURES = 256, 5
BATCH = 100
#: Rollouts of a collection, and steps of one.
COLLECTED, STEPS = 2, 250
#: Steps of a rollout that is read.
READ_STEPS = 500
#: Data sets by the number of their rollouts. The peer keeps 16 rollouts in memory.
FEW, MANY = 16, 64
BATCHES, UPDATES = 8, 4
#: Steps of a dream by the number of its members.
DREAMT = {1: 1000, 64: 200}
POPULATION, GENERATIONS = 16, 2
#: Steps of a candidate, in the dream and in the environment.
DREAM_STEPS, ENVIRONMENT_STEPS = 250, 30


def serve(begin: Callable[[str, Path], Work], versions: dict[str, str]) -> None:
    """Does work as it is asked for, a line of JSON each: {"work": name, "folder": path}.

    The answers are lines too: first the versions, then {"amount": of it, "seconds": of CPU time}.

    Args:
        begin: prepares the work of that name, which is not timed, in a folder.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print
    print(json.dumps(versions), file=answers, flush=True)
    ready: dict[str, Work] = {}
    for line in sys.stdin:
        request = json.loads(line)
        name = request["work"]
        if name not in ready:
            ready[name] = begin(name, Path(request["folder"]))
        started = time.process_time()
        amount = ready[name]()
        seconds = time.process_time() - started
        print(json.dumps({"amount": amount, "seconds": seconds}), file=answers, flush=True)
