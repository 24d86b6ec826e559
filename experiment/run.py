"""Indices from beginning to end, alone or as a group: lock, resume, train, save, record."""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

import envs
from agents.base import AgentRefused
from envs.errors import EnvironmentRefused
from envs.factory import check_evaluation
from experiment import garbage
from experiment.agent_building import build_agent, drives, keeps_files
from experiment.checkpoint import Checkpoints
from experiment.configuration import Experiment
from experiment.driven import DrivenTraining, build_driven
from experiment.errors import Broken, ConfigError, Locked, StorageError
from experiment.folder import ResultFolder, Run
from experiment.loop import Training
from experiment.member import Counters, Member
from experiment.progress import Progress
from experiment.provenance import Origin, keep_difference
from experiment.signals import on_stop_signal
from experiment.step_arrays import StepArrays
from experiment.streams import Streams
from experiment.writers.logs import Logs

#: After a stop signal, how long runs that can only be saved between episodes look for an end.
GRACE_SECONDS = 30.0


class Outcome(enum.Enum):
    """How an index ended."""

    COMPLETED = "completed"
    DIVERGED = "diverged"
    FINISHED_BEFORE = "finished before"
    INTERRUPTED = "interrupted"
    LOCKED = "run by another process"


class Options(msgspec.Struct, frozen=True):
    """How to run, apart from what to run; none of it changes the numbers of a record."""

    device: str = "cpu"
    record: tuple[str, ...] = ()
    checkpoint_minutes: float = 10.0
    force: bool = False
    monitor_after: int | None = None
    batch: int | None = 1  # None: as many as suit the agent
    shard: bool = False
    log: tuple[str, ...] = ()  # names of writers


def run_index(
    experiment: Experiment, folder: ResultFolder, index: int, options: Options
) -> Outcome:
    """Trains one index: a group of one. See `run_group`."""
    return run_group(experiment, folder, [index], options, alone=True)[index]


def run_group(
    experiment: Experiment,
    folder: ResultFolder,
    indices: Sequence[int],
    options: Options,
    *,
    alone: bool = False,
) -> dict[int, Outcome]:
    """Trains indices together and writes a record each; resumes where they were interrupted.

    Runs that were interrupted at different timesteps train apart from one another, which changes
    no number: a member's results do not depend on its group.

    Args:
        alone: nothing else is asked for, so another process at it is an error, not a thing to skip.

    Raises:
        Locked: another process runs an index (`alone` only).
        ConfigError: the environment or agent refuses the configuration.
        StorageError: something could not be written; checkpoints are as they were.
        Broken: a process that works for the agent has ended; the run is saved.
    """
    outcomes: dict[int, Outcome] = {}
    to_do: list[Run] = []
    with contextlib.ExitStack() as locks:
        for run in map(folder.run, indices):
            outcome = _claim(folder, run, options, locks, alone=alone)
            if outcome is None:
                to_do.append(run)
            else:
                outcomes[run.index] = outcome
        if to_do:
            keep_difference(folder.path)
        parts = _saved_together(folder, to_do, options)
        if drives(experiment):
            parts = [{run: saved} for part in parts for run, saved in part.items()]
        for part in parts:
            if keeps_files(experiment):
                for run in (run for run, saved in part.items() if saved is None):
                    folder.files(run).clear()
            training = build_training(experiment, list(part), options, folder)
            try:
                outcomes |= _Session(folder, part, training, options).go()
            finally:
                training.close()
            if Outcome.INTERRUPTED in outcomes.values():
                break
    return outcomes


def _claim(
    folder: ResultFolder, run: Run, options: Options, locks: contextlib.ExitStack, *, alone: bool
) -> Outcome | None:
    """Takes the lock of a run that is to be done; else how it stands."""

    def report(text: str) -> None:
        Progress(f"index {run.index}", 1, 0).say(text)

    if not options.force and folder.has(run):
        return Outcome.FINISHED_BEFORE
    lock = folder.lock(run)
    try:
        locks.enter_context(lock)
    except Locked as locked:
        if alone:
            raise
        report(f"skipped: {locked}")
        return Outcome.LOCKED
    if lock.inherited:
        folder.clear_leftovers(run)
    # only the holder of the lock moves files; and the one before may have finished the run
    if not options.force and folder.finished(run, report) is not None:
        return Outcome.FINISHED_BEFORE
    return None


def _saved_together(
    folder: ResultFolder, runs: Sequence[Run], options: Options
) -> list[dict[Run, Mapping[str, Any] | None]]:
    """The runs by the timestep that they were saved at, each with its saved state."""
    parts: dict[int, dict[Run, Mapping[str, Any] | None]] = {}
    for run in runs:
        say = Progress(f"index {run.index}", 1, 0).say
        checkpoints = folder.checkpoints(run)
        if options.force:
            checkpoints.delete()
        saved = checkpoints.load(say)
        if saved is not None and saved["record"] != sorted(options.record):
            say(
                f"its checkpoint was made with --record {','.join(saved['record']) or '(nothing)'}"
                "; starts from the beginning to record what is asked for now"
            )
            saved = None
        timestep = saved["training"]["member"]["counters"]["timestep"] if saved else 0
        parts.setdefault(timestep, {})[run] = saved
    return [parts[timestep] for timestep in sorted(parts)]


def build_training(
    experiment: Experiment,
    runs: Sequence[Run],
    options: Options,
    folder: ResultFolder | None = None,
    *,
    further: int = 0,
) -> Training | DrivenTraining:
    """Environments, agent and loop of a group, every random stream grown from its run's seed.

    Args:
        folder: where an agent keeps files that does.
        further: runs that come after these, which may make it pay to compile something.

    Raises:
        ConfigError: the environment or the agent refuses.
    """
    settings = experiment.environment
    render_mode = "rgb_array" if options.monitor_after is not None else None
    counters = Counters(len(runs))
    try:
        check_evaluation(settings)
        if drives(experiment):
            (run,) = runs
            files = None
            if keeps_files(experiment):
                if folder is None:
                    raise ValueError(f"{experiment.agent_name} keeps files: where?")
                files = folder.files(run)
            return build_driven(
                experiment, run, options.device, options.record, options.monitor_after, files
            )
        members = [
            Member(
                settings,
                envs.make(settings, render_mode=render_mode),
                lambda: envs.make(settings, evaluation=True),
                Streams.of(run.random_seed),
                StepArrays(options.record),
                counters,
                slot,
            )
            for slot, run in enumerate(runs)
        ]
        agent = build_agent(experiment, runs, members, options.device, further)
    except EnvironmentRefused as refused:
        raise ConfigError(f"environment file: {refused.field} {refused.problem}") from None
    except AgentRefused as refused:
        raise ConfigError(f"{settings.env_name}: {refused}") from None
    training = Training(members, agent)
    if options.monitor_after is not None:
        from experiment.monitor import Monitor

        environment = members[0].environment
        training.on_step = Monitor(environment, settings.env_name, options.monitor_after).step
    return training


class _Session:
    """A group in this process, from its start or its last checkpoints."""

    def __init__(
        self,
        folder: ResultFolder,
        part: Mapping[Run, Mapping[str, Any] | None],
        training: Training | DrivenTraining,
        options: Options,
    ) -> None:
        self.folder, self.training, self.options = folder, training, options
        self.runs = list(part)
        self.origins = [Origin(training.device, saved) for saved in part.values()]
        for slot, saved in enumerate(part.values()):
            if saved is not None:
                training.load_state_dict(slot, saved["training"])
        self.checkpoints: list[Checkpoints] = [folder.checkpoints(run) for run in self.runs]
        self.patience = 0.0  # of the search for ends of episodes, once asked to stop
        self.unsaved: set[int] = set(range(len(self.runs)))
        self.say: Callable[[str], None] = print
        self.logs = Logs(options.log, lambda text: self.say(text))

    def go(self) -> dict[int, Outcome]:
        garbage.resume()
        count = len(self.runs)
        label = f"index {self.runs[0].index}" if count == 1 else f"{count} indices"
        start = self.training.timestep
        with Progress(label, self.training.settings.total_timesteps, start) as progress:
            self.say = progress.say
            if any(origin.resumed for origin in self.origins):
                self.say(f"resumes at timestep {start:,}")
            with on_stop_signal(self._ask_to_stop), contextlib.closing(self.logs):
                self.logs.open(self.folder, self.runs, self.training.members)
                if self._train(progress):
                    return {run.index: self._write(slot) for slot, run in enumerate(self.runs)}
                if self.training.lost is not None:
                    raise Broken(
                        f"{label}: {self.training.lost}; saved at timestep "
                        f"{self.training.timestep:,}, run it again to go on"
                    )
                return {run.index: Outcome.INTERRUPTED for run in self.runs}

    def _ask_to_stop(self) -> None:
        self.training.stop = True

    # -- training, with what has to happen beside it

    def _train(self, progress: Progress) -> bool:
        """Trains to the end; False when asked to stop, all that can be saved being saved."""
        training = self.training
        interval = 60 * self.options.checkpoint_minutes
        next_checkpoint = time.monotonic() + interval
        next_show = time.monotonic() + progress.interval
        leaving = False
        while not training.finished:
            now = time.monotonic()
            if now >= next_show:
                progress.show(training.timestep)
                next_show = now + progress.interval
            if now >= self.logs.due:
                self.logs.write()
            if training.stop and not leaving:
                leaving = True
                progress.ends_at(training.timestep)  # before saving takes time and memory
                self._begin_to_leave(now)
            if leaving and (not training.to_save or now >= self.patience):
                return self._left()
            if not leaving and now >= next_checkpoint:
                self._save_now_or_soon(self._save_or_say)
                next_checkpoint = time.monotonic() + interval
            if training.evaluation_is_due:
                # also after a stop signal, where only the end of an episode can be saved
                training.evaluate(patience=self.patience)
                continue
            deadline = min(next_show, next_checkpoint, self.logs.due)
            training.advance(deadline, patience=self.patience)
        progress.ends_at(max(member.timestep for member in training.members))
        return True

    def _save_now_or_soon(self, save: Callable[[int], None]) -> None:
        """Saves every live member, now or at the end of its episode."""
        self.training.on_savable = save
        self.training.to_save = set()
        for slot in self.training.live:
            if self.training.members[slot].can_be_saved:
                save(slot)
            else:
                self.training.to_save.add(slot)

    def _begin_to_leave(self, now: float) -> None:
        self.unsaved = set(self.training.live)
        self._save_now_or_soon(self._save_to_leave)
        if self.training.to_save:
            self.patience = now + GRACE_SECONDS
            self.say("asked to stop; this environment can be saved between episodes only, so going")

    def _save_to_leave(self, slot: int) -> None:
        self._save(slot)
        self.unsaved.discard(slot)

    def _left(self) -> bool:
        for slot, member in enumerate(self.training.members):
            if member.diverged is not None:  # the only time that an end is not written at the end
                self._write(slot)
        if self.training.lost is not None:
            return False
        if self.unsaved:
            self.say("left before the episode ended; goes on from the checkpoint before it")
        else:
            self.say(f"saved at timestep {self.training.timestep:,}; run it again to go on")
        return False

    # -- checkpoints

    def _save(self, slot: int) -> None:
        state = {
            "training": self.training.state_dict(slot),
            "record": sorted(self.options.record),
            "origin": self.origins[slot].state_dict(),
        }
        self.checkpoints[slot].save(self.training.members[slot].timestep, state)

    def _save_or_say(self, slot: int) -> None:
        """A checkpoint in passing: a full disk costs the checkpoint, not the run."""
        try:
            self._save(slot)
        except StorageError as error:
            self.say(f"no checkpoint: {error}; training goes on, older checkpoints are kept")

    # -- the record

    def _write(self, slot: int) -> Outcome:
        run, member = self.runs[slot], self.training.members[slot]
        content = {
            **run.address(),
            "status": "diverged" if member.diverged else "completed",
            "diverged": member.diverged,
            "total_timesteps": member.settings.total_timesteps,
            "eval_interval_timesteps": member.settings.eval_interval_timesteps,
            "episodes_per_eval": member.settings.eval_episodes,
            **member.results(),
            "provenance": self.origins[slot].provenance()
            | {
                "batch_size": len(self.runs),
                "saved_between_episodes_only": not member.saves_mid_episode,
            }
            | self.training.provenance(slot),
        }
        arrays = None
        if self.options.record:
            arrays = member.step_arrays.encode(self.training.learned_params(slot))
        try:
            written = self.folder.write(run, content, arrays)
        except StorageError as error:
            raise StorageError(
                f"{error}; the record is not written. {self._last_resort(slot)}"
            ) from error
        if written.orphaned:
            self.say(
                "the configuration of the folder changed while this ran; the record is kept as "
                f"{written.path}, --adopt gives it the index that it has now"
            )
        self.checkpoints[slot].delete()
        self.logs.end(slot, content["status"])
        if member.diverged:
            at, what = member.diverged["timestep"], member.diverged["what"]
            self.say(f"diverged at timestep {at:,}: {what}")
        return Outcome.DIVERGED if member.diverged else Outcome.COMPLETED

    def _last_resort(self, slot: int) -> str:
        """The record could not be written: keep the work as a checkpoint if that is possible."""
        member = self.training.members[slot]
        # taken after the step that diverged, a checkpoint would train on past it
        if member.diverged is None and member.can_be_saved:
            with contextlib.suppress(StorageError):
                self._save(slot)
                return "The finished training is kept as a checkpoint; free some space, run again"
        return "Free some space and run it again: it goes on from its last checkpoint"
