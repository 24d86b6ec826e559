"""Folders with records that say whose they are, and what must hold of them after any edit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sweep_runs import build, read_run

import agents
from experiment import pruned, record
from experiment.adoption import Plan, open_folder
from experiment.configuration import Experiment
from experiment.folder import ResultFolder, read_manifest
from experiment.manifest import Manifest
from experiment.scheduling import missing
from experiment.shard_writer import ShardWriter
from experiment.step_arrays import StepArrays
from experiment.values import default_values

Parameters = dict[str, list[Any]]
DEFAULTS = default_values(agents.settings_type("linearAC"))


def experiment_of(parameters: Parameters, **keys: Any) -> Experiment:
    return build({"agent_name": "linearAC", "parameters": parameters}, **keys)


def adopt(experiment: Experiment, path: Path, **how: Any) -> tuple[ResultFolder, Plan | None]:
    how = {"adopt": True} | how
    return open_folder(path, Manifest.of(experiment, 0), DEFAULTS, **how)


def write_record(folder: ResultFolder, index: int, *, shard: bool = False) -> None:
    """A whole record whose payload says whose it is; odd runs have arrays, if they have a file."""
    run = folder.run(index)
    payload = f"{run.setting_id} {run.random_seed}"
    content: dict[str, Any] = {
        "run_number": run.number,
        "index": index,
        "setting_id": run.setting_id,
        "random_seed": run.random_seed,
        "status": "completed",
        "payload": payload,
    }
    arrays = StepArrays(["learned_params"]).encode({"payload": np.array(payload)})
    folder.writer = ShardWriter(folder.path, "node") if shard else None
    folder.write(run, content, arrays if run.number % 2 and not shard else None)
    folder.writer = None


def contents(path: Path) -> Counter[tuple[Any, ...]]:
    """(setting_id, seed, payload, payload of the arrays) of every record, wherever it is."""
    found: Counter[tuple[Any, ...]] = Counter()
    for file in [*path.glob("*_data_*.json"), *path.glob("orphaned/*.json")]:
        run = read_run(file)
        arrays = None
        if file.with_suffix(".npz").exists():
            with np.load(file.with_suffix(".npz")) as loaded:
                arrays = str(loaded["learned_params.payload"])
        found[run["setting_id"], run["random_seed"], run["payload"], arrays] += 1
    for line in lines(path):
        run = record.load(line)[2]
        found[run["setting_id"], run["random_seed"], run["payload"], None] += 1
    for run in pruned_runs(path):
        found[run["setting_id"], run["random_seed"], run["payload"], None] += 1
    return found


def pruned_runs(path: Path) -> Iterator[dict[str, Any]]:
    """Every run that only data.json holds."""
    manifest = read_manifest(path)
    if manifest is not None and (indices := pruned.read_strictly(path, manifest)):
        tree = json.loads((path / "data.json").read_bytes())
        for setting in tree["experiment_data"].values():
            yield from (run for run in setting["runs"] if run["index"] in indices)


def lines(path: Path) -> Iterator[bytes]:
    """Every record in shards."""
    for file in path.glob("shards/*.jsonl"):
        yield from file.read_bytes().splitlines(keepends=True)


def assert_every_record_is_what_its_index_means(folder: ResultFolder) -> None:
    placed = set()
    for index, path in folder.record_files():
        _, params, run = record.load(path.read_bytes())
        expected = folder.run(index)
        assert record.unseal(path.read_bytes()).setting == expected.setting
        assert expected.is_of(record.unseal(path.read_bytes()).head)
        assert (run["index"], run["run_number"]) == (index, expected.number)
        assert params == folder.manifest.grid.setting(expected.setting)
        placed.add((run["setting_id"], run["random_seed"]))
    placed |= {(run["setting_id"], run["random_seed"]) for run in pruned_runs(folder.path)}
    homeless = set()
    folder.shards.look()
    for line in lines(folder.path):
        _, params, run = record.load(line)
        sealed = record.unseal(line)
        if folder.shards.find(run["index"]) is not None and (
            sealed.head.setting_id == folder.run(run["index"]).setting_id
        ):
            assert params == folder.manifest.grid.setting(sealed.setting)
            placed.add((run["setting_id"], run["random_seed"]))
        else:
            homeless.add(sealed.head.setting_id)
    meant = {folder.manifest.setting_id(s) for s in range(folder.manifest.grid.size)}
    assert not homeless & meant
    for path in folder.path.glob("orphaned/*.json"):
        head = record.unseal(path.read_bytes()).head
        assert head.setting_id not in meant, "an orphan that has an index"
        assert path.stem == f"{head.setting_id}-{head.random_seed}"
    assert missing.records(folder).whole == {
        folder.manifest.grid.index(setting, seed)
        for identity, seed in placed
        for setting in range(folder.manifest.grid.size)
        if folder.manifest.setting_id(setting) == identity
    }
    on_disk = folder.manifest_on_disk()
    assert on_disk is not None
    assert on_disk.means_the_same_as(folder.manifest)


def snapshot(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }
