"""A site with PBS or with LSF: the stub's commands on PATH, and a folder to work in."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import stub_jobs
import stub_lsf
import stub_pbs
from batch_submission import prepare

from experiment.scheduling.backends import Limits, Scheduler, scheduler
from experiment.scheduling.cluster import check_cluster
from experiment.scheduling.submission import Submission

STUBS: dict[str, ModuleType] = {"pbs": stub_pbs, "lsf": stub_lsf}


class Site:
    """A scheduler, its stub, and a folder to work in."""

    def __init__(self, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stub = STUBS[name]
        self.name, self.state, self.base = name, folder / "state", folder / "base"
        self.base.mkdir(parents=True)
        stub_jobs.install(Path(str(stub.__file__)), stub.COMMANDS, folder / "bin", self.state)
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        self.scheduler: Scheduler = scheduler(name)
        self.jobs = stub_jobs.Jobs(self.state)
        self.settings()

    def settings(self, **values: Any) -> None:
        """How the stub is to be."""
        (self.state / "settings.json").write_text(json.dumps({"kill_delay": 0.5} | values))

    def prepare(self, tasks: list[str], **fields: Any) -> Submission:
        """Not sent yet."""
        return prepare(self.base, self.name, tasks, **fields)

    def send(self, tasks: list[str], **fields: Any) -> Submission:
        """Sent."""
        sent = self.prepare(tasks, **fields)
        self.scheduler.send(sent)
        return sent

    def queued(self, sent: Submission) -> list[tuple[int, str]]:
        """(task, state) of those that are there."""
        found, _ = self.scheduler.queued([sent])
        return sorted((task, job.state) for (_, task), job in found.items())

    def limits(self) -> Limits:
        """What one may send."""
        file = {"scheduler": self.name, "time": 10, "cores": 1}
        return self.scheduler.limits(check_cluster(file, "cluster.json"))

    def close(self) -> None:
        """From now on jobs wait."""
        (self.state / "closed").touch()

    def open(self) -> None:
        """No longer."""
        (self.state / "closed").unlink()

    def end(self) -> None:
        """Nothing outlives a test."""
        for job in self.jobs.all():
            if job["state"] != "ended":
                self.jobs.kill(job["number"], [signal.SIGKILL])
        log = self.state / "keepers.log"
        print(log.read_text() if log.exists() else "")
