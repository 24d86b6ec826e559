"""What schedule.py does, step by step."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from experiment.errors import ConfigError
from experiment.scheduling import dispatch, report
from experiment.scheduling.backends import Limits
from experiment.scheduling.cluster import Cluster, check_cluster, read_cluster
from experiment.scheduling.dispatch import Plan, Queues, Wish
from experiment.scheduling.sweep import Sweep, open_sweep, refuse_stale_jobs
from experiment.selection import parse_indices
from experiment.signals import EXIT_SAVED

FIRST_WAIT, LONGEST_WAIT = 2.0, 60.0


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line."""

    cluster: Path
    executable: str
    base_path: Path
    environment: Path
    save_dir: Path
    agents: tuple[Path, ...]
    runs: int
    indices: str | None
    seed_offset: int
    batch: int | None
    gpus: int | None
    yes: bool
    retry_failed: bool
    adopt: bool


class Command:
    """One call of schedule.py, its files read and its folders looked at.

    Args:
        dry: nothing is to be changed on disk.
    """

    def __init__(self, request: Request, *, dry: bool) -> None:
        self.request = request
        self.cluster = _cluster(request)
        if not request.base_path.is_dir():
            raise ConfigError(f"BASE_PATH: {request.base_path}: no such folder")
        os.chdir(request.base_path)
        program = Path(request.executable)
        if program.suffix == ".py" and not program.is_file():
            raise ConfigError(f"EXECUTABLE: {request.base_path / program}: no such file")
        self.dry = dry
        self.sweeps = list(self._open(adopt=request.adopt))
        self.queues = self._look()
        refuse_stale_jobs(self.sweeps, self.queues.queued)

    def _open(self, *, adopt: bool) -> Iterator[Sweep]:
        request = self.request
        wanted = None
        if request.indices is not None:
            ranges = parse_indices(request.indices)
            wanted = sorted({index for part in ranges for index in part})
        for agent_file in request.agents:
            yield open_sweep(
                request.environment,
                agent_file,
                request.save_dir,
                wanted,
                request.runs,
                request.seed_offset,
                adopt=adopt,
                dry=self.dry,
            )

    def _look(self) -> Queues:
        queues = Queues(self.sweeps, self.cluster.scheduler)
        for sweep in self.sweeps:
            sweep.look(
                queues.queued,
                queues.accounted,
                retry_failed=self.request.retry_failed,
                attempts=self.cluster.retry.attempts,
            )
        return queues

    def _wish(self) -> Wish:
        request = self.request
        return Wish(
            self.cluster,
            request.executable,
            request.base_path,
            request.save_dir,
            request.seed_offset,
            request.batch,
            "cuda" if self.cluster.gpus else "cpu",
        )

    def _plans(self) -> list[Plan]:
        if not any(sweep.to_send for sweep in self.sweeps):
            return []
        limits: Limits = self.queues.of(self.cluster.scheduler).limits()
        room = dispatch.room_for(limits, self.cluster, self.queues.jobs)
        plans = []
        for sweep in self.sweeps:
            plan = dispatch.make_plan(sweep, self._wish(), limits, room)
            if plan is not None:
                plans.append(plan)
                room = None if room is None else room - len(plan.packed.tasks)
        return plans

    # -- what one may ask for

    def describe(self) -> int:
        """`--dry-run`."""
        self._say_how_it_stands()
        by = self.queues.of(self.cluster.scheduler)
        for plan in self._plans():
            for line in [*plan.lines(), *plan.details()]:
                print(line)
            for name, script in by.scripts(plan.sent).items():
                print(f"\n--- {name}\n{script}")
        return 0

    def status(self) -> int:
        """`--status`."""
        if sys.stdout.isatty():
            from rich.console import Console

            Console().print(report.as_table(self.sweeps))
        for line in report.status_lines(self.sweeps):
            print(line)
        return 0

    def logs(self, index: int) -> int:
        """`--logs INDEX`."""
        found = False
        for sweep in self.sweeps:
            lines = report.log_of(sweep, index)[-40:]
            found = found or bool(lines)
            if lines:
                print(f"{sweep.name}, index {index}:", *lines, sep="\n")
        if not found:
            print(f"no job has said anything of index {index}", file=sys.stderr)
        return 0 if found else 1

    def cancel(self) -> int:
        """`--cancel`."""
        keys = [
            (one.name, task)
            for sweep in self.sweeps
            for one in sweep.submissions
            for task in range(len(one.tasks))
            if (one.name, task) in self.queues.queued
        ]
        if not keys:
            print("nothing is queued or running")
            return 0
        if not self._agreed(f"take back {len(keys):,} jobs?"):
            return 1
        print(f"took back {self.queues.cancel(keys):,} jobs")
        return 0

    def emit(self, folder: Path) -> int:
        """`--emit DIR`."""
        self._say_how_it_stands()
        by = self.queues.of(self.cluster.scheduler)
        for plan in self._plans():
            for line in plan.lines():
                print(line.replace(": sends", ": scripts for", 1))
            for path in dispatch.emit(plan, by, folder).values():
                print(path)
        return 0

    def send(self, *, wait: bool) -> int:
        """Sends what is missing."""
        self._say_how_it_stands()
        plans = self._plans()
        for plan in plans:
            for line in plan.lines():
                print(line, flush=True)
        if plans and not self._agreed("go on?"):
            return 1
        self._hand_over(plans)
        if self.cluster.scheduler == "local":
            return self._after_running_here() if plans else self._verdict()
        return self._wait() if wait else self._verdict()

    # -- how

    def _hand_over(self, plans: list[Plan]) -> None:
        by = self.queues.of(self.cluster.scheduler)
        for plan in plans:
            dispatch.send(plan, by)

    def _look_again(self) -> None:
        self.dry = True
        self.sweeps = list(self._open(adopt=False))
        self.queues = self._look()

    def _after_running_here(self) -> int:
        self._look_again()
        for line in report.status_lines(self.sweeps):
            print(line)
        code = self._verdict()
        interrupted = any(
            history.last == "saved" for sweep in self.sweeps for history in sweep.histories.values()
        )
        untouched = any(
            index not in sweep.histories for sweep in self.sweeps for index in sweep.to_send
        )
        return EXIT_SAVED if code == 0 and (interrupted or untouched) else code

    def _wait(self) -> int:
        """Until nothing is queued or running; what had no room is sent when there is."""
        pause, before = FIRST_WAIT, ""
        while True:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_WAIT)
            former = {index for sweep in self.sweeps for index in sweep.to_send}
            self.sweeps = list(self._open(adopt=False))
            self.queues = self._look()
            now = "\n".join(report.status_lines(self.sweeps))
            if now != before:
                print(now, flush=True)
                before = now
            if any(sweep.in_hand for sweep in self.sweeps):
                continue
            fresh = [
                plan for plan in self._plans() if former.intersection(_runs_never_tried(plan.sweep))
            ]
            if not fresh:
                return self._verdict()
            self._hand_over(fresh)
            pause = FIRST_WAIT

    def _verdict(self) -> int:
        return 1 if any(sweep.held_back for sweep in self.sweeps) else 0

    def _say_how_it_stands(self) -> None:
        for line in report.status_lines(self.sweeps):
            print(line)

    def _agreed(self, question: str) -> bool:
        if self.request.yes:
            return True
        if not sys.stdin.isatty():
            raise ConfigError("nobody is there to ask; say --yes")
        return click.confirm(question, default=False)


def _runs_never_tried(sweep: Sweep) -> list[int]:
    return [index for index in sweep.to_send if index not in sweep.histories]


def _cluster(request: Request) -> Cluster:
    cluster = read_cluster(request.cluster)
    if request.gpus is None:
        return cluster
    changed = {**msgspec.to_builtins(cluster), "gpus": request.gpus}
    if not request.gpus:
        changed |= {"gpuType": None, "runsPerGpu": 1}
    return check_cluster(changed, f"{request.cluster} with --gpu {request.gpus}")
