"""What schedule.py does, step by step."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from experiment.errors import ConfigError, Locked
from experiment.scheduling import dispatch, report, submission
from experiment.scheduling.backends import TaskKey
from experiment.scheduling.cluster import Cluster, check_cluster, read_cluster
from experiment.scheduling.dispatch import Plan, Queues, Wish
from experiment.scheduling.launchers import program_of
from experiment.scheduling.overview import Standing, standing_of
from experiment.scheduling.patience import Patience
from experiment.scheduling.status_command import show_status
from experiment.scheduling.sweep import MOST_RUNS, Sweep, open_sweep
from experiment.selection import parse_indices
from experiment.signals import EXIT_SAVED
from experiment.suite import environment_files
from experiment.writers import require


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
    max_requeues: int | None
    shard: bool
    log: tuple[str, ...]
    yes: bool
    retry_failed: bool
    adopt: bool


class Command:
    """One call of schedule.py, its input checked."""

    def __init__(self, request: Request) -> None:
        self.request = request
        require(request.log)
        self.cluster = _cluster(request)
        try:
            os.chdir(request.base_path)
        except OSError as error:
            raise ConfigError(f"BASE_PATH: {request.base_path}: {error.strerror}") from None
        _refuse_no_program(request.executable)
        self.wanted = _wanted(request)
        self.sweeps = self._open()
        self.queues = Queues(self.sweeps, self.cluster.scheduler)

    def _open(self) -> list[Sweep]:
        request = self.request
        sweeps: dict[Path, Sweep] = {}
        environments = list(environment_files(request.environment))
        for environment, file in itertools.product(environments, request.agents):
            sweep = open_sweep(
                environment,
                file,
                request.save_dir,
                self.wanted,
                request.runs,
                request.seed_offset,
            )
            other = sweeps.setdefault(sweep.folder.path, sweep)
            if other is not sweep:
                pair = f"{file} in {environment}" if len(environments) > 1 else file
                raise ConfigError(
                    f"{pair}: its results go to {sweep.folder.path}, as those of another file do; "
                    "use another SAVE_DIR for it"
                )
        return list(sweeps.values())

    def _look(self, *, adopt: bool, dry: bool, retry_failed: bool = False) -> None:
        """Finds out how everything stands.

        Args:
            adopt: carry out an edit of the files.
            dry: change nothing on disk.
            retry_failed: take what failed too often for something to send.
        """
        for sweep in self.sweeps:
            sweep.refuse_stale_jobs(self.queues.queued)
        for sweep in self.sweeps:
            sweep.settle(adopt=adopt, dry=dry)
            sweep.look(
                self.queues.queued,
                self.queues.accounted,
                attempts=self.cluster.retry.attempts,
                retry_failed=retry_failed,
            )

    def _look_as_asked(self, *, dry: bool) -> None:
        self._look(adopt=self.request.adopt, dry=dry, retry_failed=self.request.retry_failed)

    def _look_again(self) -> None:
        self.sweeps = self._open()
        self.queues = Queues(self.sweeps, self.cluster.scheduler)
        self._look(adopt=False, dry=True)
        self._tidy()

    def _tidy(self) -> None:
        for sweep in self.sweeps:
            sweep.tidy()

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
            log=request.log,
        )

    def _plans(self) -> list[Plan]:
        if not any(sweep.to_send for sweep in self.sweeps):
            return []
        limits = self.queues.of(self.cluster.scheduler).limits(self.cluster)
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
        self._look_as_asked(dry=True)
        self._say_how_it_stands()
        by = self.queues.of(self.cluster.scheduler)
        plans = self._plans()
        for plan in plans:
            for line in [*plan.lines(), *plan.details()]:
                print(line)
            for name, script in by.scripts(plan.sent).items():
                print(f"\n--- {name}\n{script}")
        self._say_what_is_later(plans)
        return 0

    def status(self, *, as_json: bool, watch: bool) -> int:
        """`--status`."""

        looked = False

        def look(ask: bool) -> list[Standing]:
            nonlocal looked
            if looked:
                self.sweeps = self._open()
                if ask:
                    self.queues = Queues(self.sweeps, self.cluster.scheduler)
            looked = True
            self._look(adopt=self.request.adopt, dry=True)
            return [standing_of(sweep) for sweep in self.sweeps]

        return show_status(look, as_json=as_json, watch=watch)

    def logs(self, index: int) -> int:
        """`--logs INDEX`."""
        found = {sweep.name: report.log_of(sweep, index)[-40:] for sweep in self.sweeps}
        for name, lines in found.items():
            if lines:
                print(f"{name}, index {index}:", *lines, sep="\n")
        if not any(found.values()):
            print(f"no job has said anything of index {index}", file=sys.stderr)
            return 1
        return 0

    def cancel(self) -> int:
        """`--cancel`. All jobs of the folders, or with `--indices` those that have one of them."""
        chosen = None if self.wanted is None else set(self.wanted)
        keys = [
            (one.name, task)
            for sweep in self.sweeps
            for one in (*sweep.submissions, *sweep.stale)
            for task in range(len(one.tasks))
            if (one.name, task) in self.queues.queued
            and (chosen is None or not chosen.isdisjoint(one.indices(task)))
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
        self._look_as_asked(dry=False)
        self._say_how_it_stands()
        by = self.queues.of(self.cluster.scheduler)
        plans = self._plans()
        for plan in plans:
            for line in plan.lines():
                print(f"to be sent by hand: {line}")
            for path in dispatch.emit(plan, by, folder).values():
                print(path)
        self._say_what_is_later(plans)
        return 0

    def send(self, *, wait: bool) -> int:
        """Sends what is missing."""
        self._look_as_asked(dry=False)
        self._tidy()
        self._say_how_it_stands()
        plans = self._plans()
        for plan in plans:
            for line in plan.lines():
                print(line, flush=True)
        self._say_what_is_later(plans)
        if plans and not self._agreed("go on?"):
            return 1
        self._hand_over(plans)
        if self.cluster.scheduler == "local" and plans:
            self._look_again()
            self._say_how_it_stands()
            return self._verdict()
        if wait:
            return self._wait(plans)
        if any(sweep.held_back for sweep in self.sweeps):
            return 1
        return EXIT_SAVED if _left_by(self.sweeps, plans) else 0

    # -- how

    def _hand_over(self, plans: Sequence[Plan]) -> None:
        by = self.queues.of(self.cluster.scheduler)
        for plan in plans:
            known = {one.name for one in (*plan.sweep.submissions, *plan.sweep.stale)}
            if any(one.name not in known for one in submission.all_of(plan.sweep.folder.path)):
                raise Locked(
                    f"{plan.sweep.folder.path}: another schedule.py has sent something since this "
                    "one looked; run it again"
                )
            dispatch.send(plan, by)
            jobs = submission.read_jobs(plan.sent).names()
            if jobs:
                print(f"{plan.sweep.name}: sent as {', '.join(jobs)}", flush=True)

    def _wait(self, plans: Sequence[Plan]) -> int:
        """Until nothing is queued or running; what had no room is sent when there is."""
        patience, before = Patience(), ""
        later = _left_by(self.sweeps, plans)
        while True:
            patience.pause(self._jobs())
            self._look_again()
            now = "\n".join(report.status_lines(self.sweeps))
            if now != before:
                print(now, flush=True)
                before = now
            tried = [(sweep, list(sweep.to_send)) for sweep in self.sweeps]
            for sweep in self.sweeps:
                sweep.to_send = [i for i in sweep.to_send if (sweep.name, i) in later]
            plans = self._plans()
            self._hand_over(plans)
            later = _left_by(self.sweeps, plans)
            if plans:
                patience.start_over()
            elif not later and not any(sweep.in_hand for sweep in self.sweeps):
                for sweep, indices in tried:
                    sweep.to_send = indices
                return self._verdict()

    def _jobs(self) -> dict[TaskKey, Path]:
        """What waits or runs, and where it tells of itself."""
        return {
            (one.name, task): one.events_path(task)
            for sweep in self.sweeps
            for one in (*sweep.submissions, *sweep.stale)
            for task in range(len(one.tasks))
            if (one.name, task) in self.queues.queued
        }

    def _verdict(self) -> int:
        """When all that was sent has ended."""
        if any(sweep.held_back or report.failures(sweep) for sweep in self.sweeps):
            return 1
        return EXIT_SAVED if any(sweep.to_send for sweep in self.sweeps) else 0

    def _say_how_it_stands(self) -> None:
        for line in report.status_lines(self.sweeps):
            print(line, flush=True)

    def _say_what_is_later(self, plans: Sequence[Plan]) -> None:
        later = _left_by(self.sweeps, plans)
        if later:
            print(f"{len(later):,} more runs have no room in the queue: run it again, or --wait")

    def _agreed(self, question: str) -> bool:
        if self.request.yes:
            return True
        if not sys.stdin.isatty():
            raise ConfigError("nobody is there to ask; say --yes")
        return click.confirm(question, default=False)


def _left_by(sweeps: Sequence[Sweep], plans: Sequence[Plan]) -> set[tuple[str, int]]:
    """(sweep, index) of what is to be sent, and is not in the plans."""
    left = {(sweep.name, index) for sweep in sweeps for index in sweep.to_send}
    for plan in plans:
        left -= {(plan.sweep.name, index) for task in plan.packed.tasks for index in task}
    return left


def _cluster(request: Request) -> Cluster:
    cluster = read_cluster(request.cluster)
    changed: dict[str, object] = {"shard": True} if request.shard else {}
    options = ""
    if request.gpus is not None:
        options += f" --gpu {request.gpus}"
        changed["gpus"] = request.gpus
        if not request.gpus:
            changed |= {"gpuType": None, "runsPerGpu": 1}
    if request.max_requeues is not None:
        options += f" --max-requeues {request.max_requeues}"
        changed["maxRequeues"] = request.max_requeues
    if not changed:
        return cluster
    return check_cluster(msgspec.to_builtins(cluster) | changed, f"{request.cluster} with{options}")


def _refuse_no_program(executable: str) -> None:
    """Before a thousand jobs find out."""
    try:
        words = program_of(executable)
    except ValueError as error:  # a quotation mark without its other
        raise ConfigError(f"EXECUTABLE: {executable!r}: {str(error).lower()}") from None
    if not words:
        raise ConfigError("EXECUTABLE is empty; main.py is one")
    if executable.endswith(".py") and not Path(executable).is_file():
        raise ConfigError(f"EXECUTABLE: {Path(executable).absolute()}: no such file")
    if shutil.which(words[0]) is None:
        raise ConfigError(f"EXECUTABLE: {words[0]}: no such program")


def _wanted(request: Request) -> list[int] | None:
    """What `--indices` says, if it is given."""
    if request.indices is None:
        return None
    ranges = parse_indices(request.indices)
    if sum(part.stop - part.start for part in ranges) > MOST_RUNS:
        raise ConfigError(f"--indices: more than {MOST_RUNS:,} runs; take a part of them at a time")
    return sorted({index for part in ranges for index in part})
