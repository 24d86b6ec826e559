"""How fast IRIS imagines, beside simulusion's IRIS and the published code of IRIS.

    python benchmarks/imagination.py [--turns 3] [--peer-python PATH] [--original CLONE]

All have the published sizes: 16 tokens of 512 a frame of 64 x 64, a transformer of 10 layers of
256, 16 trajectories of 20 steps. simulusion's decoder alone is smaller: of 3 x 3 convolutions at 64
x 64 pixels it has 4 where the published one has 7; with a residual block less a level this
project's has 5. Each side is a process of one thread; they take turns; counted are CPU seconds, the
least of the turns. simulusion is installed, once, into `.venv-peers`; the published code is no
package, and is run from a clone of its repository where there is one, by simulusion's Python.
Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from peer_environments import python_of
from sides import Side, SideFailedError, number, peer_of


class Row(NamedTuple):
    """A line of the table: names of the work; None: that side has none like it."""

    title: str
    own: str
    peer: str | None
    original: str | None


ROWS = (
    Row("policy, world model and decoder", "imagine", "imagine", "imagine"),
    Row("with a residual block less a level", "light decoder", "imagine", None),
    Row("in bfloat16", "bfloat16", "bfloat16", None),
    Row("tokens alone", "model", "model", "model"),
)


def original_of(clone: Path | None, python: Path | None, folder: Path) -> Side | None:
    """The published code; None, and a line that says why, where it cannot be had."""
    if clone is None:
        print("without the published code: --original says where a clone of it is", flush=True)
        return None
    runs = python or python_of("simulusion")
    try:
        return Side(runs, "imagination_original.py", folder, str(clone.resolve()))
    except SideFailedError as problem:
        print(f"without the published code: {problem}", flush=True)
        return None


def line_of(row: Row, sides: tuple[Side, Side | None, Side | None], turns: int) -> str:
    """Of the table: the best of some turns, and ours by theirs."""
    works = (row.own, row.peer, row.original)
    best = [0.0] * len(sides)
    for _ in range(turns):
        for place, (side, work) in enumerate(zip(sides, works, strict=True)):
            if side is not None and work is not None:
                best[place] = max(best[place], side.rate(work))
    cells = [number(best[0])]
    for theirs in best[1:]:
        cells += [number(theirs), f"{best[0] / theirs:.2f}"] if theirs else ["", ""]
    return f"| {row.title} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--peer-python", type=Path, help="a Python that has simulusion")
    parser.add_argument("--original", type=Path, help="a clone of the published code")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, python = Path(place), arguments.peer_python
        own = Side(sys.executable, "imagination_own.py", folder)
        peer = peer_of("simulusion", "imagination_peer.py", folder, python)
        original = original_of(arguments.original, python, folder)
        sides = (own, peer, original)
        for side in sides:
            if side is not None:
                print(", ".join(f"{name} {value}" for name, value in side.versions.items()))
        print("\n| frames a CPU second | this project | simulusion | ratio | published | ratio |")
        print("|---|---|---|---|---|---|", flush=True)
        for row in ROWS:
            print(line_of(row, sides, arguments.turns), flush=True)
        for side in sides:
            if side is not None:
                side.close()


if __name__ == "__main__":
    main()
