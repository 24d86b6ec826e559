"""What schedule.py costs, beside other ways to run many small runs.

python benchmarks/scheduling.py [--only missing,status,send,start,run] [--repeats 3]

missing  finding what is missing among 1,000,000 indices of which 100,000 have records
status   how 100,000 finished runs stand, as files and as shards of 64 lines; from the start of the
         program, the first time and again
send     sending 10,000 runs to a Slurm of stub commands, 60 to a job; beside submitit alone
start    from the start of schedule.py to the first timestep of the first run, on this machine
run      one run of no length: a bare loop in Python, schedule.py, submitit, Hydra's submitit
         launcher, GNU parallel; two at a time where the way has such a thing

Every way is a process of its own, in turns; CPU is user + system of it and all its children. Hydra
is installed into .venv-peers; GNU parallel is Debian's package `parallel`.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from scheduling_cost import ENVIRONMENT, ROOT, Cost, Project, best, cost_of
from scheduling_peers import measure_run

sys.path.insert(0, str(ROOT))

# -- missing


def measure_missing(folder: Path, repeats: int) -> None:
    """Prints what it costs to find the missing."""
    project = recorded(folder / "missing", range(0, 1_000_000, 10), shards=False)
    command = project.schedule("--runs", 1000, "--status")
    cost_of(command)  # fills its caches
    print("\nFinding the missing among 1,000,000 indices, 100,000 of them with records:\n")
    print("| | CPU s, best | median | wall s, best | median |\n|---|---|---|---|---|")
    _row("schedule.py --status of a sweep", *best(lambda: cost_of(command), repeats))


def _row(name: str, least: Cost, median: Cost) -> None:
    seconds = (least.cpu, median.cpu, least.wall, median.wall)
    print(f"| {name} | {' | '.join(f'{value:.2f}' for value in seconds)} |", flush=True)


def recorded(folder: Path, indices: Sequence[int], *, shards: bool) -> Project:
    """A project of 1,000 settings with records of about 5 KB, 64 to a shard if they are in some."""
    from experiment import record
    from experiment.configuration import build_experiment
    from experiment.folder import ResultFolder
    from experiment.manifest import Manifest
    from experiment.shard_writer import ShardWriter

    project = Project(folder, {"scheduler": "local"})
    parameters = {
        "critic_lr": [0.001 * value for value in range(1, 101)],
        "actor_lr": [0.001 * value for value in range(1, 11)],
    }
    project.set_agent(parameters)
    agent = {"agent_name": "linearAC", "parameters": parameters}
    experiment = build_experiment(ENVIRONMENT, agent, "environment", "agent")
    results = ResultFolder(project.results, Manifest.of(experiment, 0))
    results.create()
    rewards = [-1234.56789 + value for value in range(200)]
    lines: list[bytes] = []
    for number, index in enumerate(indices, 1):
        run = results.run(index)
        content = {
            "run_number": run.number,
            "index": index,
            "setting_id": run.setting_id,
            "random_seed": run.random_seed,
            "status": "diverged" if number % 97 == 0 else "completed",
            "train_episode_rewards": rewards,
        }
        params = results.manifest.grid.setting(run.setting)
        data = record.encode(dict(results.manifest.files), run.setting, params, content)
        if not shards:
            results.record_path(index).write_bytes(data)
            continue
        lines.append(data)
        if len(lines) == 64 or number == len(indices):
            with ShardWriter(results.path, f"node{number}").many() as write:
                for line in lines:
                    write(line)
            lines.clear()
    return project


# -- status


def measure_status(folder: Path, repeats: int) -> None:
    """Prints what it costs to say how finished runs stand."""
    print("\nschedule.py --status DIR of 100,000 finished runs, from its start:\n")
    print("| | CPU s, best | median | wall s, best | median |\n|---|---|---|---|---|")
    for name, shards in (("files", False), ("shards", True)):
        project = recorded(folder / name, range(100_000), shards=shards)
        results = project.results
        command = [sys.executable, ROOT / "schedule.py", "--status", results, "--json"]
        caches = (results / ".status.index", results / "shards" / ".index")

        def first(command: list[Any] = command, caches: Sequence[Path] = caches) -> Cost:
            for cache in caches:
                cache.unlink(missing_ok=True)
            return cost_of(command)

        def again(command: list[Any] = command) -> Cost:
            return cost_of(command)

        time.sleep(3)  # what has just changed is opened again
        _row(f"{name}, without a cache", *best(first, repeats))
        _row(f"{name}, again", *best(again, repeats))


# -- send

_STUBS = {
    "sbatch": "echo Submitted batch job $$",
    "squeue": "true",
    "sacct": "true",
    "sacctmgr": "true",
    "srun": "true",
    "scontrol": "echo 'MaxArraySize            = 1001'",
}
_SUBMITIT = """
import math, submitit
executor = submitit.AutoExecutor({folder!r}, cluster="slurm")
executor.update_parameters(timeout_min=60, slurm_array_parallelism=256)
executor.map_array(math.sqrt, range({count}))
"""


def measure_send(folder: Path, repeats: int) -> None:
    """Prints what it costs to send 10,000 runs."""
    stubs = folder / "stubs"
    stubs.mkdir()
    for name, line in _STUBS.items():
        (stubs / name).write_text(f"#!/bin/sh\n{line}\n")
        (stubs / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{stubs}{os.pathsep}{os.environ['PATH']}"}
    cluster = {"scheduler": "slurm", "time": "03:00:00", "cores": 20, "sequential": 3}
    made: dict[str, int] = {}

    def ours() -> Cost:
        place = folder / "ours"
        shutil.rmtree(place, ignore_errors=True)
        project = Project(place, cluster)
        cost = cost_of(project.schedule("--runs", 10_000), env=environment)
        made["schedule.py"] = sum(path.is_file() for path in project.results.rglob("*"))
        return cost

    def submitit(count: int, name: str) -> Callable[[], Cost]:
        def measure() -> Cost:
            place = folder / "submitit"
            shutil.rmtree(place, ignore_errors=True)
            script = _SUBMITIT.format(folder=str(place), count=count)
            cost = cost_of([sys.executable, "-c", script], env=environment)
            made[name] = sum(path.is_file() for path in place.rglob("*"))
            return cost

        return measure

    ways = {
        "schedule.py": ours,
        "submitit alone, a run a task": submitit(10_000, "submitit alone, a run a task"),
        "submitit alone, 167 tasks": submitit(167, "submitit alone, 167 tasks"),
    }
    print("\nSending 10,000 runs to a Slurm of stub commands:\n")
    print("| | CPU s, best | median | files |\n|---|---|---|---|")
    for name, way in ways.items():
        least, median = best(way, repeats)
        print(f"| {name} | {least.cpu:.2f} | {median.cpu:.2f} | {made[name]:,} |", flush=True)


# -- start


def measure_start(folder: Path, repeats: int) -> None:
    """Prints the time until a run of one timestep is over: its first step was just before."""
    from experiment.scheduling import events, submission
    from experiment.scheduling.events import Ended

    seconds = []
    for repeat in range(repeats):
        project = Project(folder / f"start{repeat}", {"scheduler": "local", "cores": 1})
        began = time.time()
        cost_of(project.schedule())
        (sent,) = submission.all_of(project.results)
        ends = [one.time for one in events.read(sent.events_path(0)) if isinstance(one, Ended)]
        seconds.append(ends[0] - began)
    print("\nFrom the start of schedule.py to the end of the first timestep, and its record:\n")
    print("| | wall s, best | median |\n|---|---|---|")
    print(f"| linearAC, this machine | {min(seconds):.2f} | {statistics.median(seconds):.2f} |")


_PARTS = {
    "missing": measure_missing,
    "status": measure_status,
    "send": measure_send,
    "start": measure_start,
    "run": measure_run,
}


@click.command(help=__doc__)
@click.option("--only", default=",".join(_PARTS), help="Parts, separated by commas.")
@click.option("--repeats", type=click.IntRange(min=1), default=3)
def main(only: str, repeats: int) -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as users have it: source is compiled once
    for name in only.split(","):
        if name not in _PARTS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(_PARTS)}")
        with tempfile.TemporaryDirectory() as folder:
            _PARTS[name](Path(folder), repeats)


if __name__ == "__main__":
    main()
