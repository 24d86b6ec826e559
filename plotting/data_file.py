"""Reads data.json, the combined results of one experiment, without building what is not drawn.

Files may hold hundreds of megabytes. The file is mapped rather than read, the arrays of a run stay
raw bytes until its curve is asked for, and only the fields of that curve are ever decoded.
"""

from __future__ import annotations

import mmap
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

if TYPE_CHECKING:
    from experiment.curves import Curve

Kind = Literal["eval", "train", "reward"]
#: The curves a run may have, in the order in which the default is looked for.
KINDS: tuple[Kind, ...] = ("eval", "train", "reward")
TIMESTEPS = "timesteps"
DATA_FILE = "data.json"


class BadInput(Exception):  # noqa: N818 - the input is bad, the program is not
    """One sentence for the user: what is wrong, where, and what would be right."""


class Series(msgspec.Struct, frozen=True):
    """Numbers at timesteps."""

    timestep: list[int]
    value: list[float]


class _Metrics(msgspec.Struct):
    mean_reward: Series | None = None


class _Head(msgspec.Struct):
    """Who a run is and which curves it has."""

    run_number: int
    random_seed: int
    status: Literal["completed", "diverged"]
    total_timesteps: int
    train_episode_steps: msgspec.Raw
    last_episode_unfinished: bool = False
    timesteps_at_eval: list[int] = []
    metrics: _Metrics | None = None


class _TrainFields(msgspec.Struct):
    train_episode_rewards: list[float]
    train_episode_steps: list[int]
    last_episode_unfinished: bool = False


class _EvalFields(msgspec.Struct):
    eval_episode_rewards: list[list[float]]
    timesteps_at_eval: list[int]


class _RewardFields(msgspec.Struct):
    metrics: _Metrics


class _CountFields(msgspec.Struct):
    counts: dict[str, list[int]] = {}


class _AllFields(_TrainFields, kw_only=True):
    eval_episode_rewards: list[list[float]] = []
    timesteps_at_eval: list[int] = []
    metrics: _Metrics = msgspec.field(default_factory=_Metrics)


class _Setting(msgspec.Struct):
    agent_params: dict[str, Any]
    runs: list[msgspec.Raw]


class _Environment(msgspec.Struct):
    env_name: str


class _Agent(msgspec.Struct):
    agent_name: str
    parameters: dict[str, msgspec.Raw] = {}
    zip: list[dict[str, msgspec.Raw]] = []


class _Configuration(msgspec.Struct):
    environment: _Environment
    agent: _Agent


class _DataFile(msgspec.Struct):
    experiment: msgspec.Raw
    experiment_data: dict[str, _Setting]


@dataclass(frozen=True, slots=True)
class Run:
    """One run, its arrays not yet decoded.

    total_timesteps: or what else `axis` counts.
    kinds: the curves that it has.
    """

    number: int
    seed: int
    diverged: bool
    total_timesteps: int
    kinds: frozenset[Kind]
    content: msgspec.Raw
    where: str
    axis: str = TIMESTEPS


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting and its runs, by run number."""

    number: int
    agent_params: dict[str, Any]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Experiment:
    """One data.json.

    total_timesteps: of its longest run; or what else `axis` counts.
    run_numbers: every run that some setting has.
    lists: names of hyperparameters in the agent file's order, those of a zip group together.
    files: {"environment": the file, "agent": the file}.
    """

    path: Path
    env_name: str
    agent_name: str
    settings: tuple[Setting, ...]
    total_timesteps: int
    run_numbers: frozenset[int]
    lists: tuple[tuple[str, ...], ...]
    files: dict[str, dict[str, Any]]
    axis: str = TIMESTEPS

    @property
    def kinds(self) -> frozenset[Kind]:
        """The curves that some completed run has."""
        runs = [run for setting in self.settings for run in setting.runs if not run.diverged]
        return frozenset[Kind]().union(*(run.kinds for run in runs))


def read_experiment(path: Path) -> Experiment:
    """The experiment in `path`: a data.json, or the folder that holds one."""
    path = _locate(path)
    tree = decode(_map(path), _DataFile, str(path))
    settings = tuple(
        sorted(
            (_setting(path, name, setting) for name, setting in tree.experiment_data.items()),
            key=lambda setting: setting.number,
        )
    )
    runs = [run for setting in settings for run in setting.runs]
    if not runs:
        raise BadInput(f"{path} holds no runs: run the experiment and combine its folder again")
    configuration = decode(tree.experiment, _Configuration, str(path))
    agent = configuration.agent
    return Experiment(
        path,
        configuration.environment.env_name,
        agent.agent_name,
        settings,
        max(run.total_timesteps for run in runs),
        frozenset(run.number for run in runs),
        (*((name,) for name in agent.parameters), *map(tuple, agent.zip)),
        decode(tree.experiment, dict[str, dict[str, Any]], str(path)),
    )


def on_axis(experiment: Experiment, axis: str) -> Experiment:
    """The experiment with its curves over something else that its runs counted: interactions, say.

    Raises:
        BadInput: a run did not count it.
    """
    if axis == TIMESTEPS:
        return experiment
    settings = tuple(
        replace(
            setting,
            runs=tuple(
                replace(run, axis=axis, total_timesteps=max(1, _counts(run, axis)[1][-1]))
                for run in setting.runs
            ),
        )
        for setting in experiment.settings
    )
    longest = max(run.total_timesteps for setting in settings for run in setting.runs)
    return replace(experiment, settings=settings, total_timesteps=longest, axis=axis)


def _counts(run: Run, axis: str) -> tuple[list[int], list[int]]:
    """(timesteps, what had been counted by then), from 0 to the end of the run."""
    counts = decode(run.content, _CountFields, run.where).counts
    if axis not in counts or not counts["timestep"]:
        known = ", ".join(sorted(counts.keys() - {"timestep"})) or "nothing but timesteps"
        raise BadInput(f"{run.where} did not count {axis}: it counted {known}")
    _same_length(run, f"counts.{axis}", counts[axis], counts["timestep"])
    return [0, *_increasing(run, counts["timestep"])], [0, *counts[axis]]


def _placed(run: Run, timesteps: Sequence[int]) -> Sequence[float]:
    """Where timesteps are on the run's axis; exact wherever something was measured."""
    if run.axis == TIMESTEPS:
        return timesteps
    import numpy as np

    placed: list[float] = np.interp(timesteps, *_counts(run, run.axis)).tolist()
    return placed


def _locate(path: Path) -> Path:
    if path.is_dir():
        if not (path / DATA_FILE).is_file():
            raise BadInput(f"{path} holds no {DATA_FILE}: make it with 'python combine.py {path}'")
        return path / DATA_FILE
    if not path.exists():
        raise BadInput(f"{path} does not exist: give a {DATA_FILE} or a folder that holds one")
    return path


def _map(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:  # what mmap says of an empty file
        raise BadInput(f"{path} is empty: combine its folder again") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None


_T = TypeVar("_T")


def decode(content: mmap.mmap | msgspec.Raw, fields: type[_T], where: str) -> _T:
    try:
        # not strict, since a record spells out what JSON has no number for: "nan", "inf"
        return msgspec.json.decode(content, type=fields, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"{where} is not the tree of a {DATA_FILE}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{where} is not a whole JSON file: {error}") from None


def _setting(path: Path, name: str, setting: _Setting) -> Setting:
    if not name.isdecimal():
        raise BadInput(f"{path}: experiment_data has a setting {name!r}, which is not a number")
    runs = sorted(
        (_run(f"{path}, setting {name}", raw) for raw in setting.runs), key=lambda run: run.number
    )
    for run, following in pairwise(runs):
        if run.number == following.number:
            raise BadInput(f"{path}, setting {name} holds run {run.number} twice: combine it again")
    return Setting(int(name), setting.agent_params, tuple(runs))


def _run(where: str, content: msgspec.Raw) -> Run:
    head = decode(content, _Head, where)
    if head.total_timesteps < 1:
        raise BadInput(f"{where}, run {head.run_number} has {head.total_timesteps} timesteps")
    ended = _entries(head.train_episode_steps) - head.last_episode_unfinished
    has: dict[Kind, bool] = {
        "eval": bool(head.timesteps_at_eval),
        "train": ended > 0,
        "reward": bool(
            head.metrics and head.metrics.mean_reward and head.metrics.mean_reward.value
        ),
    }
    return Run(
        head.run_number,
        head.random_seed,
        head.status == "diverged",
        head.total_timesteps,
        frozenset(kind for kind in KINDS if has[kind]),
        content,
        f"{where}, run {head.run_number}",
    )


def _entries(flat_list: msgspec.Raw) -> int:
    """How many numbers a JSON list holds, counted without making them."""
    text = bytes(flat_list)
    return text.count(b",") + 1 if text.strip(b"[] \n\t\r") else 0


def read_curve(run: Run, kind: Kind, total_timesteps: int, bins: int) -> Curve:
    """The curve of a run that has one of this kind, on an axis of `total_timesteps` (or what else
    the run's axis counts)."""
    if kind == "train":
        train = decode(run.content, _TrainFields, run.where)
        return _train_curve(run, train, total_timesteps, bins)
    if kind == "eval":
        evaluation = decode(run.content, _EvalFields, run.where)
        return _eval_curve(run, evaluation, total_timesteps)
    metrics = decode(run.content, _RewardFields, run.where).metrics
    return _reward_curve(run, metrics, total_timesteps)


def read_curves(run: Run, total_timesteps: int, bins: int) -> dict[Kind, Curve]:
    """All curves that a run has, decoded at once."""
    fields = decode(run.content, _AllFields, run.where)
    curves: dict[Kind, Curve] = {}
    if "eval" in run.kinds:
        curves["eval"] = _eval_curve(run, fields, total_timesteps)
    if "train" in run.kinds:
        curves["train"] = _train_curve(run, fields, total_timesteps, bins)
    if "reward" in run.kinds:
        curves["reward"] = _reward_curve(run, fields.metrics, total_timesteps)
    return curves


def _train_curve(run: Run, train: _TrainFields, total_timesteps: int, bins: int) -> Curve:
    from experiment.curves import train_curve

    ended = len(train.train_episode_steps) - train.last_episode_unfinished
    returns = train.train_episode_rewards
    _same_length(run, "train_episode_rewards", returns, train.train_episode_steps)
    steps: Sequence[float] = train.train_episode_steps[:ended]
    if run.axis != TIMESTEPS:
        ends = [0, *_placed(run, list(accumulate(train.train_episode_steps[:ended])))]
        steps = [end - begin for begin, end in pairwise(ends)]
    return train_curve(returns[:ended], steps, total_timesteps, bins)


def _eval_curve(run: Run, evaluation: _EvalFields | _AllFields, total_timesteps: int) -> Curve:
    from experiment.curves import point_curve

    at = evaluation.timesteps_at_eval
    _same_length(run, "eval_episode_rewards", evaluation.eval_episode_rewards, at)
    returns = [
        sum(episodes) / len(episodes) if episodes else float("nan")
        for episodes in evaluation.eval_episode_rewards
    ]
    return point_curve(_placed(run, _increasing(run, at)), returns, total_timesteps)


def _reward_curve(run: Run, metrics: _Metrics, total_timesteps: int) -> Curve:
    from experiment.curves import point_curve

    series = metrics.mean_reward
    if series is None:
        raise BadInput(f"{run.where} has no metrics.mean_reward")
    _same_length(run, "metrics.mean_reward.value", series.value, series.timestep)
    at = _placed(run, _increasing(run, series.timestep))
    return point_curve(at, series.value, total_timesteps)


def _same_length(run: Run, name: str, values: list[Any], positions: list[int]) -> None:
    if len(values) != len(positions):
        raise BadInput(f"{run.where}: {name} has {len(values)} entries for {len(positions)}")


def _increasing(run: Run, timesteps: list[int]) -> list[int]:
    if not all(map(operator.lt, timesteps, timesteps[1:])):
        raise BadInput(f"{run.where}: the timesteps of its curve do not increase")
    return timesteps
