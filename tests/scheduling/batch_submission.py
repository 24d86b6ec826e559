"""A few runs that cost next to nothing, made up as schedule.py would send them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from experiment.configuration import build_experiment
from experiment.folder import ResultFolder, folder_of
from experiment.manifest import Manifest
from experiment.scheduling import events, submission
from experiment.scheduling.backends import Scheduler
from experiment.scheduling.cluster import check_cluster
from experiment.scheduling.events import Event
from experiment.scheduling.submission import Chunk, Submission

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "env_name": "sweep/PendulumContinuous-v1",
    "total_timesteps": 50,
    "steps_per_episode": 20,
    "eval_interval_timesteps": 25,
    "eval_episodes": 1,
}
AGENT = {"agent_name": "random", "parameters": {}}
MIB = 2**20

_CHUNK = Chunk(first=0, count=0, slots=1, cores=1, gpus=0, memory=None, seconds=600)


def prepare(
    folder: Path,
    scheduler: str,
    tasks: list[str],
    *,
    program: object = ROOT / "main.py",
    chunk: Mapping[str, Any] | None = None,
    agent: Mapping[str, Any] = AGENT,
    problem: Mapping[str, Any] = ENVIRONMENT,
    batch: int = 1,
    **cluster: Any,
) -> Submission:
    """Writes a submission of one chunk, whose base path is `folder`.

    Args:
        tasks: the indices of each.
        program: what runs them.
        chunk: fields of it that are not the least.
        agent, problem: the agent file and the environment file.
        batch: runs trained together.
        cluster: fields of the cluster file.
    """
    experiment = build_experiment(problem, agent, "environment.json", "agent.json")
    path = folder / folder_of(experiment, None)
    ResultFolder(path, Manifest.of(experiment, 0)).create()
    content = {"scheduler": scheduler, "time": "00:10:00", "cores": 1, "saveBefore": 5} | cluster
    sent = Submission(
        name=submission.new_name(),
        scheduler=scheduler,
        created=time.time(),
        host=submission.this_host(),
        executable=str(program),
        base_path=str(folder),
        results=str(path),
        save_dir=None,
        seed_offset=0,
        batch=batch,
        device="cpu",
        cluster=check_cluster(content, "cluster.json"),
        tasks=tasks,
        chunks=[msgspec.structs.replace(_CHUNK, count=len(tasks), **chunk or {})],
    )
    submission.write(sent, {"environment": dict(problem), "agent": dict(agent)})
    return sent


def records(sent: Submission) -> list[int]:
    """The indices that have one."""
    names = (path.stem for path in Path(sent.results).glob("*_data_*.json"))
    return sorted(int(name.rpartition("_")[2]) for name in names)


def happened(sent: Submission, task: int) -> list[Event]:
    """What a job has written of its runs."""
    return list(events.read(sent.events_path(task)))


def wait_until(true: Callable[[], object], what: str, seconds: float = 90.0) -> None:
    """Machines are slow at times."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.05)


def wait_for_the_end(scheduler: Scheduler, sent: Submission) -> None:
    """Until nothing of it is queued or running."""
    wait_until(lambda: not scheduler.queued([sent])[0], "nothing is queued")


def ends(scheduler: Scheduler, sent: Submission) -> list[str | None]:
    """How the job of each task ended."""
    told = scheduler.accounted([sent])
    found = (told.get((sent.name, task)) for task in range(len(sent.tasks)))
    return [None if one is None else one.state for one in found]


def said(sent: Submission) -> Iterator[str]:
    """What the jobs printed: why a test failed."""
    for path in sorted(sent.folder.glob("*.out")):
        yield f"{path.name}: {path.read_text()}"


#: A program of somebody else that fails.
FAILS = "import sys\nsys.exit('no such thing')\n"
#: One that does not listen.
DEAF = """
import signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, signal.SIG_IGN)
time.sleep(120)
"""
#: One that is interrupted at its first start, and done at the second.
IN_TWO_GOES = """
import pathlib, signal, sys, time
place = pathlib.Path("been-here")
if place.exists():
    sys.exit(0)
def leave(number, frame):
    place.touch()
    sys.exit(75)
signal.signal(signal.SIGTERM, leave)
pathlib.Path("ready").touch()
time.sleep(120)
"""


def write_program(folder: Path, text: str) -> Path:
    """Returns its path."""
    path = folder / "program.py"
    path.write_text(text)
    return path
