"""Several indices, one after another: what `main.py` does with two files and a choice."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson

import agents
from experiment.adoption import open_folder
from experiment.canonical import canonical
from experiment.configuration import Experiment, read_experiment
from experiment.errors import ConfigError, Locked
from experiment.folder import ResultFolder, folder_of
from experiment.manifest import Manifest
from experiment.run import Options, Outcome, build_training, run_group
from experiment.selection import chosen_indices, parse_where
from experiment.shard_writer import ShardWriter
from experiment.signals import EXIT_SAVED, on_stop_signal
from experiment.values import default_values
from experiment.writers import require


class Request(msgspec.Struct, frozen=True):
    """What to run: two files, and at most one of index, indices and runs."""

    environment_file: Path
    agent_file: Path
    index: int | None = None
    indices: str | None = None
    runs: int | None = None
    where: tuple[str, ...] = ()


def run_sequence(
    request: Request,
    save_dir: Path | None,
    seed_offset: int,
    options: Options,
    *,
    adopt: bool,
    dry_run: bool,
) -> int:
    """Trains every index that is asked for and not finished. Returns the exit code.

    Raises:
        SweepError: with its one sentence.
    """
    experiment = read_experiment(request.environment_file, request.agent_file)
    where = parse_where(request.where, experiment)
    indices = chosen_indices(experiment, request.index, request.indices, request.runs, where)
    first = next(indices, None)
    if first is None:
        raise ConfigError(f"no setting has {' and '.join(request.where)}")
    indices = itertools.chain([first], indices)
    path = folder_of(experiment, save_dir)
    manifest = Manifest.of(experiment, seed_offset)
    if dry_run:
        return _describe(experiment, ResultFolder(path, manifest), indices, options, adopt=adopt)
    require(options.log)
    # refuses a configuration that cannot work before the folder exists
    looked_at = ResultFolder(path, manifest)
    build_training(experiment, [looked_at.run(first)], options, folder=looked_at).close()
    asked_to_stop: list[bool] = []
    with on_stop_signal(lambda: asked_to_stop.append(True)):
        folder, plan = open_folder(path, manifest, _defaults(experiment), adopt=adopt)
        if plan is not None:
            print(plan.text(), file=sys.stderr)
        if options.shard:
            folder.writer = ShardWriter(folder.path)
        several = request.indices is not None or request.runs is not None or request.where
        one_only = request.index is not None or not several
        return _run_all(experiment, folder, indices, options, asked_to_stop, one_only=one_only)


def _run_all(
    experiment: Experiment,
    folder: ResultFolder,
    indices: Iterable[int],
    options: Options,
    asked_to_stop: list[bool],
    *,
    one_only: bool,
) -> int:
    outcomes: Counter[Outcome] = Counter()
    for group in groups_of(experiment, folder, indices, options):
        if asked_to_stop:
            return EXIT_SAVED
        ended = run_group(experiment, folder, group, options, alone=one_only)
        if Outcome.INTERRUPTED in ended.values():
            return EXIT_SAVED
        outcomes.update(ended.values())
        if one_only:
            ((index, outcome),) = ended.items()
            before = " before; --force runs it again" if outcome is Outcome.FINISHED_BEFORE else ""
            print(f"index {index}: finished{before}: {folder.where(folder.run(index))}")
    if not one_only:
        counts = ", ".join(f"{count} {outcome.value}" for outcome, count in outcomes.items())
        print(f"{outcomes.total()} indices: {counts}: {folder.path}")
    return Locked.exit_code if outcomes[Outcome.LOCKED] else 0


def groups_of(
    experiment: Experiment, folder: ResultFolder, indices: Iterable[int], options: Options
) -> Iterator[list[int]]:
    """The indices in groups that can train together, of `options.batch` or what suits the agent.

    Those of a group agree in the hyperparameters that shape the arrays (`STATIC` of the agent's
    settings). What is finished forms groups of its own, so that full groups train.
    """
    settings_type = agents.settings_type(experiment.agent_name)
    static, size = settings_type.STATIC, options.batch
    if size is None:
        size = settings_type.group_size(options.device)
    waiting: dict[bytes, list[int]] = {}
    for index in indices:
        run = folder.run(index)
        if size == 1 or (not options.force and folder.has(run)):
            yield [index]
            continue
        setting = experiment.grid.setting(run.setting)
        group = waiting.setdefault(canonical([setting.get(name) for name in static]), [])
        group.append(index)
        if len(group) == size:
            yield list(group)
            group.clear()
    yield from (group for group in waiting.values() if group)


def _describe(
    experiment: Experiment, folder: ResultFolder, indices: Any, options: Options, *, adopt: bool
) -> int:
    """Prints resolved runs: one object, or a line each when there are several."""
    descriptions = (_description(experiment, folder, index) for index in indices)
    first = next(descriptions)
    build_training(experiment, [folder.run(first["index"])], options, folder=folder).close()
    second = next(descriptions, None)
    if second is None:
        print(orjson.dumps(first, option=orjson.OPT_INDENT_2).decode())
    else:
        for description in itertools.chain([first, second], descriptions):
            print(orjson.dumps(description).decode())
    try:
        _, plan = open_folder(
            folder.path, folder.manifest, _defaults(experiment), adopt=adopt, dry=True
        )
        if plan is not None:
            print(plan.text(), file=sys.stderr)
    except ConfigError as error:
        print(f"note: a real run would stop: {error}", file=sys.stderr)
    return 0


def _description(experiment: Experiment, folder: ResultFolder, index: int) -> dict[str, Any]:
    run = folder.run(index)
    return {
        "index": index,
        "setting": run.setting,
        "run": run.number,
        "random_seed": run.random_seed,
        "grid_size": experiment.grid.size,
        "setting_id": run.setting_id,
        "agent_params": experiment.grid.setting(run.setting),
        "output": str(folder.record_path(index)),
    }


def _defaults(experiment: Experiment) -> dict[str, Any]:
    return default_values(agents.settings_type(experiment.agent_name))
