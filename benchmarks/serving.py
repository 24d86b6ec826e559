"""How a side of a benchmark does what it is asked to.

Runs under any side's Python, so it needs nothing but the standard library.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

#: Does a piece of work, once more each time, and returns how much of it.
Work = Callable[[], float]


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
