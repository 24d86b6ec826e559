"""An edited configuration in a folder with results: every record keeps its meaning."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from edited_folders import (
    DEFAULTS,
    Parameters,
    adopt,
    assert_every_record_is_what_its_index_means,
    contents,
    experiment_of,
    snapshot,
    write_record,
)
from sweep_runs import LINEAR_AC, build, comparable, new_folder, read_run

from experiment.adoption import open_folder
from experiment.configuration import Experiment
from experiment.errors import ConfigError, Locked
from experiment.folder import ResultFolder
from experiment.lock import Lock
from experiment.manifest import Manifest
from experiment.run import Options, Outcome, run_index


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
