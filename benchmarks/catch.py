"""What runs of IRIS in Catch have learned, beside what they are to reach.

    python main.py --env-json config/environment/Catch-v1.json
        --agent-json config/agent/IRIS_catch.json --runs 3
    python benchmarks/catch.py results/sweep-Catch-v1_IRIS/files/*

A row for each figure, a column for each run; figures that miss their gate are marked with a *. All
are of episodes that nothing was learned from.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import click

from agents.iris.opened import open_run
from experiment.looking import refusals

Figures = dict[str, Any]


class Gate(NamedTuple):
    """A row: what it shows of figures, and whether that is enough.

    Attributes:
        of_model: whether a world model that learns is needed.
    """

    title: str
    value: Callable[[Figures], float]
    least: float
    of_model: bool = True

    def missed(self, found: Figures) -> bool:
        """Whether it is not reached."""
        return not self.value(found) >= self.least


GATES = (
    Gate("return a ball (random -0.75, at most 1)", lambda f: f["return per ball"], 0.7, False),
    Gate(
        "frames reconstructed, every cell within 0.25",
        lambda f: f["frames reconstructed"],
        0.9,
        False,
    ),
    Gate("perplexity of the codebook", lambda f: f["perplexity"], 20, False),
    Gate("tokens of the next frame right", lambda f: f["agent"]["tokens"], 0.92),
    Gate(
        "the same, above the latest frame's",
        lambda f: f["agent"]["tokens"] - f["agent"]["copied"],
        0.5,
    ),
    Gate("tokens that change", lambda f: f["agent"]["changed"], 0.9),
    Gate("whole next frames right", lambda f: f["agent"]["frames"], 0.75),
    Gate("rewards right", lambda f: f["agent"]["rewards"], 0.98),
    Gate("rewards of the rarest kind", lambda f: min(f["chance"]["reward_recall"]), 0.9),
    Gate(
        "tokens that change: lost with others' actions",
        lambda f: f["chance"]["changed"] - f["chance changed, shuffled actions"],
        0.1,
    ),
    Gate(
        "tokens that change: lost with the next step's actions",
        lambda f: f["chance"]["changed"] - f["chance changed, shifted actions"],
        0.1,
    ),
    Gate("imagined and real returns, correlation", lambda f: f["imagined and real returns"], 0.75),
    Gate("imagined alone, frames right after 1 step", lambda f: f["open loop"][0], 0.9),
    Gate("after 3 steps", lambda f: f["open loop"][2], 0.75),
    Gate("after 5 steps", lambda f: f["open loop"][4], 0.6),
)


def cell(gate: Gate, found: Figures) -> str:
    """Of the table."""
    if gate.of_model and "agent" not in found:
        return ""
    return f"{gate.value(found):.3g}" + "*" * gate.missed(found)


@click.command(help=__doc__.split("\n", 1)[0])
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False, exists=True)
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="As JSON.")
def main(runs: tuple[Path, ...], output: Path | None) -> None:
    found: dict[str, Figures] = {}
    titles = []
    with refusals(runs[0]):
        import torch
        from catch_figures import figures

        torch.set_num_threads(1)
        for path in runs:
            run = open_run(path)
            titles.append(f"{run.settings.world_model}, {run.path.name}")
            found[str(run.path)] = figures(run)
    print(f"| | at least | {' | '.join(titles)} |")
    print("|---|---|" + "---|" * len(titles))
    for gate in GATES:
        cells = [cell(gate, one) for one in found.values()]
        print(f"| {gate.title} | {gate.least:g} | {' | '.join(cells)} |")
    if output is not None:
        output.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
