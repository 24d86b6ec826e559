"""From what is missing to what is sent, and what that costs."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

import agents
from experiment import record
from experiment.files import storage
from experiment.lock import Lock, held
from experiment.scheduling import events, submission
from experiment.scheduling.backends import (
    Accounted,
    Limits,
    Queued,
    Scheduler,
    SchedulerError,
    TaskKey,
    log_folder,
    scheduler,
)
from experiment.scheduling.cluster import Cluster
from experiment.scheduling.events import Ended
from experiment.scheduling.packing import Packed, core_hours, pack
from experiment.scheduling.ranges import brief
from experiment.scheduling.submission import Submission
from experiment.scheduling.sweep import Sweep
from experiment.scheduling.table import clock

_UNLIMITED = 2**31
_SAMPLED_RECORDS = 20


@dataclass(frozen=True)
class Wish:
    """How to run what is missing.

    Attributes:
        executable: program that takes main.py's options.
        base_path: where it is started.
        save_dir: as main.py's.
        batch: runs trained together; None for what suits the agent.
        device: "cpu" or "cuda".
        leave_after: seconds after which the jobs are to save and leave for good.
        log: as main.py's.
    """

    cluster: Cluster
    executable: str
    base_path: Path
    save_dir: Path | None
    seed_offset: int
    batch: int | None
    device: str
    leave_after: float | None = None
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What one sweep is about to send.

    Attributes:
        measured: seconds of a run, where some have run.
    """

    sweep: Sweep
    sent: Submission
    packed: Packed
    measured: float | None

    @property
    def runs(self) -> int:
        """Number of runs that it sends."""
        return sum(map(len, self.packed.tasks))

    def cost(self) -> str:
        """A clause that says what it costs."""
        most = core_hours(self.packed.chunks)
        asked = f"at most {_hours(most)} core-hours" if most is not None else "no time limit"
        if self.measured is None:
            return asked
        chunk = self.packed.chunks[0]
        threads = chunk.cores / chunk.slots
        return (
            f"about {_hours(self.runs * self.measured * threads / 3600)} core-hours at "
            f"{clock(self.measured)} a run as measured ({asked})"
        )

    def lines(self) -> Iterator[str]:
        """As a person reads it before saying yes."""
        tasks, runs = len(self.packed.tasks), f"{self.runs:,} run{'s' * (self.runs != 1)}"
        if self.sent.scheduler == "local":
            slots, batch = max(chunk.slots for chunk in self.packed.chunks), self.sent.batch or 1
            groups = f" batch{'es' * (slots != 1)} of {batch}" if batch > 1 else ""
            how = f"trains {runs} here, {slots:,}{groups} at once"
        else:
            how = f"sends {runs} in {tasks:,} job{'s' * (tasks != 1)}"
        yield f"{self.sweep.name}: {how}: {self.cost()}"

    def details(self) -> Iterator[str]:
        """What a dry run adds."""
        yield f"  indices: {brief(sorted(i for task in self.packed.tasks for i in task), 90)}"
        for number, chunk in enumerate(self.packed.chunks):
            memory = f", {chunk.memory // 2**20:,} MiB a core" if chunk.memory else ""
            limit = f", {clock(chunk.seconds)}" if chunk.seconds else ""
            gpus = f", {chunk.gpus} GPUs" if chunk.gpus else ""
            at_once = f", {chunk.parallel} at once" if chunk.parallel else ""
            first = self.packed.tasks[chunk.first]
            yield (
                f"  {self.sent.job_name(number)}: {chunk.count:,} x {chunk.cores} cores{gpus}"
                f"{memory}{limit}{at_once}; the first takes {brief(sorted(first), 90)}"
            )


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


class Queues:
    """All schedulers that the submissions of some sweeps were sent to, asked once each.

    Attributes:
        queued: what waits or runs.
        accounted: how what is no longer there ended.
        jobs: how many jobs of all kinds this user has at the scheduler `also`.
    """

    def __init__(self, sweeps: Sequence[Sweep], also: str) -> None:
        self._by_name: dict[str, list[Submission]] = {also: []}
        for sweep in sweeps:
            for one in (*sweep.submissions, *sweep.stale):
                self._by_name.setdefault(one.scheduler, []).append(one)
        self._schedulers = {name: scheduler(name) for name in self._by_name}
        self.queued: dict[TaskKey, Queued] = {}
        self.accounted: dict[TaskKey, Accounted] = {}
        self.jobs = 0
        self._owner: dict[TaskKey, str] = {}
        for name, sent in self._by_name.items():
            try:
                found, jobs = self._schedulers[name].queued(sent)
            except SchedulerError as error:
                if name == also:
                    raise
                asked = f"asked for what became of {sent[-1].folder}, which was sent to {name}"
                raise SchedulerError(f"{error} ({asked})") from None
            self.queued |= _being_sent(sent) | found
            self._owner |= dict.fromkeys(found, name)
            if name == also:
                self.jobs = jobs
            if sent:
                self.accounted |= self._schedulers[name].accounted(sent)

    def of(self, name: str) -> Scheduler:
        """The scheduler of that name."""
        return self._schedulers[name]

    def cancel(self, keys: Iterable[TaskKey]) -> int:
        """Takes back what of these waits or runs; returns how much that was."""
        jobs: dict[str, list[Queued]] = {}
        for key in keys:
            if key in self._owner:
                jobs.setdefault(self._owner[key], []).append(self.queued[key])
        for name, mine in jobs.items():
            self._schedulers[name].cancel(mine)
        return sum(map(len, jobs.values()))


def _being_sent(sent: Iterable[Submission]) -> dict[TaskKey, Queued]:
    """What another schedule.py is handing over, which the scheduler may not know of yet."""
    return {
        (one.name, task): Queued("", "queued", "schedule.py is sending it")
        for one in sent
        if held(one.sender_path)
        for task in range(len(one.tasks))
    }


def make_plan(sweep: Sweep, wish: Wish, limits: Limits, room: int | None) -> Plan | None:
    """How the missing runs of a sweep go into jobs, as far as there is room; None when none do.

    Args:
        room: jobs that may still be queued; None for any number.
    """
    if not sweep.to_send or room == 0:
        return None
    cluster = wish.cluster
    if cluster.scheduler == "local":  # one job, which feeds its slots until nothing is left
        cluster = msgspec.structs.replace(cluster, sequential=_UNLIMITED)
    retry = cluster.retry
    needs = {
        index: sweep.need(index, retry.memory_factor, retry.time_factor)
        for index, history in sweep.histories.items()
        if history.memory or history.time
    }
    batch = batch_of(sweep, wish)
    largest = cluster.max_array_size or limits.array or _UNLIMITED

    def packed_from(indices: Iterable[int]) -> Packed:
        return pack(
            indices,
            cluster,
            batch,
            largest_array=largest,
            shape_of=sweep.shape_of,
            needs=needs,
        )

    packed = packed_from(sweep.to_send)
    if room is not None and len(packed.tasks) > room:
        packed = packed_from(index for task in packed.tasks[:room] for index in task)
    sent = Submission(
        name=submission.new_name(),
        scheduler=cluster.scheduler,
        created=time.time(),
        host=submission.this_host(),
        executable=wish.executable,
        base_path=str(wish.base_path),
        results=str(sweep.folder.path.absolute()),
        save_dir=None if wish.save_dir is None else str(wish.save_dir),
        seed_offset=wish.seed_offset,
        batch=batch,
        device=wish.device,
        cluster=cluster,
        tasks=packed.ranges(),
        chunks=packed.chunks,
        leave_after=wish.leave_after,
        log=wish.log,
    )
    return Plan(sweep, sent, packed, measured_seconds(sweep))


def batch_of(sweep: Sweep, wish: Wish) -> int:
    """How many runs are trained together."""
    settings = agents.settings_type(sweep.experiment.agent_name)
    return wish.batch or settings.group_size(wish.device)


def send(plan: Plan, to: Scheduler) -> None:
    """Writes the submission, then hands it over.

    Raises:
        SchedulerError: refused.
        StorageError: the folder cannot be written to.
    """
    for one in plan.sweep.submissions:
        if not held(one.sender_path):
            one.sender_path.unlink(missing_ok=True)  # its sender was killed
    with _written(plan):
        to.send(plan.sent)


@contextlib.contextmanager
def _written(plan: Plan) -> Iterator[None]:
    """The folder of a submission is there, and for the time being its sender lives."""
    plan.sweep.folder.create()
    with Lock(plan.sent.sender_path, f"the submission {plan.sent.folder}"):
        submission.write(plan.sent, plan.sweep.experiment.files)
        yield


def measured_seconds(sweep: Sweep) -> float | None:
    """Median time of a run: of those that jobs ran, else of some records; None without either."""
    seconds = [
        event.wall / len(event.indices)
        for one in sweep.submissions
        for task in range(len(one.tasks))
        for event in events.read(one.events_path(task))
        if isinstance(event, Ended) and event.ended == "done"
    ]
    if not seconds:
        seconds = list(_seconds_of_records(sweep))
    return statistics.median(seconds) if seconds else None


def _seconds_of_records(sweep: Sweep) -> Iterator[float]:
    looked_at = 0
    for _, path in sweep.folder.record_files() if sweep.folder.path.exists() else ():
        if looked_at == _SAMPLED_RECORDS:
            return
        looked_at += 1
        try:
            _, _, run = record.load(path.read_bytes())
            yield run["train_time"] + run["eval_time"]
        except (OSError, record.BadRecord, KeyError, TypeError):
            continue


def room_for(limits: Limits, cluster: Cluster, jobs: int) -> int | None:
    """How many more jobs one may have."""
    most = cluster.max_submit_jobs or limits.jobs
    return None if most is None else max(0, most - jobs)


def emit(plan: Plan, by: Scheduler, folder: Path) -> Mapping[str, Path]:
    """Writes what one would hand to the scheduler into `folder`; sends nothing.

    Raises:
        StorageError: the folder cannot be written to.
    """
    written = {}
    with _written(plan), storage(f"{folder}: cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        # a scheduler starts no job whose output has no place
        log_folder(plan.sent).mkdir(parents=True, exist_ok=True)
        for name, content in by.scripts(plan.sent).items():
            path = folder / name
            path.write_text(content, encoding="utf-8")
            path.chmod(0o755)
            written[name] = path
    return written
