"""schedule.py starts quickly: what it does not need, it does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from small_sweep import LOCAL, SLURM, SmallSweep
from stub_slurm import StubSlurm
from sweep_runs import LINEAR_AC, RANDOM, ROOT


def imported_by(*arguments: str, cwd: Path) -> set[str]:
    """Packages that a call imports."""
    command = [sys.executable, "-X", "importtime", str(ROOT / "schedule.py"), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_help_imports_next_to_nothing(tmp_path: Path) -> None:
    packages = imported_by("--help", cwd=tmp_path)
    assert "click" in packages
    assert not packages & {"experiment", "numpy", "torch", "msgspec", "agents", "rich", "submitit"}


@pytest.mark.parametrize("agent", [LINEAR_AC, RANDOM], ids=["linearAC", "random"])
@pytest.mark.parametrize("option", ["--status", "--dry-run"])
def test_looking_imports_nothing_that_computes(tmp_path: Path, agent: object, option: str) -> None:
    sweep = SmallSweep(tmp_path / "sweep", LOCAL, agent)  # type: ignore[arg-type]
    packages = imported_by(*sweep.words(option), cwd=tmp_path)
    assert "msgspec" in packages
    assert not packages & {"torch", "numpy", "gymnasium", "numba", "pandas", "submitit", "psij"}


def test_looking_at_slurm_needs_no_submitit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm = StubSlurm(tmp_path / "slurm")
    slurm.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    sweep = SmallSweep(tmp_path / "sweep", SLURM, LINEAR_AC)
    packages = imported_by(*sweep.words("--status"), cwd=tmp_path)
    assert not packages & {"torch", "numpy", "gymnasium", "submitit"}
    assert [call[0] for call in slurm.calls] == ["squeue"]
