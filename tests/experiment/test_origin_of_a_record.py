"""Where a result comes from: commit, difference, packages, machine."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from sweep_runs import RANDOM, ROOT, read_run, the_record, write_files

Run = Callable[..., dict[str, Any]]
IDENTITY = ("-c", "user.name=A", "-c", "user.email=a@example.org")


def git(project: Path, *arguments: str) -> str:
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the code without its history."""
    copy = tmp_path / "project"
    copy.mkdir()
    for folder in ("agents", "envs", "experiment"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "main.py", copy)
    (copy / ".gitignore").write_text("__pycache__/\n")
    return copy


@pytest.fixture
def run(project: Path, tmp_path: Path) -> Run:
    """Runs an index of the copy; returns its provenance."""
    files = write_files(tmp_path / "files", RANDOM, total_timesteps=5, eval_episodes=0)

    def run_index(index: int) -> dict[str, Any]:
        arguments = [*files, "--save-dir", str(tmp_path / "out"), "--index", str(index)]
        command = [sys.executable, str(project / "main.py"), *arguments]
        subprocess.run(command, cwd=tmp_path, check=True)
        found: dict[str, Any] = read_run(the_record(tmp_path / "out", index))["provenance"]
        return found

    return run_index


def test_outside_a_checkout_the_source_is_its_own_witness(run: Run, project: Path) -> None:
    code = run(0)["code"]
    assert (code["commit"], code["changed"], code["difference"]) == (None, False, None)
    digest = code["source_digest"]
    assert len(digest) == 16
    with (project / "agents" / "uniform_random.py").open("a") as file:
        file.write("# changed\n")
    assert run(1)["code"]["source_digest"] != digest


def test_a_checkout_names_its_commit_and_keeps_its_difference_once(
    run: Run, project: Path, tmp_path: Path
) -> None:
    git(project, "init", "--quiet")
    git(project, "config", "color.ui", "always")
    git(project, "config", "diff.noprefix", "true")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "start")
    commit = git(project, "rev-parse", "HEAD")
    clean = run(0)["code"]
    assert (clean["commit"], clean["changed"], clean["difference"]) == (commit, False, None)

    changed = project / "agents" / "uniform_random.py"
    changed.write_bytes(changed.read_bytes() + b"# caf\xe9\n\n \n")  # not even UTF-8
    (project / "agents" / "new one \xe9.py").write_text("x = 1\n\n")
    codes = [run(index)["code"] for index in (1, 2)]
    assert codes[0] == codes[1]
    assert (codes[0]["commit"], codes[0]["changed"]) == (commit, True)
    (difference,) = (tmp_path / "out").rglob("*.diff")
    assert difference.name == codes[0]["difference"]

    # the difference brings back the code that was run
    again = tmp_path / "again"
    git(tmp_path, "clone", "--quiet", str(project), str(again))
    git(again, "apply", str(difference))
    for file in (changed, project / "agents" / "new one \xe9.py"):
        assert (again / "agents" / file.name).read_bytes() == file.read_bytes()


def test_a_record_names_packages_and_machine(run: Run) -> None:
    origin = run(0)
    assert origin["packages"]["numpy"] == metadata.version("numpy")
    assert origin["packages"]["gymnasium"] == metadata.version("gymnasium")
    assert origin["python"] == ".".join(map(str, sys.version_info[:3]))
    assert origin["host"] == socket.gethostname()
    assert origin["cpu"]
    assert origin["device"] == "cpu"
    assert origin["started"] <= origin["ended"]
    assert (origin["resumed"], origin["earlier"], origin["batch_size"]) == (0, [], 1)
    assert origin["saved_between_episodes_only"] is False
