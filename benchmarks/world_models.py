"""How fast the stages of World Models are, beside simulusion, which has the same pipeline.

    python benchmarks/world_models.py [--only encoder --only dream] [--turns 3] [--peer-python PATH]

Each side is a process of one thread, in its own virtual environment; they take turns at each piece
of work, so that both meet the same machine. Counted are CPU seconds of the process, the least of
the turns; what is done once, such as building models, is not in them. simulusion is installed,
once, into `.venv-peers`. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from sides import Side, number, peer_of
from world_models_work import (
    BATCH,
    DREAM_STEPS,
    ENVIRONMENT_STEPS,
    FEW,
    MANY,
    POPULATION,
    READ_STEPS,
    STEPS,
)

MINUTE = 60.0


class Row(NamedTuple):
    """A line of the table.

    Attributes:
        own, peer: names of the work; the peer's None: it has none like it.
        seconds: that a rate is for.
    """

    section: str
    title: str
    own: str
    peer: str | None
    seconds: float = 1.0


ROWS = (
    Row(
        "collect",
        f"rollouts of {STEPS} frames of CarRacing collected and written, a minute",
        *("collect", "collect", MINUTE),
    ),
    Row("read", "`verify` by hash, GB/s of files", "verify hash", None),
    Row("read", "`verify` by decoding, GB/s of pixels", "verify decode", None),
    Row("read", "whole rollouts read, checksums looked at, GB/s of pixels", "read", "read"),
    Row(
        "read",
        f"random observations/s of {MANY} rollouts of {READ_STEPS} frames",
        *(f"random {MANY} 1", f"random {MANY}"),
    ),
    Row("read", f"random observations/s of {FEW} rollouts", f"random {FEW} 1", f"random {FEW}"),
    Row("read", f"the same of {MANY}, ten of a rollout at once", f"random {MANY} 10", None),
    Row(
        "encoder",
        f"images/s of a VAE's training, batches of {BATCH}, reading included",
        *("encoder float32", "encoder float32"),
    ),
    Row("encoder", "the same in bfloat16", "encoder bfloat16", "encoder bfloat16"),
    Row("dream", "imagined frames/s, one dream", "imagine 1", "imagine 1"),
    Row("dream", "imagined frames/s, 64 dreams at once", "imagine 64", "imagine 64"),
    Row(
        "controller",
        f"generations a minute, {POPULATION} candidates, {DREAM_STEPS} steps in the dream",
        *("evolve dream", "evolve dream", MINUTE),
    ),
    Row(
        "controller",
        "the same, simulusion's dreams begun by CarRacing's `reset`, as they come",
        *("evolve dream", "evolve dream_reset", MINUTE),
    ),
    Row(
        "controller",
        f"generations a minute, {POPULATION} candidates, {ENVIRONMENT_STEPS} steps in CarRacing",
        *("evolve environment", "evolve environment", MINUTE),
    ),
)


def rates(row: Row, own: Side, peer: Side | None, turns: int) -> tuple[float, float | None]:
    """The best of several turns."""
    ours, theirs = [], []
    for _ in range(turns):
        ours.append(own.rate(row.own) * row.seconds)
        if peer is not None and row.peer is not None:
            theirs.append(peer.rate(row.peer) * row.seconds)
    return max(ours), max(theirs, default=None)


def line_of(row: Row, own: float, peer: float | None, *, alone: bool) -> str:
    """Of the table."""
    theirs, ratio = (number(peer), f"{own / peer:.2f}") if peer is not None else ("", "")
    if peer is None and not alone:
        theirs = "has none"
    return f"| {row.title} | {number(own)} | {theirs} | {ratio} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sections = list(dict.fromkeys(row.section for row in ROWS))
    parser.add_argument("--only", action="append", choices=sections, help="these sections")
    parser.add_argument("--turns", type=int, default=3, help="2 at least: the first compiles")
    parser.add_argument("--peer-python", type=Path, help="a Python that has simulusion")
    parser.add_argument("--no-peer", action="store_true", help="this project alone")
    arguments = parser.parse_args()
    if arguments.turns < 2:
        parser.error("--turns: 2 at least, as loops are compiled in the first")
    chosen = arguments.only or sections
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        own = Side(sys.executable, "world_models_own.py", folder)
        peer = (
            None
            if arguments.no_peer
            else peer_of("simulusion", "world_models_peer.py", folder, arguments.peer_python)
        )
        for side in (own, peer):
            if side is not None:
                print(", ".join(f"{name} {value}" for name, value in side.versions.items()))
        own.rate("data")
        print("\n| for a CPU second, or minute | this project | simulusion | ratio |")
        print("|---|---|---|---|", flush=True)
        for row in ROWS:
            if row.section in chosen:
                found = rates(row, own, peer, arguments.turns)
                print(line_of(row, *found, alone=peer is None), flush=True)
        for side in (own, peer):
            if side is not None:
                side.close()


if __name__ == "__main__":
    main()
