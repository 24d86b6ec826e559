"""An edited configuration, met by main.py."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from edited_folders import snapshot
from sweep_runs import command, run_main, write_files

from experiment import record
from experiment.folder import ResultFolder
from experiment.manifest import Manifest


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
