"""A real Slurm cluster of one node, which lives in a folder and ends with the tests."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from slurm_configuration import Limits, missing_parts, write_configuration

KEEPER = Path(__file__).with_name("slurm_keeper.py")
#: What a Slurm job, or its user, sets, and what would lead the commands elsewhere.
OUTSIDE = ("SLURM", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SACCT_", "SCANCEL_", "SCONTROL_")
#: Seconds for what takes one on an idle machine.
A_WHILE = 60.0


def wait_until(condition: Callable[[], object], seconds: float = A_WHILE) -> None:
    """Until the condition holds; fails when it has not after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} seconds: {condition}")
        time.sleep(0.1)


def require_slurm() -> None:
    """Skips where Slurm is not installed; where all must be tested, fails."""
    if parts := missing_parts():
        reason = f"a Slurm cluster needs {', '.join(parts)}; .ci/run installs what Debian has"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


class SlurmCluster:
    """The daemons, and the commands of a user."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        # a short path: a socket's may have no more than 107 characters
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.ports = write_configuration(self.folder, self.limits)
        #: The only variables that the commands need to find this cluster.
        self.variables = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        environment = self.environment() | {"MYSQL_UNIX_PORT": str(self.folder / "mariadb.socket")}
        self._keeper = subprocess.Popen(
            [sys.executable, str(KEEPER), str(self.folder)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C is the tests' alone
        )

    def start(self) -> None:
        """Until the node takes jobs."""
        self._ask("start munged")
        self._ask("start mariadbd")
        self._wait_for("munged", (self.folder / "munge.socket").exists)
        self._wait_for("mariadbd", self._database_answers)
        self._ask("start slurmdbd")
        self._wait_for("slurmdbd", lambda: self._listens("slurmdbd"))
        self.start_slurmctld()
        self.start_slurmd()

    def stop(self) -> None:
        """Leaves no process of the cluster, nor of a job, and no file."""
        self._keeper.communicate()

    def lead_commands_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Has this process, and those that it starts, know no cluster but this."""
        for name in os.environ.keys() - self.environment().keys():
            monkeypatch.delenv(name)
        for name, value in self.variables.items():
            monkeypatch.setenv(name, value)

    def start_slurmctld(self) -> None:
        """Until it answers."""
        self._ask("start slurmctld")
        self._wait_for("slurmctld", lambda: "is UP" in self.run("scontrol", "ping", check=False))

    def stop_slurmctld(self) -> None:
        """From now on no command is answered; jobs go on."""
        self._ask("stop slurmctld")

    def start_slurmd(self) -> None:
        """Until the node is there."""
        self._ask("start slurmd")
        # a step that is launched asks for nothing but the open port
        self._wait_for("slurmd", lambda: self._listens("slurmd"))
        self._wait_for("slurmd", lambda: self.node_state() in {"idle", "mixed", "allocated"})

    def stop_slurmd(self) -> None:
        """From now on no job begins or is signalled; running ones go on."""
        self._ask("stop slurmd")

    def run(self, *command: object, check: bool = True, cwd: Path | None = None) -> str:
        """What a command of Slurm prints."""
        words = [str(word) for word in command]
        ended = subprocess.run(
            words, cwd=cwd, env=self.environment(), capture_output=True, text=True, check=False
        )
        if check and ended.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {ended.stderr.strip()}")
        return ended.stdout.strip()

    def submit(self, script: str, *options: object) -> str:
        """The id of a job that runs the lines of a shell script, and writes nothing."""
        path = self.folder / f"script-{time.monotonic_ns()}.sh"
        path.write_text(f"#!/bin/bash\n{script}\n")
        return self.run("sbatch", "--parsable", "--output=/dev/null", *options, path)

    def job(self, job: str) -> dict[str, str]:
        """What `scontrol show job` says of one job, by field; empty for one it does not know."""
        shown = self.run("scontrol", "--oneliner", "show", "job", job, check=False)
        return dict(field.split("=", 1) for field in shown.split(" ") if "=" in field)

    def state(self, job: str) -> str:
        """The state as the controller has it, such as PENDING, without the flags."""
        return self.job(job).get("JobState", "")

    def sacct_states(self, job: str) -> dict[str, str]:
        """The states that the accounting has of a job: its tasks (12_3) and steps (12_3.0)."""
        lines = self.run("sacct", "-n", "-P", "-o", "JobID,State", "-j", job).splitlines()
        return {name: state for name, _, state in (line.partition("|") for line in lines)}

    def sacct_state(self, job: str) -> str:
        """The state of one job, or of one task of an array, as the accounting has it."""
        return self.sacct_states(job).get(job, "")

    def node_state(self) -> str:
        """Such as idle, mixed, allocated or down*."""
        return self.run("sinfo", "-h", "-o", "%T", check=False)

    def begin_at_once(self, job: str) -> None:
        """Spares a requeued job the wait."""
        self.run("scontrol", "update", f"JobId={job}", "StartTime=now")

    def cancel_everything(self) -> None:
        """Until no job is left, in whatever state."""
        self.start_slurmctld()
        self.start_slurmd()
        jobs = self.run("squeue", "-h", "-o", "%A").split()
        if jobs:
            self.run("scancel", *jobs, check=False)
            self._ask("kill jobs")
            wait_until(lambda: not self.run("squeue", "-h"))

    def logs(self) -> str:
        """The last lines of each daemon."""
        return "\n".join(
            f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:])
            for path in sorted(self.folder.glob("*.log"))
        )

    def environment(self) -> dict[str, str]:
        """The environment of a command: this cluster, and no traces of another."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OUTSIDE)}
        return kept | self.variables

    def _ask(self, line: str) -> str:
        keeper = self._keeper
        if keeper.stdin is None or keeper.stdout is None:
            raise AssertionError("the keeper has pipes")
        keeper.stdin.write(line + "\n")
        keeper.stdin.flush()
        return keeper.stdout.readline().strip()

    def _wait_for(self, daemon: str, condition: Callable[[], object]) -> None:
        """Until a daemon that was started is ready, with its reasons when it is not."""

        def ready_or_gone() -> bool:
            return bool(condition()) or self._ask(f"runs {daemon}") == "no"

        try:
            wait_until(ready_or_gone)
        except TimeoutError:
            raise RuntimeError(f"{daemon} is not ready\n{self.logs()}") from None
        if self._ask(f"runs {daemon}") == "no":
            raise RuntimeError(f"{daemon} ended\n{self.logs()}")

    def _listens(self, daemon: str) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports[daemon])) == 0

    def _database_answers(self) -> bool:
        # the socket is there before the server greets who connects
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(str(self.folder / "mariadb.socket"))
            return bool(probe.recv(1))
        return False
