"""How long stratified bootstrap intervals take, beside rliable in the same process.

    python benchmarks/inference_speed.py [--resamples 50000] [--repeats 3]

Scores of 10 runs on 5 tasks. Both ways run in turns on one thread, in a virtual environment of
their own in .venv-peers that has rliable and this project's numpy; without rliable this project's
way runs alone. CPU seconds of the process are counted, the least of the repeats is reported.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from plotting import aggregates

RUNS, TASKS = 10, 5
#: Name -> statistic, number of tables, share of the resamples: of the last, rliable's take long.
STATISTICS: dict[str, tuple[Callable[..., Any], int, float]] = {
    "interquartile mean": (aggregates.interquartile_mean, 1, 1.0),
    "optimality gap": (aggregates.optimality_gap, 1, 1.0),
    "probability of improvement": (aggregates.probability_of_improvement, 2, 0.04),
}
Way = Callable[[], Any]


def own_way(name: str, tables: list[Any], resamples: int) -> Way:
    """This project's: low and high."""
    statistic = STATISTICS[name][0]

    def run() -> Any:
        rng = np.random.default_rng(0)
        found = aggregates.stratified_interval(statistic, *tables, rng=rng, resamples=resamples)
        return found.low, found.high

    return run


def rliable_way(name: str, tables: list[Any], resamples: int) -> Way | None:
    """rliable's; None where it is not installed."""
    try:
        from rliable import library, metrics
    except ImportError:
        return None
    statistic = {
        "interquartile mean": metrics.aggregate_iqm,
        "optimality gap": metrics.aggregate_optimality_gap,
        "probability of improvement": metrics.probability_of_improvement,
    }[name]
    scores = {"": tables if len(tables) > 1 else tables[0]}

    def run() -> Any:
        np.random.seed(0)
        _, intervals = library.get_interval_estimates(
            scores, lambda *drawn: np.array([statistic(*drawn)]), reps=resamples
        )
        return intervals[""].ravel()

    return run


def measure(resamples: int, repeats: int) -> None:
    """Prints the table."""
    print(f"{RUNS} runs on {TASKS} tasks, CPU seconds, least of {repeats} repeats\n")
    print("| | resamples | this project | rliable | ratio | interval here | there |")
    print("|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    for name, (_, count, share) in STATISTICS.items():
        drawn = round(share * resamples)
        tables = [rng.random((RUNS, TASKS)) for _ in range(count)]
        ways = [way(name, tables, drawn) for way in (own_way, rliable_way)]
        seconds, found = [np.inf, np.inf], ["", ""]
        for _ in range(repeats):
            for k, way in enumerate(ways):
                if way is None:
                    continue
                start = time.process_time()
                low, high = way()
                seconds[k] = min(seconds[k], time.process_time() - start)
                found[k] = f"{low:.3f} to {high:.3f}"
        peer, ratio = "-", "-"
        if ways[1] is not None:
            peer, ratio = f"{seconds[1]:.2f}", f"{seconds[1] / seconds[0]:.0f}"
        cells = [name, f"{drawn:,}", f"{seconds[0]:.3f}", peer, ratio, found[0], found[1] or "-"]
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Finds a Python with rliable and measures there, or else here."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--resamples", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--here", action="store_true", help="measure with this Python")
    arguments = parser.parse_args()
    if not arguments.here:
        from peer_environments import NotInstalledError, python_of

        try:
            python = python_of("rliable")
        except NotInstalledError as error:
            print(f"rliable could not be installed: {error}", flush=True)
        else:
            subprocess.run([python, __file__, *sys.argv[1:], "--here"], check=True)
            return
    measure(arguments.resamples, arguments.repeats)


if __name__ == "__main__":
    main()
