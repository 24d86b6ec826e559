"""Draws performance profiles, and beside them the interquartile means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plotting import page, style
from plotting.aggregates import FEW_RUNS
from plotting.phrases import count, sentence, setting, some
from plotting.profile_summary import AgentScores, Profiles, runs_of
from plotting.settings_summary import Settings
from plotting.tables import as_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BESIDE = 4.2  # inches: narrower figures have the means below the profiles
_ROW = 0.24  # inches of a mean


def draw(found: Profiles, title: str, form: style.Style, width: float, height: float) -> Figure:
    """The profiles are `height` inches high."""
    rows = _ROW * len(found.agents) + 0.5
    beside = width >= _BESIDE
    with page.styled():
        figure = page.new_figure(width, height if beside else height + rows)
        if beside:
            grid = figure.add_gridspec(1, 2, width_ratios=[1.7, 1.0])
        else:
            grid = figure.add_gridspec(2, 1, height_ratios=[height, rows])
        profiles = figure.add_subplot(grid[0])
        means = figure.add_subplot(grid[1])
        for position, agent in enumerate(found.agents):
            _draw_profile(profiles, found, agent, position)
            _draw_mean(means, agent, position)
        profiles.set_xlabel("normalised score τ")
        profiles.set_ylabel("share of runs above τ")
        profiles.set_xlim(found.thresholds[0], found.thresholds[-1])
        profiles.set_ylim(0, 1.02)
        means.set_xlabel("IQM of normalised scores")
        means.set_ylim(len(found.agents) - 0.4, -0.6)
        means.set_yticks(range(len(found.agents)), [""] * len(found.agents))
        means.tick_params(axis="y", length=0)
        means.grid(visible=False, axis="y")
        handles, labels = profiles.get_legend_handles_labels()
        page.add_texts(figure, title, handles, labels, notes(found) if form.caption else ())
        return figure


def _draw_profile(axes: Axes, found: Profiles, agent: AgentScores, position: int) -> None:
    colour, dashes = style.colour(position)
    profile = agent.profile
    axes.fill_between(
        found.thresholds,
        profile.low,
        profile.high,
        step="post",
        color=colour,
        alpha=0.2,
        linewidth=0,
    )
    axes.step(
        found.thresholds,
        profile.estimate,
        where="post",
        color=colour,
        linestyle=dashes,
        linewidth=1.4,
        label=agent.agent,
    )


def _draw_mean(axes: Axes, agent: AgentScores, position: int) -> None:
    colour, _ = style.colour(position)
    of = agent.aggregates["IQM"]
    low, high = float(of.low), float(of.high)
    if low < high:
        axes.plot([low, high], [position] * 2, color=colour, linewidth=6, alpha=0.35)
    axes.plot(float(of.estimate), position, marker="o", markersize=5, color=colour)


def notes(found: Profiles) -> list[page.Note]:
    """The caption."""
    bounds = [
        f"{name} {low:.4g} and {high:.4g}" + ("" if name in found.given else " (lowest, highest)")
        for name, (low, high) in found.bounds.items()
    ]
    fewest = min(
        len(each.choice.tally.scores) + each.choice.tally.diverged
        for agent in found.agents
        for each in agent.experiments
    )
    caution = (
        f" (caution: with fewer than {FEW_RUNS} runs they cover less than that)"
        if fewest < FEW_RUNS
        else ""
    )
    general = (
        f"Score: {found.metric}, normalised so that 0 and 1 are: {'; '.join(bounds)}. "
        "IQM: interquartile mean of all runs on all environments. Bands and bars: 95% percentile "
        "intervals of the stratified bootstrap, runs drawn anew within each environment, pointwise "
        f"for the profiles{caution}. They say nothing of other environments."
    )
    return [*(page.Note(_note(each), each.agent) for each in found.agents), page.Note(general)]


def _note(agent: AgentScores) -> str:
    kinds = [_chosen(each) for each in agent.experiments]
    lost = sum(
        each.choice.tally.diverged + len(each.choice.tally.scores) - each.choice.tally.scored
        for each in agent.experiments
    )
    missing = sum(each.choice.tally.missing for each in agent.experiments)
    parts = [
        f"{count(len(agent.experiments), 'environment')}, {runs_of(agent)} runs on each.",
        *dict.fromkeys(kinds),
        sentence(
            "{}.",
            [
                f"{count(lost, 'run')} diverged or without a score, counted as 0" if lost else "",
                some(missing, "missing run"),
            ],
        ),
    ]
    return " ".join(part for part in parts if part)


def _chosen(of: Settings) -> str:
    if of.choice.settings == 1:
        return "One setting on each."
    what = f"{of.env_name}: {setting(of.choice.tally.setting, of.params)}, best of "
    if of.stage is None:
        return f"{what}{of.choice.settings} on these same selection seeds (optimistic)."
    return f"{what}{of.choice.settings} finalists on fresh seeds."


def profile_table(found: Profiles) -> str:
    """One row a threshold."""
    rows = []
    for agent in found.agents:
        columns = (found.thresholds, agent.profile.estimate, agent.profile.low, agent.profile.high)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            rows.append((agent.agent, *row, agent.seeds))
    return as_csv(("agent", "threshold", "share", "low", "high", "seeds"), rows)


def aggregate_table(found: Profiles) -> str:
    """One row an agent and aggregate, also those that are not drawn."""
    rows: list[Sequence[object]] = [
        (agent.agent, name, float(of.estimate), float(of.low), float(of.high), agent.seeds)
        for agent in found.agents
        for name, of in agent.aggregates.items()
    ]
    return as_csv(("agent", "aggregate", "estimate", "low", "high", "seeds"), rows)
