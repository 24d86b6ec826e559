"""From experiments to their learning curves: the chosen setting's runs, their mean and interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from plotting.curves import smoothed, stack
from plotting.data_file import BadInput, Experiment
from plotting.inference import interval
from plotting.kinds import Kind
from plotting.metric import Metric
from plotting.second_stage import SecondStage, stage_of
from plotting.seeds import SeedCurve, no_score, seed_curves, tally, varied
from plotting.selection import Choice, Tally, choose, choose_by_hand

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Summary:
    """What is drawn of one experiment, and what its caption must say.

    params: hyperparameters of the chosen setting that differ between settings.
    total_timesteps: of the longest run; or what else `axis` counts.
    seeds: the runs that are drawn, by run number.
    timestep, mean, low, high, n: the mean over those seeds; n varies where curves end. [B]
    as_measured: False where the points of the seeds had to be interpolated to a common axis.
    no_curve: completed runs without a single value.
    diverged_elsewhere, missing_elsewhere: runs of the settings that are not drawn.
    stage: the second stage that these runs are.
    kind, smooth: what is estimated over the seeds, and over how many timesteps curves are smoothed.
    """

    label: str
    metric: Metric
    choice: Choice
    params: dict[str, Any]
    total_timesteps: int
    seeds: tuple[SeedCurve, ...]
    timestep: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.int64]
    as_measured: bool
    no_curve: int
    diverged_elsewhere: int
    missing_elsewhere: int
    stage: SecondStage | None
    kind: Kind
    smooth: int | None
    axis: str


def summarize(
    experiment: Experiment,
    label: str,
    metric: Metric,
    bins: int,
    setting: int | None,
    kind: Kind = "mean-t",
    smooth: int | None = None,
) -> Summary:
    """Chooses the setting (or takes `setting`) and averages its runs, each smoothed before."""
    curves = {
        each.number: seed_curves(experiment, each, metric, bins) for each in experiment.settings
    }
    tallies = [tally(experiment, each, curves[each.number], metric) for each in experiment.settings]
    choice = choose_setting(experiment, tallies, metric, setting)
    chosen = curves[choice.tally.setting]
    return average(experiment, label, metric, choice, tallies, chosen, kind, smooth)


def average(
    experiment: Experiment,
    label: str,
    metric: Metric,
    choice: Choice,
    tallies: Sequence[Tally],
    chosen: Sequence[SeedCurve],
    kind: Kind = "mean-t",
    smooth: int | None = None,
) -> Summary:
    """The estimate over the seeds of one setting, whose curves are `chosen`.

    Args:
        tallies: of all settings.
    """
    import numpy as np

    seeds = tuple(each for each in chosen if np.isfinite(each.curve.value).any())
    if not seeds:
        raise BadInput(
            f"{experiment.path}: setting {choice.tally.setting} has no run with {metric}"
        )
    if smooth is not None:
        seeds = tuple(replace(each, curve=smoothed(each.curve, smooth)) for each in seeds)
    timestep, values, as_measured = stack([each.curve for each in seeds])
    over_seeds = interval(values, kind, diverged="exclude", rng=np.random.default_rng(0))
    # Where most seeds have no value any more, the mean would be that of the few that happen to.
    kept = 2 * over_seeds.n >= len(seeds)
    others = [each for each in tallies if each.setting != choice.tally.setting]
    return Summary(
        label=label,
        metric=metric,
        choice=choice,
        params=varied(experiment, choice.tally.setting),
        total_timesteps=experiment.total_timesteps,
        seeds=seeds,
        timestep=timestep[kept],
        mean=over_seeds.estimate[kept],
        low=over_seeds.low[kept],
        high=over_seeds.high[kept],
        n=over_seeds.n[kept],
        as_measured=as_measured,
        no_curve=len(choice.tally.scores) - len(seeds),
        diverged_elsewhere=sum(each.diverged for each in others),
        missing_elsewhere=sum(each.missing for each in others),
        stage=stage_of(experiment),
        kind=kind,
        smooth=smooth,
        axis=experiment.axis,
    )


def choose_setting(
    experiment: Experiment, tallies: Sequence[Tally], metric: Metric, setting: int | None
) -> Choice:
    """The best setting, or the one that is asked for."""
    if setting is None:
        choice = choose(tallies)
        if choice is None:
            raise no_score(experiment, metric, ", or --setting")
        return choice
    choice = choose_by_hand(tallies, setting)
    if choice is None:
        numbers = [tally.setting for tally in tallies]
        nearest = min(numbers, key=lambda number: (abs(number - setting), number))
        raise BadInput(
            f"{experiment.path} has no setting {setting}: the nearest is {nearest} "
            f"(of {len(numbers)}, from {numbers[0]} to {numbers[-1]})"
        )
    return choice
