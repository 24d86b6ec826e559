"""Train one index of a sweep, or several one after another. See `python main.py --help`."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import click

from experiment import garbage, processor

garbage.pause()
processor.settle()
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

HELP = """Train one hyperparameter setting of an agent in an environment.

An agent file lists values for every hyperparameter; the lists span a grid of G settings. An index
is one run of one setting:

\b
    setting = index mod G        which hyperparameters
    run     = index div G        which repetition; random_seed = run + seed offset

The first list of the file varies fastest. With

\b
    "decay": [0.5], "critic_lr": [0.005, 0.1, 0.3], "actor_lr": [0.005, 0.1, 0.3],
    "avg_reward_lr": [0.1, 0.3, 0.5, 0.9], "scaled": [true], "clip_stddev": [1000]

there are G = 1 x 3 x 3 x 4 x 1 x 1 = 36 settings. Index 0 has the first value of every list, index
1 has critic_lr 0.1, index 3 has actor_lr 0.1. Index 37 = 1 x 36 + 1 is setting 1 again, with the
next seed. Ten runs of everything are the indices 0 to 359: --runs 10.

A run that was interrupted goes on where it was saved; one that is finished is left alone.

\b
Exit codes: 0 done, 1 something could not be written or read or a process that a run needs has
died, 2 the input cannot be used, 3 another process runs this index, 75 interrupted after saving
(run it again).
"""

_NUMBER = click.IntRange(min=0, max=2**63 - 1)


def _not_nan(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if math.isnan(value):
        raise click.BadParameter("nan is no time.")
    return value


@click.command(help=HELP, context_settings={"max_content_width": 100})
@click.option(
    "--env-json", type=click.Path(path_type=Path), help="Environment file, or suite. [required]"
)
@click.option("--agent-json", type=click.Path(path_type=Path), help="Agent file. [required]")
@click.option("--index", type=_NUMBER, help="Which run. [default: 0]")
@click.option("--indices", help="Several, one after another, as in 0-35,72.")
@click.option("--runs", type=click.IntRange(min=1), help="All indices of this many runs.")
@click.option("--batch", default="1", metavar="N", help="Train N at once in one process, or auto.")
@click.option("--where", multiple=True, metavar="NAME=VALUE", help="Only settings with this value.")
@click.option("-m", "--monitor", is_flag=True, help="Show the scene while the agent trains.")
@click.option("-a", "--after", type=int, default=0, help="Timesteps before the scene is shown.")
@click.option("--save-dir", type=click.Path(path_type=Path), help="Folder under results/.")
@click.option("--seed-offset", type=_NUMBER, default=0, help="Added to the run.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1...")
@click.option("--record", default="", metavar="NAMES", help="Step-level arrays to keep as .npz.")
@click.option(
    "--checkpoint-minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    callback=_not_nan,
    help="Time between two checkpoints.",
)
@click.option("--shard", is_flag=True, help="Append records to one file a process, in shards/.")
@click.option(
    "--log",
    multiple=True,
    type=click.Choice(["tensorboard", "wandb"]),
    help="Write what is measured for this tool, too, as it comes. Repeatable.",
)
@click.option("--force", is_flag=True, help="Run again what is finished.")
@click.option("--adopt", is_flag=True, help="Give old records their index in an edited grid.")
@click.option("--dry-run", is_flag=True, help="Print the resolved run as JSON; run nothing.")
@click.option("--agent-help", metavar="AGENT", help="Print an agent's hyperparameters.")
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    metavar="RECORD",
    help="Run a record's run again in a scratch folder and compare: a file, or DIR with --index.",
)
def main(
    env_json: Path | None,
    agent_json: Path | None,
    index: int | None,
    indices: str | None,
    runs: int | None,
    batch: str,
    where: tuple[str, ...],
    monitor: bool,
    after: int,
    save_dir: Path | None,
    seed_offset: int,
    device: str,
    record: str,
    checkpoint_minutes: float,
    shard: bool,
    log: tuple[str, ...],
    force: bool,
    adopt: bool,
    dry_run: bool,
    agent_help: str | None,
    replay: Path | None,
) -> None:
    from experiment.errors import SweepError

    try:
        if agent_help is not None:
            from experiment.agent_help import table

            click.echo(table(agent_help))
            return
        from experiment.run import Options
        from experiment.selection import parse_batch, parse_record_names

        names = parse_record_names(record)
        if shard and names:
            raise click.UsageError(
                "--shard and --record exclude one another: step-level arrays are a file a run."
            )
        options = Options(
            device=device,
            record=names,
            checkpoint_minutes=checkpoint_minutes,
            force=force,
            monitor_after=after if monitor else None,
            batch=parse_batch(batch),
            shard=shard,
            log=tuple(dict.fromkeys(log)),
        )
        if replay is not None:
            from experiment.replay import replay_record

            sys.exit(replay_record(replay, options, index))
        if env_json is None or agent_json is None:
            missing = "--env-json" if env_json is None else "--agent-json"
            raise click.UsageError(f"Missing option '{missing}'.")
        from experiment.sequence import Request, run_sequence
        from experiment.signals import EXIT_SAVED
        from experiment.suite import environment_files

        code = 0
        for environment in environment_files(env_json):
            request = Request(environment, agent_json, index, indices, runs, where)
            ended = run_sequence(
                request, save_dir, seed_offset, options, adopt=adopt, dry_run=dry_run
            )
            code = max(code, ended)
            if ended == EXIT_SAVED:
                break
        sys.exit(code)
    except SweepError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
