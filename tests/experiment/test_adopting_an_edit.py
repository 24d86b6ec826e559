"""An edited configuration in a folder with results: every record keeps its meaning."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweep_runs import (
    LINEAR_AC,
    build,
    command,
    comparable,
    new_folder,
    read_run,
    run_main,
    write_files,
)

import agents
from experiment import pruned, record
from experiment.adoption import Plan, open_folder
from experiment.configuration import Experiment
from experiment.errors import ConfigError, Locked
from experiment.folder import ResultFolder, read_manifest
from experiment.lock import Lock
from experiment.manifest import Manifest
from experiment.prune import prune
from experiment.run import Options, Outcome, run_index
from experiment.scheduling import missing
from experiment.shard_writer import ShardWriter
from experiment.step_arrays import StepArrays
from experiment.values import default_values

Parameters = dict[str, list[Any]]
DEFAULTS = default_values(agents.settings_type("linearAC"))
VALUES: Parameters = {
    "critic_lr": [0.005, 0.1, 0.3, 0.7],
    "actor_lr": [0.01, 0.1, 0.3],
    "tilings": [4, 8, 16],
    "scaled": [False, True],
}


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


parameters_strategy: st.SearchStrategy[Parameters] = (
    st.fixed_dictionaries(
        {},
        optional={
            name: st.lists(st.sampled_from(values), min_size=1, unique=True)
            for name, values in VALUES.items()
        },
    )
    .flatmap(lambda chosen: st.permutations(list(chosen.items())))
    .map(dict)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(parameters_strategy, min_size=2, max_size=4), st.data())
def test_records_follow_their_settings_through_any_edits(
    edits: list[Parameters], data: st.DataObject
) -> None:
    follow_their_settings(edits, data, st.just(False))


@settings(max_examples=15, deadline=None)
@given(st.lists(parameters_strategy, min_size=2, max_size=3), st.data())
def test_records_in_shards_and_pruned_ones_follow_them_too(
    edits: list[Parameters], data: st.DataObject
) -> None:
    follow_their_settings(edits, data, st.booleans())


def follow_their_settings(
    edits: list[Parameters], data: st.DataObject, in_shards: st.SearchStrategy[bool]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "folder"
        first_records: dict[str, bytes] = {}
        known: Counter[tuple[Any, ...]] = Counter()
        for number, parameters in enumerate([*edits, edits[0]]):
            folder, _ = adopt(experiment_of(parameters), path)
            assert contents(path) == known
            assert_every_record_is_what_its_index_means(folder)
            for index in data.draw(st.sets(st.integers(0, 3 * folder.manifest.grid.size - 1))):
                if folder.finished(folder.run(index), pytest.fail) is None:
                    write_record(folder, index, shard=data.draw(in_shards))
            known = contents(path)
            whole = missing.records(folder).whole
            is_pruned = data.draw(in_shards)
            if whole and is_pruned:
                prune(path, lambda done, total: None)
                assert missing.records(folder).whole == whole
                continue
            if number == 0:
                first_records = {
                    name: content for name, content in snapshot(path).items() if "_data_" in name
                }
        # the first configuration is back, and all its records are where they were
        after = snapshot(path)
        for name, content in first_records.items():
            if name not in after:
                continue  # it was pruned in the meantime
            if name.endswith(".npz"):
                assert after[name] == content
            else:
                files, *rest = record.load(after[name])
                first_files, *first_rest = record.load(content)
                assert rest == first_rest
                # of two agent files that mean the same, the one that was adopted last is quoted
                assert files["environment"] == first_files["environment"]


EDITS: dict[str, tuple[Parameters, Parameters]] = {
    "appended": ({"critic_lr": [0.1, 0.3], "actor_lr": [0.1]}, {"critic_lr": [0.1, 0.3, 0.7]}),
    "removed": ({"critic_lr": [0.1, 0.3, 0.7]}, {"critic_lr": [0.3, 0.7]}),
    "values swapped": ({"critic_lr": [0.1, 0.3]}, {"critic_lr": [0.3, 0.1]}),
    "keys swapped": (
        {"critic_lr": [0.1, 0.3], "tilings": [4, 8]},
        {"tilings": [4, 8], "critic_lr": [0.1, 0.3]},
    ),
    "key with its default": ({"critic_lr": [0.1, 0.3]}, {"tilings": [8, 16], "critic_lr": [0.1]}),
    "key with another value": ({"critic_lr": [0.1, 0.3]}, {"tilings": [4], "critic_lr": [0.1]}),
}


class Killed(BaseException):
    """The process ended here."""


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], bool]]:
    """Ends the block at the `step`th change of the disk; yields whether it came that far."""
    done = 0

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal done
            done += 1
            if done == step:
                raise Killed
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for owner, name in (
            (Path, "rename"),
            (Path, "replace"),
            (Path, "unlink"),
            (Path, "mkdir"),
            (os, "link"),
            (os, "fsync"),
            (tempfile, "mkstemp"),
        ):
            patch.setattr(owner, name, counting(getattr(owner, name)))
        yield lambda: done >= step


def killed_everywhere(
    after: Experiment, old: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, Path]]:
    """(step, folder): copies of `old` whose adoption was killed at each of its steps, and one
    whose adoption came to its end."""
    step, reached = 0, True
    while reached:
        step += 1
        path = old.with_name(f"killed-{step}")
        shutil.copytree(old, path)
        with killed_at(step, monkeypatch) as came_so_far:
            with suppress(Killed):
                adopt(after, path)
            reached = came_so_far()
        # this process lives on: the lock that the killed one leaves would count as held
        shutil.rmtree(path / "running", ignore_errors=True)
        yield step, path
        shutil.rmtree(path)


@pytest.mark.parametrize("edit", EDITS)
def test_adopting_killed_anywhere_and_done_again_ends_the_same(
    edit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = map(experiment_of, EDITS[edit])
    old = new_folder(tmp_path / "old", before)
    for index in range(2 * before.grid.size):
        write_record(old, index)
    (old.path / "experiment.json.note").write_text("not ours")
    expected_path = tmp_path / "expected"
    shutil.copytree(old.path, expected_path)
    adopt(after, expected_path)
    expected = snapshot(expected_path)

    for step, path in killed_everywhere(after, old.path, monkeypatch):
        folder, _ = adopt(after, path)
        assert contents(path) == contents(old.path), step
        assert_every_record_is_what_its_index_means(folder)
        left = {name: content for name, content in snapshot(path).items() if ".tmp" not in name}
        assert left == expected, step
    assert step > 5


@pytest.mark.parametrize("edit", ["removed", "key with its default"])
def test_killed_anywhere_no_record_in_a_shard_or_in_data_json_is_lost(
    edit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = map(experiment_of, EDITS[edit])
    old = new_folder(tmp_path / "old", before)
    for index in range(before.grid.size):
        write_record(old, index, shard=index % 2 == 0)
    prune(old.path, lambda done, total: None)
    for index in range(before.grid.size, 3 * before.grid.size):
        write_record(old, index, shard=index % 2 == 0)
    payloads = {payload for _, _, payload, _ in contents(old.path)}
    expected_path = tmp_path / "expected"
    shutil.copytree(old.path, expected_path)
    expected = missing.records(adopt(after, expected_path)[0]).whole
    assert expected

    for step, path in killed_everywhere(after, old.path, monkeypatch):
        assert {payload for _, _, payload, _ in contents(path)} == payloads, step
        folder, _ = adopt(after, path)
        assert missing.records(folder).whole == expected, step
        assert {payload for _, _, payload, _ in contents(path)} == payloads, step
    assert step > 10


def test_without_adopt_an_edit_is_a_plan_and_nothing_changes(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "folder", experiment_of({"critic_lr": [0.1, 0.3]}))
    for index in range(4):
        write_record(folder, index)
    before = snapshot(folder.path)
    edited = experiment_of({"critic_lr": [0.3, 0.7]})
    with pytest.raises(ConfigError) as caught:
        adopt(edited, folder.path, adopt=False)
    assert str(caught.value).splitlines() == [
        f"{folder.path}: the configuration is not the one that its results were made with",
        "  critic_lr: [0.1,0.3] -> [0.3,0.7]",
        "plan: kept 2 records (2 of them get a new index), new 1 settings, orphaned 2 records "
        "(set aside in orphaned/; nothing is deleted)",
        "go on with --adopt, or use another --save-dir",
    ]
    adopt(edited, folder.path, dry=True)
    assert snapshot(folder.path) == before


@pytest.mark.parametrize(
    "same",
    [
        {"critic_lr": [0.1, 0.3], "actor_lr": 0.01},
        {"critic_lr": [0.1, 0.3], "actor_lr": [0.01], "tilings": 16},
        {"tilings": 16, "critic_lr": [0.1, 0.3]},
        {"clip_stddev": 1000, "critic_lr": [0.1, 0.3]},
    ],
)
def test_the_same_configuration_written_otherwise_is_nothing_to_say(
    same: Parameters, tmp_path: Path
) -> None:
    folder = new_folder(tmp_path / "folder", experiment_of({"critic_lr": [0.1, 0.3]}))
    write_record(folder, 1)
    before = snapshot(folder.path)
    assert adopt(experiment_of(same), folder.path, adopt=False)[1] is None
    assert snapshot(folder.path) == before


@pytest.mark.parametrize(
    ("other", "offset", "message"),
    [
        (build({"agent_name": "random"}), 0, "holds results of agent linearAC, not random"),
        (
            build(LINEAR_AC, env_name="Pendulum-v1"),
            0,
            "holds results of environment sweep/PendulumContinuous-v1, not Pendulum-v1",
        ),
        (build(LINEAR_AC), 5, "holds results of --seed-offset 0, not 5"),
    ],
)
@pytest.mark.parametrize("adopting", [False, True])
def test_another_experiment_is_refused(
    other: Experiment, offset: int, message: str, adopting: bool, tmp_path: Path
) -> None:
    folder = new_folder(tmp_path / "folder", build(LINEAR_AC))
    write_record(folder, 0)
    before = snapshot(folder.path)
    with pytest.raises(ConfigError) as caught:
        open_folder(folder.path, Manifest.of(other, offset), DEFAULTS, adopt=adopting)
    assert message in str(caught.value)
    assert snapshot(folder.path) == before


def test_a_problem_that_was_edited_orphans_and_an_evaluation_does_not(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "folder", experiment_of({}))
    write_record(folder, 0)
    write_record(folder, 1)
    _, plan = adopt(experiment_of({}, eval_episodes=7), folder.path)
    assert plan is not None
    assert (plan.kept, len(plan.orphaned), plan.differences) == (2, 0, ["eval_episodes: 2 -> 7"])
    _, plan = adopt(experiment_of({}, gamma=0.5), folder.path)
    assert plan is not None
    assert (plan.kept, len(plan.orphaned)) == (0, 2)


def test_records_older_than_a_hyperparameter_had_its_default(tmp_path: Path) -> None:
    experiment = experiment_of({"critic_lr": [0.1, 0.3]})
    folder = new_folder(tmp_path / "folder", experiment)
    # as a version without `tilings` wrote it
    grid = experiment.grid
    young = {name: value for name, value in grid.constants.items() if name != "tilings"}
    old_manifest = msgspec.structs.replace(
        Manifest.of(experiment, 0), grid=type(grid)(grid.axes, young)
    )
    old = ResultFolder(folder.path, old_manifest)
    old.write_manifest()
    for index in range(4):
        write_record(old, index)
    assert folder.run(0).setting_id != old.run(0).setting_id
    _, plan = adopt(experiment, folder.path)
    assert plan is not None
    assert (plan.kept, plan.orphaned, plan.new_settings) == (4, [], 0)
    assert_every_record_is_what_its_index_means(folder)
    payloads = [read_run(folder.record_path(index))["payload"] for index in range(4)]
    assert payloads == [f"{old.run(i).setting_id} {old.run(i).random_seed}" for i in range(4)]


def test_a_run_that_ends_after_its_folder_was_edited_goes_to_the_orphans(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = experiment_of({"critic_lr": [0.1]}), experiment_of({"critic_lr": [0.3]})
    old = new_folder(tmp_path / "folder", before)
    new = ResultFolder(old.path, Manifest.of(after, 0))
    new.write_manifest()  # by somebody else, meanwhile
    assert run_index(before, old, 0, Options(record=("train_rewards",))) is Outcome.COMPLETED
    assert "the configuration of the folder changed while this ran" in capsys.readouterr().err
    orphan = old.orphan_path(old.run(0).name)
    assert orphan.exists()
    assert orphan.with_suffix(".npz").exists()
    assert not old.record_path(0).exists()
    assert run_index(after, new, 0, Options()) is Outcome.COMPLETED
    # the edit is taken back: the index that the orphan has again takes it without training
    adopt(before, old.path)
    assert run_index(before, old, 0, Options()) is Outcome.FINISHED_BEFORE
    assert_every_record_is_what_its_index_means(old)
    assert not orphan.exists()


def test_an_orphan_is_taken_back_by_its_own_run_only(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "folder", experiment_of({"critic_lr": [0.1, 0.3]}))
    write_record(folder, 0)
    write_record(folder, 1)
    folder.set_aside(folder.record_path(0), folder.run(0).name)
    folder.set_aside(folder.record_path(1), folder.run(2).name)  # under a wrong name
    assert folder.finished(folder.run(0), pytest.fail) is not None
    assert folder.finished(folder.run(2), pytest.fail) is None
    assert folder.orphan_path(folder.run(2).name).exists()


def test_a_damaged_record_is_kept_and_its_run_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = experiment_of({})
    folder = new_folder(tmp_path / "folder", experiment)
    run_index(experiment, folder, 0, Options())
    path = folder.record_path(0)
    expected, whole = read_run(path), path.read_bytes()
    for number in (1, 2):
        path.write_bytes(whole[:-40])
        assert run_index(experiment, folder, 0, Options()) is Outcome.COMPLETED
        assert "kept as" in capsys.readouterr().err
        assert comparable(read_run(path)) == comparable(expected)
        assert len(list(folder.path.glob("*.damaged"))) == number


def test_a_damaged_record_is_set_aside_by_adopting(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "folder", experiment_of({"critic_lr": [0.1, 0.3]}))
    for index in range(3):
        write_record(folder, index)
    folder.record_path(1).write_bytes(b"{")
    _, plan = adopt(experiment_of({"critic_lr": [0.3, 0.1]}), folder.path)
    assert plan is not None
    assert "damaged, set aside: " in plan.text()
    assert len(list(folder.path.glob("*_data_1.json.damaged"))) == 1
    assert sum(contents(folder.path).values()) == 2


def test_nothing_is_adopted_while_a_run_is_under_way(tmp_path: Path) -> None:
    experiment, edited = experiment_of({"critic_lr": [0.1]}), experiment_of({"critic_lr": [0.3]})
    folder = new_folder(tmp_path / "folder", experiment)
    with folder.lock(folder.run(0)):
        with pytest.raises(ConfigError, match="go on with --adopt"):
            adopt(edited, folder.path, adopt=False)
        with pytest.raises(ConfigError, match="1 runs are under way; adopt when they are done"):
            adopt(edited, folder.path)
    assert adopt(edited, folder.path)[1] is None  # nothing was done here: nothing to say


def test_two_do_not_adopt_at_once(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "folder", experiment_of({"critic_lr": [0.1]}))
    write_record(folder, 0)
    with (
        Lock(folder.path / "running" / "adoption", "the adoption"),
        pytest.raises(Locked, match=r"the adoption in .* is being run by process"),
    ):
        adopt(experiment_of({"critic_lr": [0.3]}), folder.path)


def test_records_without_their_manifest_are_taken_for_what_they_are(tmp_path: Path) -> None:
    experiment = experiment_of({"critic_lr": [0.1, 0.3]})
    folder = new_folder(tmp_path / "folder", experiment)
    write_record(folder, 1)
    (folder.path / "experiment.json").unlink()
    assert adopt(experiment, folder.path, adopt=False)[1] is None
    assert_every_record_is_what_its_index_means(folder)
    (folder.path / "experiment.json").unlink()
    with pytest.raises(ConfigError, match="kept 1 records"):
        adopt(experiment_of({"critic_lr": [0.3, 0.1]}), folder.path, adopt=False)


# -- through the command


def test_main_stops_at_an_edit_and_goes_on_with_adopt(tmp_path: Path) -> None:
    agent = {"agent_name": "linearAC", "parameters": {"critic_lr": [0.1, 0.3]}}
    fields = {"total_timesteps": 30, "eval_episodes": 0}
    files = write_files(tmp_path, agent, **fields)
    assert run_main(*files, "--runs", "1", cwd=tmp_path).returncode == 0
    agent["parameters"] = {"critic_lr": [0.7, 0.1]}
    write_files(tmp_path, agent, **fields)
    before = snapshot(tmp_path / "results")
    stopped = run_main(*files, "--runs", "1", cwd=tmp_path)
    assert stopped.returncode == 2
    assert "plan: kept 1 records (1 of them get a new index), new 1 settings" in stopped.stderr
    shown = run_main(*files, "--dry-run", cwd=tmp_path)
    assert shown.returncode == 0
    assert "note: a real run would stop: " in shown.stderr
    assert json.loads(shown.stdout)["index"] == 0
    assert snapshot(tmp_path / "results") == before
    adopted = run_main(*files, "--runs", "1", "--adopt", cwd=tmp_path)
    assert adopted.returncode == 0, adopted.stderr
    assert adopted.stdout.startswith("2 indices: 1 completed, 1 finished before: ")
    assert len(list((tmp_path / "results").rglob("orphaned/*.json"))) == 1


def test_two_configurations_that_begin_one_folder_at_once_do_not_mix(tmp_path: Path) -> None:
    fields = {"total_timesteps": 2_000, "eval_episodes": 0}
    processes = []
    for name, value in (("one", 0.1), ("other", 0.3)):
        agent = {"agent_name": "linearAC", "parameters": {"critic_lr": [value]}}
        files = write_files(tmp_path / name, agent, **fields)
        arguments = command(*files, "--save-dir", tmp_path / "out")
        processes.append(subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True))
    codes = []
    for process in processes:
        _, errors = process.communicate()
        assert "Traceback" not in errors
        codes.append(process.returncode)
    assert 0 in codes
    manifest = Manifest.decode(
        next((tmp_path / "out").rglob("experiment.json")).read_bytes(), tmp_path
    )
    (folder_path,) = (tmp_path / "out").iterdir()
    for index, path in ResultFolder(folder_path, manifest).record_files():
        run = ResultFolder(folder_path, manifest).run(index)
        assert run.is_of(record.unseal(path.read_bytes()).head)
