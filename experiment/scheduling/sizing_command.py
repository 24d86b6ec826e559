"""What schedule.py does to find out what to ask for: a pilot, and a look at what was used."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from experiment.scheduling import dispatch, events, pilot, report, submission, usage
from experiment.scheduling.advice import Advice
from experiment.scheduling.backends import Queued, TaskKey
from experiment.scheduling.command import Command, Request
from experiment.scheduling.dispatch import Plan
from experiment.scheduling.events import Left
from experiment.scheduling.measured import Attempt, Measured, attempts_of, measure
from experiment.scheduling.patience import FIRST_PAUSE, Patience
from experiment.scheduling.submission import Submission
from experiment.scheduling.sweep import Sweep

#: For which a file system may hide what a job on another host has written.
_LAG_SECONDS = 60.0


@dataclass(frozen=True)
class Trial:
    """A pilot: how many processes, and for how long."""

    count: int
    minutes: float


class SizingCommand(Command):
    """A call that may have `--pilot` or `--usage`.

    Args:
        trial: what is sent instead of all that is missing.
    """

    def __init__(self, request: Request, trial: Trial | None = None) -> None:
        self.trial = trial
        super().__init__(request)

    def _plans(self) -> list[Plan]:
        if self.trial is None:
            return super()._plans()
        plans = (self._plan(sweep, self.trial) for sweep in self.sweeps)
        return [plan for plan in plans if plan is not None]

    def _say_what_is_later(self, plans: Sequence[Plan]) -> None:
        if self.trial is None:
            super()._say_what_is_later(plans)

    def pilot(self, trial: Trial, job_hours: float) -> int:
        """`--pilot`."""
        self._look_as_asked(dry=False)
        self._say_how_it_stands()
        under_way = {
            number: one
            for number, sweep in enumerate(self.sweeps)
            if (one := self._under_way(sweep))
        }
        plans = {
            number: plan
            for number, sweep in enumerate(self.sweeps)
            if number not in under_way and (plan := self._plan(sweep, trial)) is not None
        }
        if not plans and not under_way:
            if any(sweep.to_send for sweep in self.sweeps):
                print("the queue has no room for another job")
                return 1
            print("nothing is there to try; --usage tells what was used")
            return self._verdict()
        for plan in plans.values():
            print(
                f"pilot, {trial.minutes:g} minutes of training:",
                *plan.lines(),
                sep="\n",
                flush=True,
            )
        if plans and not self._agreed("go on?"):
            return 1
        self._hand_over(list(plans.values()))
        sent = under_way | {number: plan.sent for number, plan in plans.items()}
        self._await(list(sent.values()))
        self._look_again()
        told = [
            self._propose(self.sweeps[number], [one], job_hours)
            for number, one in sorted(sent.items())
        ]
        return 0 if all(told) else 1

    def _under_way(self, sweep: Sweep) -> Submission | None:
        """A pilot that somebody sent and did not wait for."""
        for one in sweep.submissions:
            mine = pilot.is_pilot(one) and one.scheduler == self.cluster.scheduler
            tasks = range(len(one.tasks))
            if mine and any((one.name, task) in self.queues.queued for task in tasks):
                print(f"{sweep.name}: waits for the pilot {one.name}, which is under way")
                return one
        return None

    def _plan(self, sweep: Sweep, trial: Trial) -> Plan | None:
        by = self.queues.of(self.cluster.scheduler)
        limits = by.limits(self.cluster)
        wish = self._wish()
        batch = dispatch.batch_of(sweep, wish)
        cluster = pilot.small(self.cluster, trial.count)
        chosen = pilot.choose(sweep, cluster.slots, batch)
        wish = dataclasses.replace(wish, cluster=cluster, leave_after=60 * trial.minutes)
        room = dispatch.room_for(limits, self.cluster, self.queues.jobs)
        return dispatch.make_plan(dataclasses.replace(sweep, to_send=chosen), wish, limits, room)

    def _await(self, sent: Sequence[Submission]) -> None:
        """Until none of them is queued or running."""
        by = self.queues.of(self.cluster.scheduler)
        patience, before = Patience(), ""
        paths = {
            (one.name, task): one.events_path(task)
            for one in sent
            for task in range(len(one.tasks))
        }
        while found := by.queued(sent)[0]:
            now = _said(found)
            if not before:
                print("waits for it; if this call ends, the same call waits again")
            if now != before:
                print(now, flush=True)
                before = now
            patience.pause({key: paths[key] for key in found})
        deadline = time.monotonic() + _LAG_SECONDS
        while not all(map(_has_left, sent)) and before and time.monotonic() < deadline:
            time.sleep(FIRST_PAUSE)

    # -- what was used

    def usage(self, job_hours: float) -> int:
        """`--usage`."""
        self._look(adopt=False, dry=True)
        told = [self._tell(sweep, job_hours) for sweep in self.sweeps]
        return 0 if all(told) else 1

    def _tell(self, sweep: Sweep, job_hours: float) -> bool:
        for line in report.status_lines([sweep]):
            print(line)
        attempts, left_out = self._latest_kind(sweep)
        if not attempts:
            print("  no job has run")
            return False
        measured = measure(sweep, attempts)
        found = usage.usage_of(attempts, measured, attempts[-1].sent.batch or 1)
        table = list(usage.rows(found))
        if sys.stdout.isatty():
            from rich.console import Console

            Console().print(usage.as_table(table))
        else:
            for line in usage.plain(table):
                print(f"  {line}")
        for line in usage.summary(found):
            print(f"  {line}")
        if left_out:
            print(f"  left out: {left_out:,} times that a job ran with another batch or GPU share")
        return self._advise(sweep, measured, attempts[-1].sent.batch or 1, job_hours)

    def _latest_kind(self, sweep: Sweep) -> tuple[list[Attempt], int]:
        """What can be measured together: jobs whose processes were alike; how many were not."""
        environment = sweep.folder.manifest.files["environment"]
        same = [
            one
            for one in sorted([*sweep.stale, *sweep.submissions], key=lambda one: one.created)
            if msgspec.json.decode(submission.files_of(one)[0]) == environment
        ]
        found = list(attempts_of(same, self.queues.queued, self.queues.accounted))
        alike = [one for one in found if _kind(one.sent) == _kind(found[-1].sent)]
        return alike, len(found) - len(alike)

    # -- what to ask for

    def _propose(self, sweep: Sweep, sent: list[Submission], job_hours: float) -> bool:
        attempts = list(attempts_of(sent, self.queues.queued, self.queues.accounted))
        batch = sent[0].batch or 1
        return self._advise(sweep, measure(sweep, attempts), batch, job_hours)

    def _advise(self, sweep: Sweep, measured: Measured, batch: int, job_hours: float) -> bool:
        used = measured.used()
        if used is None:
            for line in report.status_lines([sweep]):
                print(line)
            print(
                f"{sweep.name}: no run got far enough to tell how long one takes; "
                "--logs INDEX shows what it said"
            )
            return False
        runs = len(sweep.wanted) - sweep.done
        which = f"the {runs:,} missing runs" if runs else "as many runs again"
        print(f"{sweep.name}: the next request, for {which}")
        limits = self.queues.of(self.cluster.scheduler).limits(self.cluster)
        advice = Advice(
            measured,
            used,
            self.cluster,
            runs or len(sweep.wanted),
            batch,
            3600 * job_hours,
            limits,
        )
        print(*advice.text(), sep="\n")
        return True


def _said(found: dict[TaskKey, Queued]) -> str:
    parts = []
    for job in found.values():
        reason = f" ({job.reason})" if job.reason else ""
        parts.append(f"{job.job} is {job.state}{reason}")
    return f"pilot: {', '.join(parts)}"


def _has_left(sent: Submission) -> bool:
    return any(
        isinstance(event, Left)
        for task in range(len(sent.tasks))
        for event in events.read(sent.events_path(task))
    )


def _kind(sent: Submission) -> tuple[object, ...]:
    cluster = sent.cluster
    return sent.batch, sent.device, cluster.runs_per_gpu, cluster.threads_per_run
