"""Find damaged rollouts and make them again. See `python -m agents.world_models.verify --help`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiment import processor
from experiment.looking import refusals

if TYPE_CHECKING:
    from agents.rollouts.folder import RolloutFolder
    from agents.rollouts.verifying import Depth, Report

processor.settle()

HELP = """Look for damaged rollouts in DIR, raw or latent.

\b
--depth size    side files, sizes, and how files begin
--depth hash    every byte: finds every changed bit
--depth decode  also decompresses everything and compares rollout by rollout

A damaged shard is named, and what share of the rollouts is lost with it. --quarantine moves it to
DIR/quarantine; nothing is removed. --repair does that too, and then collects just the rollouts that
are missing: they come out as they were.

\b
Exit codes: 0 all rollouts are there and sound, 1 some are damaged or missing, 2 the input cannot be
used.
"""
_LISTED = 20


@click.command(help=HELP, context_settings={"max_content_width": 100})
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--depth", type=click.Choice(["size", "hash", "decode"]), default="hash", show_default=True
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes."
)
@click.option("--quarantine", is_flag=True, help="Move what is damaged to DIR/quarantine.")
@click.option("--repair", is_flag=True, help="Do so, and collect again what is missing.")
def main(folder: Path, depth: Depth, workers: int, quarantine: bool, repair: bool) -> None:
    with refusals(folder):
        from agents.rollouts.folder import RolloutFolder

        opened = RolloutFolder(folder)
        if repair and opened.spec.kind == "latent":
            raise click.UsageError(
                "--repair collects raw rollouts; missing latents are made by the command that "
                "made the others, run again after --quarantine."
            )
        opened.clear_leftovers()
        report = _verify(opened, depth, workers)
        if report.damaged and (quarantine or repair):
            _set_aside(opened, report)
        if repair and report.missing:
            _collect_again(opened, report, workers)
            report = _verify(opened, depth, workers)
    sys.exit(0 if report.is_good else 1)


def _verify(folder: RolloutFolder, depth: Depth, workers: int) -> Report:
    from agents.rollouts.verifying import verify

    started = time.monotonic()
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=1, label="verify", file=sys.stderr, hidden=hidden) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        report = verify(folder, depth, workers=workers, progress=show)
    seconds = time.monotonic() - started
    click.echo(
        f"{folder.path}: {report.rollouts:,} of {report.wanted:,} rollouts, {report.steps:,} steps "
        f"in {_count(report.shards, 'shard')} of {report.size / 1e6:,.1f} MB; {seconds:.1f} s"
    )
    for path, problem in report.damaged[:_LISTED]:
        click.echo(f"damaged: {path}: {problem}", err=True)
    if len(report.damaged) > _LISTED:
        click.echo(f"damaged: {len(report.damaged) - _LISTED:,} more", err=True)
    if report.missing:
        click.echo(
            f"missing: {_count(len(report.missing), 'rollout')}, {report.share_lost:.2%} of all",
            err=True,
        )
    return report


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _set_aside(folder: RolloutFolder, report: Report) -> None:
    from agents.rollouts.verifying import QUARANTINE, quarantine

    for path in quarantine(folder, report.damaged):
        click.echo(f"moved to {folder.path / QUARANTINE}: {path.name}")


def _collect_again(folder: RolloutFolder, report: Report, workers: int) -> None:
    from agents.base import WorkerLost
    from agents.collecting import collect
    from agents.collecting.progress import Progress

    try:
        with Progress("collect again") as progress:
            collect(
                folder.spec,
                folder,
                workers=workers,
                numbers=report.missing,
                progress=progress,
            )
    except WorkerLost as lost:
        click.echo(f"error: {lost}; run it again to go on", err=True)
    again = len(report.missing) - len(folder.missing())
    click.echo(f"collected again: {_count(again, 'rollout')}")


if __name__ == "__main__":
    main()
