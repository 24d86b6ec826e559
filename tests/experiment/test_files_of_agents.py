"""An agent that keeps files has folders in the results folder: its run's own, and shared ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import drifting
import pytest
from drifting import DRIFTING, Drifting
from sweep_runs import build, new_folder

import agents
from agents.base import Files, InUse, leaving
from experiment.configuration import Experiment
from experiment.errors import StorageError
from experiment.run import Options, Outcome, build_training, run_index
from experiment.run_files import RunFiles


class Writing(Drifting):
    """Notes in a file of its own how often it was begun, and in a shared one by whom."""

    KEEPS_FILES = True

    def __init__(self, *arguments: Any, files: Files, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.files = files

    def advance(self, until: int, stop: Any) -> None:
        if self.timestep == 0:
            self.files.run.mkdir(parents=True, exist_ok=True)
            with (self.files.run / "notes").open("a") as notes:
                notes.write("begun\n")
            with self.files.lock("list"), (self.files.shared / "list").open("a") as names:
                names.write(f"{self.files.run.name}\n")
        super().advance(until, stop)


class Failing(Writing):
    def advance(self, until: int, stop: Any) -> None:
        raise OSError(28, "No space left on device", "rollouts")


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.setattr(drifting, "Writing", Writing, raising=False)
    monkeypatch.setattr(drifting, "Failing", Failing, raising=False)
    monkeypatch.setitem(agents.AGENTS, "drifting", (drifting.AGENTS["drifting"][0], WRITING))
    fields = {"env_name": "CartPole-v1", "total_timesteps": 120, "eval_episodes": 0}
    return build(DRIFTING, **fields)


WRITING = "drifting:Writing"


def test_a_run_has_a_folder_of_its_own_and_one_with_all_others(
    experiment: Experiment, tmp_path: Path
) -> None:
    folder = new_folder(tmp_path, experiment)
    runs = [folder.run(index) for index in (0, 1)]
    for run in runs:
        assert run_index(experiment, folder, run.index, Options()) is Outcome.COMPLETED
        assert (tmp_path / "files" / run.name / "notes").read_text() == "begun\n"
    shared = tmp_path / "files" / "shared"
    assert (shared / "list").read_text().split() == [run.name for run in runs]
    assert [path.name for path in shared.iterdir()] == ["list"]


def test_a_run_that_begins_anew_finds_no_files_of_its_own(
    experiment: Experiment, tmp_path: Path
) -> None:
    folder = new_folder(tmp_path, experiment)
    for _ in range(2):
        run_index(experiment, folder, 0, Options(force=True))
        assert (folder.files(folder.run(0)).run / "notes").read_text() == "begun\n"
    assert len((tmp_path / "files" / "shared" / "list").read_text().split()) == 2


def test_nothing_is_made_before_the_agent_writes(experiment: Experiment, tmp_path: Path) -> None:
    folder = new_folder(tmp_path, experiment)
    build_training(experiment, [folder.run(0)], Options(), folder=folder).close()
    assert not (tmp_path / "files").exists()


def test_a_full_disk_ends_the_run_with_a_sentence(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(agents.AGENTS, "drifting", (drifting.AGENTS["drifting"][0], FAILING))
    with pytest.raises(StorageError, match="rollouts: No space left on device"):
        run_index(experiment, new_folder(tmp_path, experiment), 0, Options())


FAILING = "drifting:Failing"


def test_what_is_shared_is_for_one_process_at_a_time(tmp_path: Path) -> None:
    files = RunFiles(tmp_path, "a")
    program = (
        "import sys; from pathlib import Path; from experiment.run_files import RunFiles;"
        "from agents.base import InUse\n"
        "try:\n"
        f"  with RunFiles(Path({str(tmp_path)!r}), 'b').lock('thing'): print('free')\n"
        "except InUse as error: print(error)"
    )

    def other() -> str:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        return done.stdout

    with files.lock("thing"):
        assert "shared/thing is being run by process" in other()
        with files.lock("another thing"):
            pass
        with pytest.raises(InUse), files.lock("thing"):
            pass
    assert other() == "free\n"


def test_a_driver_hears_whether_it_is_only_looked_at(
    experiment: Experiment, tmp_path: Path
) -> None:
    folder = new_folder(tmp_path, experiment)
    training: Any = build_training(experiment, [folder.run(0)], Options(), folder=folder)
    heard = []
    training.driver.advance = lambda until, stop: heard.append((stop(), leaving(stop)()))
    training.advance(float("-inf"))
    training.stop = True
    training.advance(float("inf"))
    assert heard == [(True, False), (True, True)]
    assert leaving(lambda: True)()
