"""What schedulers have in common: how a job starts Python, and how they are asked."""

from __future__ import annotations

import shlex
import subprocess
import sys
from subprocess import CompletedProcess

from experiment.bootstrap import ROOT
from experiment.processor import THREADS
from experiment.scheduling.backends import SchedulerError
from experiment.scheduling.cluster import Cluster


def python_command(cluster: Cluster) -> str:
    """How a job starts Python, in the container where there is one."""
    python = cluster.python or shlex.quote(sys.executable)
    if cluster.container is None:
        return python
    arguments = " ".join(map(shlex.quote, cluster.container_arguments))
    inside = cluster.python or "python3"
    return f"apptainer exec {arguments} {shlex.quote(cluster.container)} {inside}"


def setup_lines(cluster: Cluster) -> list[str]:
    """Shell lines of a job before its runs: modules, variables, then the file's own."""
    return [
        # submitit imports numpy before the job says how many, and PBS sets the cores of them all
        *(f"export {variable}={cluster.threads_per_run}" for variable in THREADS),
        *(f"module load {shlex.quote(module)}" for module in cluster.modules),
        *(f"export {name}={shlex.quote(value)}" for name, value in cluster.environment.items()),
        f"export PYTHONPATH={shlex.quote(str(ROOT))}${{PYTHONPATH:+:$PYTHONPATH}}",
        *cluster.setup,
    ]


def call(*command: str) -> CompletedProcess[str]:
    """Runs a command of the scheduler, whatever its exit code.

    Raises:
        SchedulerError: it is not there, or does not answer.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError:
        raise no_such_command(command[0]) from None
    except subprocess.TimeoutExpired:
        raise SchedulerError(f"{command[0]} does not answer; try again later") from None


def ask(*command: str) -> str:
    """What a command of the scheduler prints.

    Raises:
        SchedulerError: it failed, is not there, or does not answer.
    """
    done = call(*command)
    if done.returncode != 0:
        raise SchedulerError(f"{command[0]}: {complaint(done)}")
    return done.stdout


def complaint(done: CompletedProcess[str]) -> str:
    """The last thing that a command which failed said."""
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return said[-1]


def no_such_command(name: str) -> SchedulerError:
    """Says where one would have to be."""
    return SchedulerError(f"{name}: no such command; is this host a login node of the cluster?")
