"""The best setting, and what is known of it: python plotting/choose.py DATA..."""

from __future__ import annotations

import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if not __package__:  # run as a script: import from the repository, not from this folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from plotting import command

if TYPE_CHECKING:
    from plotting.choice_summary import Selection
    from plotting.data_file import Experiment


@command.named
@command.data
@command.metric
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="All settings as a table (.csv).",
)
@click.option(
    "--top", type=click.IntRange(min=1), help="Write the second stage of so many settings."
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="Fresh seeds of the second stage.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Its folder.  [default: that of DATA with _second_stage after its name]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the resampling."
)
def main(
    data: tuple[Path, ...],
    metric: str | None,
    output: Path | None,
    top: int | None,
    seeds: int,
    to: Path | None,
    seed: int,
) -> None:
    """Choose the best setting of each experiment in DATA, and say how sure that is.

    DATA are data.json files, or folders that hold one (made by combine.py). Settings that may be
    the best are those that win when the seeds are drawn anew. A score on the seeds that chose its
    setting is too high; --top 5 --seeds 30 writes an experiment that runs the best five again on
    thirty fresh seeds. When its results are given here, their scores are marked as fresh.
    """
    from plotting.choice_text import choice_table, in_words
    from plotting.data_file import BadInput

    if top is None and to is not None:
        raise click.UsageError("--to is for the second stage, which needs --top.")
    if top is not None and len(data) > 1:
        raise command.Refused(f"--top chooses from one experiment, but {len(data)} are given")
    if output is not None and output.suffix != ".csv":
        raise command.Refused(f"{output} does not end in .csv: try {output.with_suffix('.csv')}")
    try:
        experiments, selections = _choose(data, metric, seed)
        click.echo("\n\n".join(map(in_words, selections)))
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(choice_table(selections))
            click.echo(f"\nwrote {output}")
        if top is not None:
            _write_second_stage(experiments[0], selections[0], top, seeds, to)
    except BadInput as error:
        raise command.Refused(str(error)) from None
    except OSError as error:
        raise command.Refused(f"{error.filename} cannot be written: {error.strerror}") from None


def _choose(
    data: tuple[Path, ...], metric_name: str | None, seed: int
) -> tuple[list[Experiment], list[Selection]]:
    import numpy as np

    from plotting.choice_summary import summarize
    from plotting.data_file import read_experiment
    from plotting.labels import labels
    from plotting.metric import pick_metric
    from plotting.phrases import ranges
    from plotting.second_stage import find, used_again

    experiments = [read_experiment(path) for path in data]
    stages = [find(experiment) for experiment in experiments]
    metrics = {stage.metric for stage in stages if stage is not None}
    if metric_name is None and len(metrics) == 1 and None not in stages:
        (metric_name,) = metrics
    metric = pick_metric(metric_name, experiments)
    for experiment, stage in zip(experiments, stages, strict=True):
        if stage is not None and (again := used_again(experiment, stage)):
            click.echo(
                f"warning: {experiment.path} is not on fresh seeds: {ranges(again)} chose its "
                f"settings (run it with --seed-offset {stage.seed_offset} in another folder)",
                err=True,
            )
    names = labels(experiments)
    return experiments, [
        summarize(experiment, name, metric, np.random.default_rng(seed))
        for experiment, name in zip(experiments, names, strict=True)
    ]


def _write_second_stage(
    experiment: Experiment, selection: Selection, top: int, seeds: int, to: Path | None
) -> None:
    from plotting import second_stage
    from plotting.phrases import count, ranges

    compared = selection.candidates[: selection.choice.candidates]
    finalists = [
        second_stage.Finalist(
            each.tally.setting,
            dict(each.agent_params),
            each.mean,
            None if math.isnan(each.low) else each.low,
            None if math.isnan(each.high) else each.high,
            each.tally.scored,
        )
        for each in compared[:top]
    ]
    stage = second_stage.plan(experiment, str(selection.metric), finalists, seeds)
    of = experiment.path.parent
    folder = to or of.with_name(f"{of.resolve().name}_second_stage")
    second_stage.write(folder, second_stage.files(experiment, stage))
    first, last = stage.seed_offset, stage.seed_offset + seeds - 1
    click.echo(
        f"\nsecond stage in {folder}: {count(len(finalists), 'setting')} on {seeds} fresh seeds "
        f"({ranges(range(first, last + 1))}); run it here or on a cluster with"
    )
    for words in _commands(folder, seeds, stage.seed_offset):
        click.echo(f"    {shlex.join(words)}")
    click.echo("and then")
    click.echo(f"    python combine.py {shlex.quote(str(folder))}/*/")
    click.echo(f"    python plotting/choose.py {shlex.quote(str(folder))}/*/")
    if len(selection.possible) > len(finalists):
        click.echo(
            f"note: {len(selection.possible)} settings may be the best, more than --top {top} keeps"
        )


def _commands(folder: Path, seeds: int, seed_offset: int) -> list[list[str]]:
    """On this machine, or else on a cluster."""
    from plotting.second_stage import AGENT_FILE, ENVIRONMENT_FILE

    try:
        save_dir = str(folder.resolve().relative_to(Path("results").resolve()))
    except ValueError:
        save_dir = str(folder.resolve())
    environment, agent = str(folder / ENVIRONMENT_FILE), str(folder / AGENT_FILE)
    runs = ["--runs", str(seeds), "--seed-offset", str(seed_offset)]
    here = ["python", "main.py", "--env-json", environment, "--agent-json", agent, *runs]
    cluster = ["python", "schedule.py", "clusters/local.json", "main.py", ".", environment]
    return [
        [*here, "--batch", "auto", "--save-dir", save_dir],
        [*cluster, save_dir, agent, *runs],
    ]


if __name__ == "__main__":
    main()
