"""Rollouts to and from other formats. See `python -m agents.world_models.exchange --help`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiment.looking import refusals

if TYPE_CHECKING:
    from agents.rollouts.rollout import LatentRollout, Rollout
    from agents.rollouts.spec import FolderSpec

HELP = """Make a data set of Minari, or .npz files, of the rollouts in SOURCE, or the reverse.

\b
--to minari    TARGET is a data set of Minari, such as data/random-v0, without loss
--to npz       TARGET is a folder of .npz files, one a rollout
--from minari  SOURCE is a data set of Minari, TARGET a folder of rollouts
--from npz     SOURCE is a folder of .npz files, TARGET a folder of rollouts

An .npz file has observations of T + 1, actions and rewards of T entries, and terminated. Files that
were not made by this command need --env-json. Nothing is exported from a folder that has damaged
shards: agents.world_models.verify finds and repairs them.

\b
Exit codes: 0 done, 2 the input cannot be used.
"""
_FORMAT = click.Choice(["minari", "npz"])


@click.command(help=HELP, context_settings={"max_content_width": 100})
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--to", "to_format", type=_FORMAT, help="Export.")
@click.option("--from", "from_format", type=_FORMAT, help="Import.")
@click.option(
    "--env-json", type=click.Path(path_type=Path, dir_okay=False), help="What .npz files are of."
)
def main(
    source: Path,
    target: Path,
    to_format: str | None,
    from_format: str | None,
    env_json: Path | None,
) -> None:
    if (to_format is None) == (from_format is None):
        raise click.UsageError("say either --to or --from.")
    with refusals(env_json or source):
        if to_format is not None:
            click.echo(f"{target}: {_export(source, target, to_format):,} rollouts")
        elif from_format == "minari":
            from agents.rollouts.minari_exchange import import_minari, minari_spec, open_minari

            storage = open_minari(source)
            _write(target, minari_spec(storage), import_minari(storage))
        else:
            from agents.rollouts.npz_exchange import import_npz

            _write(target, _spec_of_npz(source, env_json), import_npz(source))


def _export(source: Path, target: Path, form: str) -> int:
    from agents.rollouts.reading import Rollouts

    rollouts = Rollouts(source, bad="raise")
    if form == "minari":
        from agents.rollouts.minari_exchange import export_minari

        return export_minari(rollouts, target)
    from agents.rollouts.npz_exchange import export_npz

    return export_npz(rollouts, target)


def _spec_of_npz(source: Path, env_json: Path | None) -> FolderSpec:
    from agents.rollouts.errors import FolderRefused
    from agents.rollouts.npz_exchange import npz_files, npz_spec
    from agents.rollouts.spec import FolderSpec

    count = len(npz_files(source))
    spec = npz_spec(source)
    if spec is not None:
        return spec
    if env_json is None:
        raise FolderRefused(f"{source}: nothing says what its files are of: give --env-json")

    import envs
    from experiment.configuration import check_environment
    from experiment.files import read_json_object

    content = read_json_object(env_json)
    environment = envs.make(check_environment(content, str(env_json)))
    try:
        return FolderSpec(
            environment=content,
            observation_space=environment.observation_space,
            action_space=environment.action_space,
            policy={"name": "imported"},
            rollouts=count,
        )
    finally:
        environment.close()


def _write(
    target: Path, spec: FolderSpec, rollouts: Iterator[tuple[int, Rollout | LatentRollout]]
) -> None:
    from agents.rollouts.folder import RolloutFolder

    folder = RolloutFolder.create(target, spec)
    missing = set(folder.missing())
    count = 0
    with folder.writer() as writer:
        for number, rollout in rollouts:
            if number in missing:
                writer.add(number, rollout)
                count += 1
    click.echo(f"{target}: {count:,} rollouts")


if __name__ == "__main__":
    main()
