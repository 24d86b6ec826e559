"""Training by an agent that drives its own environments: the loop only looks, and keeps it.

A run is trained alone: those of a group one after another. As in `experiment.loop`, training can be
left between any two rounds and taken up again exactly, and evaluation changes nothing that
training reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

import agents
import envs
from agents.base import AgentRefused, Diverged, Driver, Episode, Files, WorkerLost
from envs.errors import EnvironmentRefused
from envs.settings import EnvironmentSettings
from experiment.agent_building import check_players
from experiment.agent_file import check_rules
from experiment.course import Course, next_border, window_end
from experiment.driven_evaluation import SideBySide
from experiment.errors import ConfigError, StorageError
from experiment.step_arrays import StepArrays
from experiment.streams import Streams, as_seed

if TYPE_CHECKING:
    from envs.wrappers import Problem
    from experiment.configuration import Experiment
    from experiment.folder import Run

#: What can be recorded of agents that take steps apart from the loop.
RECORDED = frozenset({"eval_states", "learned_params"})


class Environments:
    """The training environments of a run: see `agents.base.EnvironmentMaker`.

    Attributes:
        settings: the environment file.
        first: number 0, if it was made in this process.
    """

    def __init__(
        self, settings: EnvironmentSettings, streams: Streams, render_mode: str | None
    ) -> None:
        self.first: Problem | None = None
        self.settings, self._streams, self._render_mode = settings, streams, render_mode

    def __call__(self, number: int) -> Problem:
        problem = envs.make(self.settings, render_mode=None if number else self._render_mode)
        problem.action_space.seed(_seed_of(self._streams.action_space, number))
        if number == 0:
            self.first = problem
        return problem

    def seed(self, number: int) -> int:
        """See `agents.base.EnvironmentMaker`."""
        return _seed_of(self._streams.training_environment, number)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"first": None}


def _seed_of(stream: np.random.SeedSequence, number: int) -> int:
    child = np.random.SeedSequence(stream.entropy, spawn_key=(*stream.spawn_key, number))
    return as_seed(child)


class DrivenRun(Course):
    """The course of a run whose agent says how it goes."""

    saves_mid_episode = True

    def __init__(
        self, settings: EnvironmentSettings, streams: Streams, step_arrays: StepArrays
    ) -> None:
        super().__init__(settings, streams, step_arrays)
        self.history["train_episode_ends"] = []
        self._timestep = 0
        self._reward_sum = self._window_reward_sum = 0.0

    @property
    def timestep(self) -> int:
        return self._timestep

    @property
    def can_be_saved(self) -> bool:
        return True

    def moved_to(self, timestep: int, reward_sum: float) -> None:
        """Where it stands, and what was earned until there."""
        self._timestep, self._reward_sum = timestep, reward_sum

    def end_episode(self, episode: Episode) -> None:
        """Records it."""
        self.history["train_episode_ends"].append(episode.timestep)
        self.history["train_episode_rewards"].append(episode.total)
        self.history["train_episode_steps"].append(episode.steps)
        self.history["train_episode_terminated"].append(episode.terminated)

    def close_window(self, metrics: Mapping[str, float]) -> None:
        """Samples the metrics, and the mean reward since they were sampled last."""
        self._end_window(self._reward_sum - self._window_reward_sum, metrics)
        self._window_reward_sum = self._reward_sum

    def state_dict(self) -> dict[str, Any]:
        """Everything but the agent that the rest of the run depends on."""
        counters = {
            "timestep": self._timestep,
            "reward_sums": (self._reward_sum, self._window_reward_sum),
            "window_start": self._window_start,
            "history": self.history,
            "diverged": self.diverged,
        }
        return {"counters": counters, "step_arrays": self.step_arrays.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continues where `state_dict` was taken."""
        saved = state["counters"]
        self._timestep, self._window_start = saved["timestep"], saved["window_start"]
        self._reward_sum, self._window_reward_sum = saved["reward_sums"]
        self.history, self.diverged = saved["history"], saved["diverged"]
        self.step_arrays.load_state_dict(state["step_arrays"])

    def results(self) -> dict[str, Any]:
        """The measurements; episodes that the end of the run cut off are not among them."""
        total = len(self.history["train_episode_rewards"])
        return self.history | {"last_episode_unfinished": False, "total_train_episodes": total}


class _Stop:
    """See `agents.base.leaving`."""

    def __init__(self, training: DrivenTraining, deadline: float) -> None:
        self._training, self._deadline = training, deadline

    def __call__(self) -> bool:
        return self._training.between_rounds(self._deadline)

    def leaving(self) -> bool:
        return self._training.stop


class DrivenTraining:
    """As `experiment.loop.Training`, of one run; its slot is 0.

    Attributes:
        stop: set it (a signal handler may) to leave `advance` between two rounds.
        lost: why it cannot go on in this process, though it can be saved.
        on_step: called after every round of the environments.
        on_savable, to_save: as there; such a run can be saved anywhere.
    """

    def __init__(
        self, run: DrivenRun, driver: Driver, evaluation_environment: Callable[[], Problem]
    ) -> None:
        self.members = [run]
        self.driver = driver
        self.settings = run.settings
        self.stop = False
        self.lost: str | None = None
        self.on_step: Callable[[], None] | None = None
        self.on_savable: Callable[[int], None] | None = None
        self.to_save: set[int] = set()
        self._run = run
        self._seen_at = 0  # the timestep of the last `on_step`
        self._make_evaluation_environment = evaluation_environment
        self._side_by_side: SideBySide | None = None

    # -- the course of the run

    @property
    def device(self) -> str:
        """Where the agent computes."""
        return self.driver.device

    @property
    def live(self) -> list[int]:
        """The slots that still train."""
        return [0] if self._run.diverged is None else []

    @property
    def timestep(self) -> int:
        """Where the run stands."""
        return self._run.timestep if self.live else self.settings.total_timesteps

    @property
    def finished(self) -> bool:
        """Whether every timestep and every evaluation is done."""
        return self.timestep >= self.settings.total_timesteps and not self.evaluation_is_due

    @property
    def evaluation_is_due(self) -> bool:
        """Whether there is an evaluation to do before training goes on."""
        return self._run.evaluation_is_due

    def advance(self, deadline: float, *, patience: float = 0.0) -> None:
        """Trains until an evaluation is due or the run ends, or leaves early: when `stop` is set or
        the monotonic clock has passed `deadline`."""
        started = time.perf_counter()
        left_early = False
        while not (left_early or self.evaluation_is_due or self.finished):
            left_early = self._advance(deadline)
        self._run.history["train_time"] += time.perf_counter() - started

    def _advance(self, deadline: float) -> bool:
        """To the next border; returns whether it was left before."""
        run, driver = self._run, self.driver
        end_of_window = window_end(self.settings, run.timestep + 1)
        until = next_border(self.settings, run.timestep)
        try:
            driver.advance(until, _Stop(self, deadline))
        except Diverged as reason:
            run.moved_to(driver.timestep, driver.reward_sum)
            run.diverged = {"timestep": driver.timestep, "what": str(reason)}
            return True
        except WorkerLost as reason:
            run.moved_to(driver.timestep, driver.reward_sum)
            self.lost, self.stop = str(reason), True
            return True
        except AgentRefused as refused:
            raise ConfigError(f"{self.settings.env_name}: {refused}") from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise StorageError(f"{where}{error.strerror or error}") from error
        run.moved_to(driver.timestep, driver.reward_sum)
        if run.timestep == end_of_window:
            run.close_window(driver.metrics())
        return self.between_rounds(deadline)

    def between_rounds(self, deadline: float) -> bool:
        """Whether the driver is to return."""
        if self.on_step is not None and self.driver.timestep > self._seen_at:
            self.on_step()
        self._seen_at = self.driver.timestep
        return self.stop or time.monotonic() >= deadline

    # -- evaluation

    def evaluate(self, *, patience: float = 0.0) -> None:
        """Runs the evaluation that is due, several episodes side by side; leaves it undone when
        `stop` is set meanwhile and the monotonic clock has passed `patience`."""
        run = self._run
        if self._side_by_side is None:
            self._side_by_side = SideBySide(run, self._make_evaluation_environment)
        started = time.perf_counter()
        try:
            evaluation = self._side_by_side.evaluate(
                self.driver, lambda: self.stop and time.monotonic() >= patience
            )
        except Diverged as reason:
            run.diverged = {"timestep": run.timestep, "what": str(reason)}
            return
        if evaluation is not None:
            run.end_evaluation(evaluation, time.perf_counter() - started)

    # -- leaving and coming back

    def state_dict(self, slot: int) -> dict[str, Any]:
        """Everything that the rest of the run depends on."""
        return {"member": self._run.state_dict(), "agent": self.driver.state_dict()}

    def load_state_dict(self, slot: int, state: dict[str, Any]) -> None:
        """Continues the run where `state_dict` was taken.

        Raises:
            ConfigError: an environment cannot be brought to where it was.
        """
        self._run.load_state_dict(state["member"])
        try:
            self.driver.load_state_dict(state["agent"])
        except EnvironmentRefused as refused:
            raise ConfigError(f"environment file: {refused.field} {refused.problem}") from None
        self._seen_at = self.driver.timestep

    def learned_params(self, slot: int) -> Mapping[str, np.ndarray]:
        """What the agent has learned."""
        return self.driver.learned_params()

    def provenance(self, slot: int) -> dict[str, Any]:
        """What the record says of how the run was trained, beside its results."""
        return dict(self.driver.provenance())

    def close(self) -> None:
        """Closes all environments."""
        self.driver.close()
        if self._side_by_side is not None:
            self._side_by_side.close()


def build_driven(
    experiment: Experiment,
    run: Run,
    device: str,
    record: tuple[str, ...],
    monitor_after: int | None,
    files: Files | None,
) -> DrivenTraining:
    """Environments, agent and loop of a run, every random stream grown from its seed.

    Args:
        files: of an agent that keeps any.

    Raises:
        AgentRefused, EnvironmentRefused: the agent or its environments cannot work here.
        ConfigError: something is to be recorded that is not to be had.
    """
    name, settings = experiment.agent_name, experiment.environment
    if wanted := sorted(set(record) - RECORDED):
        raise ConfigError(
            f"--record {','.join(wanted)}: {name} plays in several environments at once and learns "
            f"from whole stretches of them; what it can record is {', '.join(sorted(RECORDED))}"
        )
    settings_type, agent_type = agents.settings_type(name), agents.agent_type(name)
    setting = experiment.grid.setting(run.setting)
    check_rules(settings_type, setting)
    streams = Streams.of(run.random_seed)
    course = DrivenRun(settings, streams, StepArrays(record))
    environments = Environments(settings, streams, None if monitor_after is None else "rgb_array")
    looked_at = envs.make(settings)
    check_players(experiment, looked_at)
    driver: Driver = agent_type(
        msgspec.convert(setting, settings_type),
        looked_at.observation_space,
        looked_at.action_space,
        gamma=settings.gamma,
        rng=np.random.default_rng(streams.agent),
        device=device,
        make_environment=environments,
        total_timesteps=settings.total_timesteps,
        report=course.end_episode,
        **({} if files is None else {"files": files}),
    )
    looked_at.close()
    training = DrivenTraining(course, driver, lambda: envs.make(settings, evaluation=True))
    if monitor_after is not None:
        from experiment.monitor import Monitor

        if environments.first is None:
            raise AgentRefused(f"{name} plays in other processes, where --monitor sees nothing")
        training.on_step = Monitor(environments.first, settings.env_name, monitor_after).step
    return training
