"""Send the missing runs of a sweep to a cluster, or run them here. See `schedule.py --help`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

HELP = """Finish a sweep: find the runs that have no record, and send those that nobody has in hand.

\b
    CLUSTER     cluster file, as clusters/local.json
    EXECUTABLE  program that trains an index: main.py
    BASE_PATH   folder in which it is started; results/ lies there
    ENV_JSON    environment file, or a suite that lists several
    SAVE_DIR    folder under results/
    AGENT_JSON  agent files, one or more

With --status, one or more results folders will do instead of all of these.

Run it as often as you like: what is done, queued or running is left alone, and runs that were
interrupted go on where they were saved. It says what that costs, and asks.

\b
Exit codes: 0 nothing is left to do or all was sent, 1 something failed or could not be sent,
2 the input cannot be used, 3 another schedule.py was at it, 75 run it again: interrupted after
saving, or the queue had no room for all.
"""

_WORDS = ("CLUSTER", "EXECUTABLE", "BASE_PATH", "ENV_JSON", "SAVE_DIR", "AGENT_JSON...")
_USAGE = " ".join(_WORDS)
_INDEX = click.IntRange(min=0, max=2**63 - 1)
_PATH = click.Path(path_type=Path)


@click.command(help=HELP, context_settings={"max_content_width": 100})
@click.argument("words", metavar=_USAGE, nargs=-1)
@click.option("--runs", type=click.IntRange(min=1), help="Runs of every setting. [default: 1]")
@click.option("--indices", help="Only these, as in 0-35,72.")
@click.option("--seed-offset", type=_INDEX, default=0, help="Added to the run.")
@click.option("--batch", default="1", metavar="N", help="Train N at once in one process, or auto.")
@click.option("--gpu", type=click.IntRange(min=0), help="GPUs of a job, whatever CLUSTER says.")
@click.option(
    "--max-requeues",
    type=click.IntRange(min=0),
    metavar="N",
    help="How often a job may put itself back, whatever CLUSTER says.",
)
@click.option("--shard", is_flag=True, help="A file of records a job, not a run.")
@click.option(
    "--log", multiple=True, type=click.Choice(["tensorboard", "wandb"]), help="As main.py's."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and how; send nothing.")
@click.option("--emit", type=_PATH, metavar="DIR", help="Write the scripts to DIR; send nothing.")
@click.option("--wait", is_flag=True, help="Stay until all is done; send what had no room.")
@click.option("--status", is_flag=True, help="Say how the runs stand; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --status: for programs.")
@click.option("--watch", is_flag=True, help="With --status: again and again.")
@click.option("--logs", type=_INDEX, metavar="INDEX", help="The end of a run's log.")
@click.option("--cancel", is_flag=True, help="Take back what is queued or running.")
@click.option("--retry-failed", is_flag=True, help="Send also what failed too often.")
@click.option(
    "--pilot",
    type=click.IntRange(min=1),
    is_flag=False,
    flag_value=2,
    metavar="[N]",
    help="Train N runs (2) for a while, then say what to ask for.",
)
@click.option(
    "--pilot-minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="M",
    help="Of training, after which a pilot is saved; its runs go on later.",
)
@click.option("--usage", is_flag=True, help="Asked for, used, and what to ask for next.")
@click.option(
    "--job-hours",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    metavar="H",
    help="Length of a job that --pilot and --usage aim at.",
)
@click.option("--adopt", is_flag=True, help="Give old records their index in an edited grid.")
def main(
    words: tuple[str, ...],
    runs: int | None,
    indices: str | None,
    seed_offset: int,
    batch: str,
    gpu: int | None,
    max_requeues: int | None,
    shard: bool,
    log: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    emit: Path | None,
    wait: bool,
    status: bool,
    as_json: bool,
    watch: bool,
    logs: int | None,
    cancel: bool,
    retry_failed: bool,
    pilot: int | None,
    pilot_minutes: float,
    usage: bool,
    job_hours: float,
    adopt: bool,
) -> None:
    from experiment.errors import ConfigError, SweepError

    try:
        from experiment.scheduling.command import Request
        from experiment.scheduling.sizing_command import SizingCommand, Trial
        from experiment.selection import parse_batch

        looks = {
            "--status": status,
            "--logs": logs is not None,
            "--cancel": cancel,
            "--usage": usage,
        }
        for alternatives in (
            {"--runs": runs is not None, "--indices": indices is not None},
            looks | {"--emit": emit is not None, "--dry-run": dry_run, "--wait": wait},
            looks | {"--pilot": pilot is not None, "--wait": wait},
        ):
            given = [name for name, is_given in alternatives.items() if is_given]
            if len(given) > 1:
                raise ConfigError(f"{' and '.join(given)} exclude one another")
        if (as_json or watch) and not status:
            raise ConfigError("--json and --watch go with --status")
        if status and words and Path(words[0]).is_dir():
            from experiment.scheduling.status_command import status_of_folders

            sys.exit(status_of_folders([*map(Path, words)], as_json=as_json, watch=watch))
        if len(words) < len(_WORDS):
            raise click.UsageError(f"Missing argument '{_WORDS[len(words)]}'.")
        cluster, executable, base_path, env_json, save_dir, *agent_json = words
        request = Request(
            cluster=Path(cluster).absolute(),
            executable=executable,
            base_path=Path(base_path).absolute(),
            environment=Path(env_json).absolute(),
            save_dir=Path(save_dir),
            agents=tuple(Path(file).absolute() for file in agent_json),
            runs=runs or 1,
            indices=indices,
            seed_offset=seed_offset,
            batch=parse_batch(batch),
            gpus=gpu,
            max_requeues=max_requeues,
            shard=shard,
            log=tuple(dict.fromkeys(log)),
            yes=yes,
            retry_failed=retry_failed,
            adopt=adopt,
        )
        trial = None if pilot is None else Trial(pilot, pilot_minutes)
        command = SizingCommand(request, trial)
        if status:
            code = command.status(as_json=as_json, watch=watch)
        elif logs is not None:
            code = command.logs(logs)
        elif cancel:
            code = command.cancel()
        elif usage:
            code = command.usage(job_hours)
        elif emit is not None:
            code = command.emit(emit.absolute())
        elif dry_run:
            code = command.describe()
        elif trial is not None:
            code = command.pilot(trial, job_hours)
        else:
            code = command.send(wait=wait)
        sys.exit(code)
    except SweepError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
