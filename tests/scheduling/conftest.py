"""What tests of jobs and of schedule.py stand on."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brittle_agent
import pytest
from brittle_jobs import of_brittle
from small_sweep import SLURM, SmallSweep, records_below
from stub_slurm import StubSlurm
from sweep_runs import LINEAR_AC

import agents
from experiment import processor
from experiment.lock import JOB_VARIABLE
from experiment.scheduling import pool
from experiment.scheduling.job import run_task


@pytest.fixture
def this_process_is_a_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For jobs in this process: they set its environment, and know the brittle agents."""
    for variable in (*processor.THREADS, JOB_VARIABLE, "SLURM_RESTART_COUNT"):
        monkeypatch.setenv(variable, "0")
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    monkeypatch.chdir(tmp_path)
    for name, where in brittle_agent.AGENTS.items():
        monkeypatch.setitem(agents.AGENTS, name, where)
    yield
    gc.unfreeze()


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that do not stop when asked are killed soon."""
    monkeypatch.setattr(pool, "GRACE_SECONDS", 0.5)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """Records of six runs that nothing happens to, in one process."""
    folder = tmp_path_factory.mktemp("expected")
    with pytest.MonkeyPatch.context() as patch:
        for name, where in brittle_agent.AGENTS.items():
            patch.setitem(agents.AGENTS, name, where)
        patch.setenv(JOB_VARIABLE, "")
        patch.chdir(folder)
        run_task(of_brittle(folder, ["well"] * 6, slots=1), 0)
    return records_below(folder)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StubSlurm:
    stub = StubSlurm(tmp_path / "slurm")
    stub.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return stub


@pytest.fixture
def sweep(tmp_path: Path, slurm: StubSlurm) -> SmallSweep:
    """36 settings, four runs a job."""
    return SmallSweep(tmp_path / "sweep", SLURM, LINEAR_AC)
