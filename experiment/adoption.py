"""An edited configuration in a folder that has results: the plan, and carrying it out.

Records are matched by who they are (`setting_id`, seed), never by index. The plan says what the
edit does to them; `--adopt` carries it out. Every record keeps its meaning and none is deleted.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from experiment import record
from experiment.canonical import setting_id
from experiment.errors import ConfigError, StorageError
from experiment.files import storage
from experiment.folder import ResultFolder, Run
from experiment.lock import held
from experiment.manifest import Manifest
from experiment.prune import housekeeping, restore
from experiment.pruned import DATA_NAME
from experiment.record_files import move_damaged_aside
from experiment.shard_writer import ShardWriter, without_lines
from experiment.shards import Line


class Found(msgspec.Struct, frozen=True):
    """A record somewhere in the folder.

    Attributes:
        path: of the file that it is, or is in.
        line: where it is in a shard.
        pruned: only `data.json` holds it.
    """

    path: Path
    setting: int
    head: record.Head
    agent_params: Mapping[str, Any]
    line: Line | None = None
    pruned: bool = False

    @property
    def name(self) -> str:
        """As `Run.name`."""
        return f"{self.head.setting_id}-{self.head.random_seed}"

    @property
    def is_file(self) -> bool:
        """Whether it goes by the name of a file, and not by what it says."""
        return self.line is None and not self.pruned


class Plan(msgspec.Struct):
    """What adopting a configuration does.

    Attributes:
        in_place: records that stay as they are.
        moved: (record, the run that it becomes under its new address).
        orphaned: records that no index of the new grid means.
        damaged: (file, why) of files that are no whole record.
        new_settings: settings of the new grid without any record.
        differences: lines that say what was edited.
    """

    in_place: list[Found] = []
    moved: list[tuple[Found, Run]] = []
    orphaned: list[Found] = []
    damaged: list[tuple[Path, str]] = []
    new_settings: int = 0
    differences: list[str] = []

    @property
    def kept(self) -> int:
        """Number of records that the new configuration counts as its own."""
        return len(self.in_place) + len(self.moved)

    def text(self) -> str:
        """The plan as a person reads it."""
        lines = [f"  {line}" for line in self.differences]
        lines.append(
            f"plan: kept {self.kept} records ({len(self.moved)} of them get a new index), "
            f"new {self.new_settings} settings, orphaned {len(self.orphaned)} records "
            "(set aside in orphaned/; nothing is deleted)"
        )
        lines += [f"  damaged, set aside: {path.name} ({why})" for path, why in self.damaged]
        return "\n".join(lines)


def open_folder(
    path: Path, manifest: Manifest, defaults: Mapping[str, Any], *, adopt: bool, dry: bool = False
) -> tuple[ResultFolder, Plan | None]:
    """The folder for a configuration, once its indices mean what the configuration says.

    Args:
        defaults: the agent's documented defaults, for records older than a hyperparameter.
        adopt: carry out the plan where the configuration was edited.
        dry: change nothing on disk.

    Returns:
        The folder, and the plan that was carried out (with `dry`: that would be).

    Raises:
        ConfigError: another environment, agent or seed offset; or an edited configuration
            without `adopt` (the message is the plan).
    """
    folder = ResultFolder(path, manifest)
    try:
        exists = path.exists()
    except OSError as error:  # a name that is too long, a folder that may not be searched
        raise ConfigError(f"--save-dir: {path} cannot be used: {error.strerror}") from None
    if adopt and exists and not dry:
        with housekeeping(path, "adoption"):
            return _open(folder, defaults, adopt=True, dry=False)
    return _open(folder, defaults, adopt=adopt, dry=dry)


def _open(
    folder: ResultFolder, defaults: Mapping[str, Any], *, adopt: bool, dry: bool
) -> tuple[ResultFolder, Plan | None]:
    path, manifest = folder.path, folder.manifest
    old = folder.manifest_on_disk() if path.exists() else None
    if old is not None:
        refuse_another_experiment(path, old, manifest)
    same = old is not None and old.means_the_same_as(manifest)
    if same and not adopt:
        return folder, None
    if adopt and not dry and not same:
        _refuse_running(folder)
        restore(folder)
    found, damaged = scan(folder) if path.exists() else ([], [])
    plan = make_plan(folder, found, defaults)
    plan.damaged = damaged
    settled = not plan.moved and not any(not _is_orphan(one) for one in plan.orphaned)
    under_way = any((path / "running").glob("*.checkpoint")) or bool(_running(folder))
    if old is not None and not same:
        plan.differences = old.differences(manifest)
    if not found and not damaged and not under_way:
        if not dry:
            _start(folder, old, same)
        return folder, None
    if old is None and settled:
        if not dry:
            _start(folder, old, same)
        return folder, None
    if not adopt and not same:
        raise ConfigError(
            f"{path}: the configuration is not the one that its results were made with\n"
            f"{plan.text()}\ngo on with --adopt, or use another --save-dir"
        )
    if not dry:
        carry_out(folder, plan)
    return folder, plan


def _start(folder: ResultFolder, old: Manifest | None, same: bool) -> None:
    """Nothing was done under another configuration: this one takes the folder."""
    if old is not None and not same:
        folder.write_manifest()
    else:
        folder.create()
    now = folder.manifest_on_disk()
    if now is None or not now.means_the_same_as(folder.manifest):
        raise ConfigError(
            f"{folder.path}: another process has just begun another configuration in it; "
            "use another --save-dir"
        )


def _running(folder: ResultFolder) -> list[Path]:
    """The locks of runs that are under way."""
    return [path for path in (folder.path / "running").glob("*.lock") if held(path)]


def refuse_another_experiment(path: Path, old: Manifest, new: Manifest) -> None:
    """Stops where adopting would mix experiments.

    Raises:
        ConfigError: environment, agent or seed offset differ.
    """
    for what, mine, theirs in (
        ("environment", new.problem["env_name"], old.problem["env_name"]),
        ("agent", new.agent_name, old.agent_name),
        ("--seed-offset", new.seed_offset, old.seed_offset),
    ):
        if mine != theirs:
            raise ConfigError(
                f"{path} holds results of {what} {theirs}, not {mine}; use another --save-dir"
            )


def scan(folder: ResultFolder) -> tuple[list[Found], list[tuple[Path, str]]]:
    """Every record of the folder, orphans included, and the files that are none.

    What counts before others comes first. Of one index's copies of a run, only that one is there.
    """
    found, damaged = [], []
    paths = [path for _, path in folder.record_files()]
    paths += (folder.path / "orphaned").glob("*.json")
    for path in sorted(paths):
        try:
            data = path.read_bytes()
            sealed = record.unseal(data)
            found.append(Found(path, sealed.setting, sealed.head, record.agent_params(data)))
        except record.BadRecord as bad:
            damaged.append((path, str(bad)))
        except FileNotFoundError:
            continue  # taken back by its run since the folder was listed
        except OSError as error:
            raise StorageError(f"{path}: cannot be read: {error.strerror}") from None
    known = {(one.name, one.head.index) for one in found}
    for one in itertools.chain(_lines(folder), _pruned(folder)):
        if (one.name, one.head.index) not in known:
            known.add((one.name, one.head.index))
            found.append(one)
    return found, damaged


def _lines(folder: ResultFolder) -> Iterator[Found]:
    """The records in shards."""
    shards = folder.shards
    shards.look()
    params: dict[int, Mapping[str, Any]] = {}  # the same for all runs of a setting
    for line in shards:
        with storage(f"{shards.path(line)}: cannot be read"):
            data = shards.read(line)
        with contextlib.suppress(record.BadRecord):  # combine.py says so
            head = record.unseal(data).head
            if line.setting_id not in params:
                params[line.setting_id] = record.agent_params(data)
            known = params[line.setting_id]
            yield Found(shards.path(line), line.setting, head, known, line)


def _pruned(folder: ResultFolder) -> Iterator[Found]:
    """The records that only `data.json` holds."""
    old = folder.manifest_on_disk()
    if old is not None:
        before = ResultFolder(folder.path, old)
        for run in map(before.run, before.pruned()):
            head = record.Head(
                run.number, run.index, run.setting_id, run.random_seed, record.STATUSES[0]
            )
            params = old.grid.setting(run.setting)
            path = folder.path / DATA_NAME
            yield Found(path, run.setting, head, params, pruned=True)


def make_plan(folder: ResultFolder, found: list[Found], defaults: Mapping[str, Any]) -> Plan:
    """Matches records to the runs of the folder's (new) manifest by who they are."""
    plan = Plan()
    settings_of: dict[str, list[int]] = {}
    groups: dict[tuple[str, int], list[Found]] = defaultdict(list)
    for one in found:
        if one.head.setting_id not in settings_of:
            settings_of[one.head.setting_id] = _settings(folder.manifest, one, defaults)
        groups[one.head.setting_id, one.head.random_seed].append(one)
    for (identity, seed), members in groups.items():
        number = seed - folder.manifest.seed_offset
        runs = [
            folder.run(folder.manifest.grid.index(setting, number))
            for setting in settings_of[identity]
            if number >= 0
        ]
        _match(folder, members, runs, plan)
    settings_with_records = {
        setting for one in found for setting in settings_of[one.head.setting_id]
    }
    plan.new_settings = folder.manifest.grid.size - len(settings_with_records)
    return plan


def _settings(manifest: Manifest, one: Found, defaults: Mapping[str, Any]) -> list[int]:
    """The settings of the grid that mean what the record says: none, one, or repeated draws."""
    claimed = setting_id(manifest.agent_name, one.agent_params, manifest.problem)
    if claimed != one.head.setting_id:
        return []  # made for another problem (another gamma, more timesteps...)
    # a hyperparameter that is younger than the record had its default
    params = {**defaults, **one.agent_params}
    if params.keys() != manifest.grid.names:
        return []
    return list(manifest.grid.where(params))


def _match(folder: ResultFolder, members: list[Found], runs: list[Run], plan: Plan) -> None:
    """Gives each record one of the runs; those at home first, so that little moves."""
    free = {run.index: run for run in runs}
    homeless = []
    for one in members:
        run = free.get(one.head.index)
        at_home = (
            run is not None
            and (not one.is_file or one.path == folder.record_path(run.index))
            and one.setting == run.setting
            and run.is_of(one.head)
        )
        if at_home and run is not None:
            del free[run.index]
            plan.in_place.append(one)
        else:
            homeless.append(one)
    for one in homeless:
        if free:
            plan.moved.append((one, free.pop(min(free))))
        else:
            plan.orphaned.append(one)


def carry_out(folder: ResultFolder, plan: Plan) -> None:
    """Carries a plan out. Killed anywhere and run again, it ends the same.

    First everything that moves goes to the orphans, where names are identities and cannot clash;
    then the new manifest is written; then records go to their new indices.

    Raises:
        ConfigError: a run of the folder is under way.
    """
    _refuse_running(folder)
    folder.clear_second_names()
    lifted = []
    in_files = [(one, run) for one, run in plan.moved if one.is_file]
    in_shards = [(one.line, run) for one, run in plan.moved if one.line is not None]
    for one, run in in_files:
        path = one.path if _is_orphan(one) else folder.set_aside(one.path, one.name)
        lifted.append((path, run))
    for one in plan.orphaned:
        if not _is_orphan(one):
            folder.set_aside(one.path, one.name)
    for path, _ in plan.damaged:
        move_damaged_aside(path)
    with ShardWriter(folder.path, "adopted").many() as add:
        for line, run in in_shards:
            with storage(f"{folder.shards.path(line)}: cannot be read"):
                data = folder.shards.read(line)
            add(folder.readdressed(data, run))  # counts from the new manifest on
    folder.write_manifest()
    for path, run in lifted:
        folder.place(path, run)
    _drop_lines(folder, [line for line, _ in in_shards])


def _drop_lines(folder: ResultFolder, lines: Sequence[Line]) -> None:
    """Removes lines from their shards, where they do not count any more."""
    by_path: dict[Path, list[Line]] = defaultdict(list)
    for line in lines:
        by_path[folder.shards.path(line)].append(line)
    folder.shards.close()
    for path, gone in by_path.items():
        without_lines(path, [(line.start, line.start + line.length) for line in gone])


def _refuse_running(folder: ResultFolder) -> None:
    running = _running(folder)
    if running:
        raise ConfigError(
            f"{folder.path}: {len(running)} runs are under way; adopt when they are done "
            f"(one is {running[0].name})"
        )


def _is_orphan(one: Found) -> bool:
    """Whether it is where an orphan is: in a shard that is anywhere."""
    return not one.is_file or one.path.parent.name == "orphaned"
