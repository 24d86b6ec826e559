"""One index from beginning to end: lock, resume, train, save, write the record."""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

import agents
import envs
from agents.base import Agent, AgentRefused, Diverged
from envs.errors import EnvironmentRefused
from experiment.agent_file import check_rules
from experiment.checkpoint import Checkpoints
from experiment.configuration import Experiment
from experiment.errors import ConfigError, StorageError
from experiment.files import clear_temporaries
from experiment.folder import ResultFolder, Run
from experiment.loop import Training
from experiment.progress import Progress
from experiment.provenance import keep_difference, provenance
from experiment.signals import on_stop_signal
from experiment.step_arrays import StepArrays
from experiment.streams import Streams

#: After a stop signal, how long a run that can only be saved between episodes looks for one.
GRACE_SECONDS = 30.0


class Outcome(enum.Enum):
    """How an index ended."""

    COMPLETED = "completed"
    DIVERGED = "diverged"
    FINISHED_BEFORE = "finished before"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Options:
    """How to run, apart from what to run; none of it changes the numbers of a record."""

    device: str = "cpu"
    record: tuple[str, ...] = ()
    checkpoint_minutes: float = 10.0
    force: bool = False
    monitor_after: int | None = None


def run_index(
    experiment: Experiment, folder: ResultFolder, index: int, options: Options
) -> Outcome:
    """Trains one index and writes its record; resumes where it was interrupted.

    Raises:
        Locked: another process runs it.
        ConfigError: the environment or agent refuses the configuration.
        StorageError: something could not be written; checkpoints are as they were.
    """
    run = folder.run(index)
    label = f"index {index}"

    def report(text: str) -> None:
        Progress(label, 1, 0).say(text)

    if not options.force and folder.has(run):
        return Outcome.FINISHED_BEFORE
    with folder.lock(run):
        # only the holder of the lock moves files; and the one before may have finished the run
        if not options.force and folder.finished(run, report) is not None:
            return Outcome.FINISHED_BEFORE
        keep_difference(folder.path)
        training = build_training(experiment, run, options)
        try:
            return _Session(folder, run, training, options, label).go()
        finally:
            training.close()


def build_training(experiment: Experiment, run: Run, options: Options) -> Training:
    """Environment, agent and loop of a run, every random stream grown from its seed.

    Raises:
        ConfigError: the environment or the agent refuses.
    """
    settings = experiment.environment
    setting = experiment.grid.setting(run.setting)
    check_rules(agents.settings_type(experiment.agent_name), setting)
    streams = Streams.of(run.random_seed)
    try:
        render_mode = "rgb_array" if options.monitor_after is not None else None
        environment = envs.make(settings, render_mode=render_mode)
        agent: Agent = agents.agent_type(experiment.agent_name)(
            msgspec.convert(setting, agents.settings_type(experiment.agent_name)),
            environment.observation_space,
            environment.action_space,
            gamma=settings.gamma,
            rng=np.random.default_rng(streams.agent),
            device=options.device,
        )
    except EnvironmentRefused as refused:
        raise ConfigError(f"environment file: {refused.field} {refused.problem}") from None
    except AgentRefused as refused:
        raise ConfigError(f"{settings.env_name}: {refused}") from None
    training = Training(
        settings,
        environment,
        lambda: envs.make(settings, evaluation=True),
        agent,
        streams,
        StepArrays(options.record),
    )
    if options.monitor_after is not None:
        from experiment.monitor import Monitor

        training.on_step = Monitor(training, options.monitor_after).step
    return training


class _Session:
    """A run in this process, from its start or its last checkpoint."""

    def __init__(
        self,
        folder: ResultFolder,
        run: Run,
        training: Training,
        options: Options,
        label: str,
    ) -> None:
        self.folder, self.run, self.training = folder, run, training
        self.options, self.label = options, label
        self.checkpoints: Checkpoints = folder.checkpoints(run)
        self.origin = provenance(options.device) | {"started": _now()}
        self.resumed = 0
        self.earlier: list[dict[str, Any]] = []
        self.stop_deadline = 0.0  # of the search for the end of an episode, once asked to stop
        self.say: Callable[[str], None] = print

    def go(self) -> Outcome:
        if self.options.force:
            self.checkpoints.delete()
        clear_temporaries(self.folder.record_path(self.run.index).with_suffix(""))
        total = self.training.settings.total_timesteps
        saved = self.checkpoints.load(Progress(self.label, total, 0).say)
        if saved is not None:
            self._resume(saved)
        with Progress(self.label, total, self.training.timestep) as progress:
            self.say = progress.say
            if self.resumed:
                self.say(f"resumes at timestep {self.training.timestep:,}")
            with on_stop_signal(self._ask_to_stop):
                return self._train(progress)

    def _ask_to_stop(self) -> None:
        self.training.stop = True

    # -- training, with what has to happen beside it

    def _train(self, progress: Progress) -> Outcome:
        diverged = None
        next_checkpoint = time.monotonic() + 60 * self.options.checkpoint_minutes
        next_show = time.monotonic() + progress.interval
        try:
            while not self.training.finished:
                now = time.monotonic()
                if now >= next_show:
                    progress.show(self.training.timestep)
                    next_show = now + progress.interval
                if self.training.stop and self._may_leave(now):
                    return self._leave()
                checkpoint_is_due = now >= next_checkpoint
                if checkpoint_is_due and self.training.can_be_saved:
                    self._save_or_say()
                    next_checkpoint = time.monotonic() + 60 * self.options.checkpoint_minutes
                    checkpoint_is_due = False
                if self.training.evaluation_is_due:
                    # also after a stop signal, where only the end of the episode can be saved
                    self.training.evaluate(patience=self.stop_deadline)
                    continue
                seek_border = checkpoint_is_due or self.training.stop
                deadline = now if seek_border else min(next_show, next_checkpoint)
                self.training.advance(deadline, to_episode_end=seek_border)
        except Diverged as reason:
            diverged = {"timestep": self.training.timestep, "what": str(reason)}
        return self._write(diverged)

    def _may_leave(self, now: float) -> bool:
        if self.training.can_be_saved:
            return True
        if not self.stop_deadline:
            self.stop_deadline = now + GRACE_SECONDS
            self.say("asked to stop; this environment can be saved between episodes only, so going")
        return now >= self.stop_deadline

    def _leave(self) -> Outcome:
        if self.training.can_be_saved:
            self._save()
            self.say(f"saved at timestep {self.training.timestep:,}; run it again to go on")
        else:
            self.say("left before the episode ended; goes on from the checkpoint before it")
        return Outcome.INTERRUPTED

    # -- checkpoints

    def _save(self) -> None:
        state = {
            "training": self.training.state_dict(),
            "record": sorted(self.options.record),
            "origin": self.origin,
            "earlier": self.earlier,
            "resumed": self.resumed,
        }
        self.checkpoints.save(self.training.timestep, state)

    def _save_or_say(self) -> None:
        """A checkpoint in passing: a full disk costs the checkpoint, not the run."""
        try:
            self._save()
        except StorageError as error:
            self.say(f"no checkpoint: {error}; training goes on, older checkpoints are kept")

    def _resume(self, saved: dict[str, Any]) -> None:
        if saved["record"] != sorted(self.options.record):
            Progress(self.label, 1, 0).say(
                f"its checkpoint was made with --record {','.join(saved['record']) or '(nothing)'}"
                "; starts from the beginning to record what is asked for now"
            )
            return
        self.training.load_state_dict(saved["training"])
        self.resumed = saved["resumed"] + 1
        self.earlier = saved["earlier"]
        before, now = dict(saved["origin"]), dict(self.origin)
        started, _ = before.pop("started"), now.pop("started")
        self.origin["started"] = started
        if before != now:
            self.earlier = [*self.earlier, before]

    # -- the record

    def _write(self, diverged: dict[str, Any] | None) -> Outcome:
        settings = self.training.settings
        content = {
            "run_number": self.run.number,
            "index": self.run.index,
            "setting_id": self.run.setting_id,
            "random_seed": self.run.random_seed,
            "status": "diverged" if diverged else "completed",
            "diverged": diverged,
            "total_timesteps": settings.total_timesteps,
            "eval_interval_timesteps": settings.eval_interval_timesteps,
            "episodes_per_eval": settings.eval_episodes,
            **self.training.results(),
            "provenance": self.origin
            | {
                "ended": _now(),
                "resumed": self.resumed,
                "earlier": self.earlier,
                "batch_size": 1,
                "saved_between_episodes_only": not self.training.saves_mid_episode,
            },
        }
        arrays = None
        if self.options.record:
            arrays = self.training.step_arrays.encode(self.training.agent.learned_params())
        try:
            path = self.folder.write(self.run, content, arrays)
        except StorageError as error:
            raise StorageError(
                f"{error}; the record is not written. {self._last_resort(diverged is not None)}"
            ) from error
        if path != self.folder.record_path(self.run.index):
            self.say(
                "the configuration of the folder changed while this ran; the record is kept as "
                f"{path}, --adopt gives it the index that it has now"
            )
        self.checkpoints.delete()
        if diverged:
            self.say(f"diverged at timestep {diverged['timestep']:,}: {diverged['what']}")
        return Outcome.DIVERGED if diverged else Outcome.COMPLETED

    def _last_resort(self, diverged: bool) -> str:
        """The record could not be written: keep the work as a checkpoint if that is possible."""
        # taken after the step that diverged, a checkpoint would train on past it
        if not diverged and self.training.can_be_saved:
            with contextlib.suppress(StorageError):
                self._save()
                return "The finished training is kept as a checkpoint; free some space, run again"
        return "Free some space and run it again: it goes on from its last checkpoint"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
