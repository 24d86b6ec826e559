"""Encode rollouts. See `python -m agents.world_models.encode --help`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import click

from experiment import processor
from experiment.looking import refusals

processor.settle()

HELP = """Write the latents of rollouts, mean and log-variance of each frame, into a folder.

Any number of jobs may share the work: job I of K, --outer-shards K --outer-shard I, encodes every
K-th shard of rollouts. Several devices of one job (--device cuda:0,cuda:1) share its part, a
process each. What is in --out already is not made again: run the same command after an
interruption, or after verify --quarantine.

\b
Exit codes: 0 done, 1 a process of a device has failed, 2 the input cannot be used.
"""


class Work(NamedTuple):
    """What one process encodes."""

    rollouts: Path
    encoder: Path
    out: Path
    outer_shard: int
    outer_shards: int
    device: str
    dtype: Any
    skip: bool


@click.command(help=HELP, context_settings={"max_content_width": 100})
@click.option(
    "--rollouts", type=click.Path(path_type=Path), required=True, help="Folder of raw rollouts."
)
@click.option(
    "--encoder",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File of an encoder.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder that latents go to."
)
@click.option(
    "--outer-shards", type=click.IntRange(min=1), default=1, show_default=True, help="Jobs, K."
)
@click.option(
    "--outer-shard",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which of them this is, I, from 0.",
)
@click.option(
    "--device", default="cpu", show_default=True, help="One, or several separated by commas."
)
@click.option(
    "--dtype",
    type=click.Choice(["float16", "float32"]),
    default="float16",
    show_default=True,
    help="Of the numbers on disk.",
)
@click.option("--skip-damaged", is_flag=True, help="Leave damaged shards out, with a warning.")
def main(
    rollouts: Path,
    encoder: Path,
    out: Path,
    outer_shards: int,
    outer_shard: int,
    device: str,
    dtype: str,
    skip_damaged: bool,
) -> None:
    if outer_shard >= outer_shards:
        raise click.UsageError(
            f"--outer-shard {outer_shard}: of {outer_shards} it is 0 to {outer_shards - 1}"
        )
    devices = device.split(",")
    shares = [
        Work(
            rollouts,
            encoder,
            out,
            outer_shard + number * outer_shards,
            outer_shards * len(devices),
            name,
            dtype,
            skip_damaged,
        )
        for number, name in enumerate(devices)
    ]
    with refusals(rollouts):
        _check(shares)
    if len(shares) == 1:
        _encode(shares[0])
    else:
        sys.exit(_encode_in_processes(shares))


def _check(shares: list[Work]) -> None:
    """Makes the folder, so that what is wrong is said once.

    Raises:
        AgentRefused, ConfigError, OSError: the input cannot be used.
    """
    import torch

    from agents.encoders.encoding import latent_spec
    from agents.encoders.files import load_encoder
    from agents.rollouts.folder import RolloutFolder
    from agents.rollouts.reading import Rollouts
    from experiment.errors import ConfigError

    for work in shares:
        try:
            torch.empty(1, device=work.device)
        except (RuntimeError, AssertionError) as error:
            problem = str(error).splitlines()[0]
            raise ConfigError(f"--device {work.device} cannot be used: {problem}") from None
    first = shares[0]
    encoder = load_encoder(first.encoder)
    raw = Rollouts(first.rollouts, bad="warn" if first.skip else "raise")
    RolloutFolder.create(first.out, latent_spec(encoder, raw, first.dtype))


def _encode(work: Work) -> None:
    from agents.encoders.encoding import encode_rollouts
    from agents.encoders.files import load_encoder
    from agents.rollouts.reading import Rollouts

    with refusals(work.rollouts):
        raw = Rollouts(work.rollouts, bad="warn" if work.skip else "raise")
        folder = encode_rollouts(
            load_encoder(work.encoder),
            raw,
            work.out,
            outer_shard=work.outer_shard,
            outer_shards=work.outer_shards,
            device=work.device,
            latent_dtype=work.dtype,
            progress=lambda line: click.echo(f"{work.device}: {line}", err=True),
        )
        missing = len(folder.missing())
        wanted = folder.spec.rollouts
        click.echo(f"{work.out}: {wanted - missing:,} of {wanted:,} rollouts are encoded")


def _encode_in_processes(shares: list[Work]) -> int:
    import multiprocessing

    # processes that use a GPU cannot be forked
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_encode, args=(work,)) for work in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    codes = [process.exitcode or 0 for process in processes]
    return 2 if 2 in codes else int(any(codes))


if __name__ == "__main__":
    main()
