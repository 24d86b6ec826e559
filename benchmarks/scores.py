"""The scores of finished experiments as rows of a Markdown table.

    python benchmarks/scores.py --metric reward-final results/*/*/data.json

For each experiment its best setting by the metric: mean over seeds, 95% Student-t interval, the
worst seed, and how many seeds reached `--threshold`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import click
import numpy as np

from plotting.curve_summary import summarize
from plotting.data_file import BadInput, read_experiment
from plotting.inference import interval
from plotting.labels import labels
from plotting.metric import pick_metric


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--metric", default=None, help="As of plotting/learning_curve.py.")
@click.option("--threshold", type=float, help="Counts the seeds that reach it.")
def main(data: tuple[Path, ...], metric: str | None, threshold: float | None) -> None:
    """Prints the table."""
    try:
        experiments = [read_experiment(path) for path in data]
        chosen = pick_metric(metric, experiments)
        reached = "" if threshold is None else f" at least {threshold:g} |"
        print(f"| experiment | setting | {chosen} | 95% interval | worst seed | seeds |{reached}")
        print("|---|---|---|---|---|---|" + ("" if threshold is None else "---|"))
        for experiment, label in zip(experiments, labels(experiments), strict=True):
            summary = summarize(experiment, label, chosen, 100, None)
            scores = np.array(summary.choice.tally.scores)
            found = interval(scores, diverged="exclude")
            setting = ", ".join(f"{name} {value}" for name, value in summary.params.items())
            row = (
                f"| {label} | {setting or '-'} | {found.estimate:.3f} "
                f"| [{found.low:.3f}, {found.high:.3f}] "
                f"| {scores.min():.3f} | {len(scores)} |"
            )
            count = "" if threshold is None else f" {(scores >= threshold).sum()} |"
            print(row + count)
    except BadInput as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
