"""`--replay RECORD`: the same run again, and whether the result is the same."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import xxhash

from experiment import record
from experiment.configuration import Experiment, build_experiment
from experiment.errors import ConfigError, StorageError
from experiment.files import json_kind
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.merge_folder import read_manifest
from experiment.merge_sources import PrunedCopy, Sources
from experiment.run import Options, run_index

#: What two runs of the same may differ in: when and where, not what.
NOT_COMPARED = frozenset({"train_time", "eval_time", "provenance"})
EXIT_DIFFERENT = 1


def replay_record(path: Path, options: Options, index: int | None = None) -> int:
    """Runs a record's run again in a scratch folder, prints the comparison, returns 0 when equal.

    Args:
        path: of a record, or of a results folder that has one of `index`.

    Raises:
        ConfigError: no record at `path`.
    """
    try:
        data = path.read_bytes() if index is None else _record_in(path, index)
        files, params, original = record.load(data)
    except OSError as error:
        raise ConfigError(f"--replay: {path}: {error.strerror}") from None
    except record.BadRecord as bad:
        raise ConfigError(f"--replay: {path}: {bad}") from None
    experiment = _experiment_of_one(files, params, path)
    options = msgspec.structs.replace(
        options, force=True, checkpoint_minutes=1e9, shard=False, log=()
    )
    with tempfile.TemporaryDirectory(prefix="replay-") as scratch:
        offset = original["random_seed"] - original["run_number"]
        folder = ResultFolder(Path(scratch), Manifest.of(experiment, offset))
        folder.create()
        run_index(experiment, folder, original["run_number"], options)
        new_path = folder.record_path(original["run_number"])
        if not new_path.exists():
            raise StorageError("--replay: interrupted; there is nothing to compare")
        _, _, again = record.load(new_path.read_bytes())
    if again["setting_id"] != original["setting_id"]:
        print(
            "note: this version gives the setting another identity "
            f"({again['setting_id']}, not {original['setting_id']})"
        )
    ignored = NOT_COMPARED | {"index", "setting_id"}
    different = sorted(set(differences(original, again, ignored)))
    origins = sorted(set(origin_differences(original, again)))
    if not different:
        print(f"equal: {path} is reproduced to the last bit")
    else:
        print(f"different: {path} is not reproduced; it differs in {', '.join(different)}")
    for line in origins:
        print(f"  {line}")
    if different and not origins:
        print("  code, package versions, CPU and device are the same")
    return EXIT_DIFFERENT if different else 0


def _record_in(path: Path, index: int) -> bytes:
    """The record of `index` in a results folder, wherever it lies there."""
    manifest, meaning = read_manifest(path)
    with Sources(path, manifest, xxhash.xxh3_128_hexdigest(meaning)) as sources:
        for copy in sources.copies(index):
            with contextlib.suppress(FileNotFoundError):
                if not isinstance(copy, PrunedCopy):
                    return copy.data()
                sealed, _ = copy.read(lambda size: memoryview(bytearray(size)))
                setting = manifest.grid.setting(sealed.setting)
                files = dict(manifest.files)
                return record.sealed(files, sealed.setting, setting, bytes(sealed.run))
    raise ConfigError(f"--replay: {path}: there is no record of index {index}")


def _experiment_of_one(files: dict[str, Any], params: dict[str, Any], path: Path) -> Experiment:
    """The experiment whose only setting is the record's."""
    try:
        environment, name = files["environment"], files["agent"]["agent_name"]
    except (KeyError, TypeError):
        raise ConfigError(f"--replay: {path}: holds no environment and agent file") from None
    for what, value in (("environment", environment), ("agent_params", params)):
        if not isinstance(value, dict):
            raise ConfigError(f"--replay: {path}: {what} is {json_kind(value)}, not an object")
    agent = {
        "agent_name": name,
        "zip": {name: [value] for name, value in params.items()} if params else [],
    }
    return build_experiment(environment, agent, str(path), str(path))


def differences(one: Any, other: Any, ignored: frozenset[str], at: str = "") -> Iterator[str]:
    """Where two JSON values differ, as dotted paths; list positions are not told apart."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in dict.fromkeys([*one, *other]):
            where = f"{at}.{name}" if at else name
            if where in ignored:
                continue
            if name not in one or name not in other:
                yield where
            else:
                yield from differences(one[name], other[name], ignored, where)
    elif one != other:
        yield at


def origin_differences(original: dict[str, Any], again: dict[str, Any]) -> Iterator[str]:
    """What was different about code, versions, CPU and device, a line each."""
    theirs, ours = original.get("provenance", {}), again["provenance"]
    for name in ("code", "packages", "python", "cpu", "device"):
        for where in differences({name: theirs.get(name)}, {name: ours[name]}, frozenset()):
            yield f"{where}: {_look_up(theirs, where)} then, {_look_up(ours, where)} now"


def _look_up(tree: Any, path: str) -> Any:
    for name in path.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree
