"""Draws own scores on Atari games beside published ones: a row a game, aggregates below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plotting import page, style
from plotting.aggregates import FEW_RUNS
from plotting.atari_summary import AGGREGATES, Compared
from plotting.inference import Interval
from plotting.phrases import count
from plotting.profile_summary import runs_of
from plotting.tables import as_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.2  # inches of a game
_MARKERS = "s^vD<>PXph*d"
_TICKS = (-10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10, 20, 50)
_LINEAR = 1.0  # up to here the axis is linear, logarithmic beyond


def draw(found: Compared, title: str, form: style.Style, width: float, height: float) -> Figure:
    """The figure is as high as its rows, and at least `height` inches."""
    rows = [*found.games, *AGGREGATES]
    with page.styled():
        figure = page.new_figure(width, max(height, _ROW * len(rows) + 0.6))
        axes = figure.add_subplot()
        for position, agent in enumerate(found.agents):
            colour, _ = style.colour(position)
            offset = 0.25 * (position - (len(found.agents) - 1) / 2) / max(len(found.agents), 1)
            scores = found.scores[position] | {n: agent.aggregates[n] for n in AGGREGATES}
            for row, name in enumerate(rows):
                _own(axes, scores[name], row + offset, colour, agent.agent if row == 0 else "")
        for position, name in enumerate(found.beside):
            marker = _MARKERS[position % len(_MARKERS)]
            points = [found.benchmark.normalised(name, game) for game in found.games]
            known = found.published(name)
            points += [known.get(aggregate, float("nan")) for aggregate in AGGREGATES]
            axes.plot(
                points,
                range(len(rows)),
                linestyle="",
                marker=marker,
                markersize=4,
                markerfacecolor="none",
                color=style.REFERENCE,
                label=f"{name}, published",
            )
        axes.axhline(len(found.games) - 0.5, color=style.REFERENCE, linewidth=0.8)
        axes.axvline(1.0, color=style.REFERENCE, linewidth=0.8, dashes=(4, 2))
        axes.set_xscale("symlog", linthresh=_LINEAR)
        low, high = axes.get_xlim()
        ticks = [tick for tick in _TICKS if low <= tick <= high]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("human-normalised score (random 0, human 1)")
        axes.set_yticks(range(len(rows)), rows)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        handles, labels = axes.get_legend_handles_labels()
        page.add_texts(figure, title, handles, labels, notes(found) if form.caption else ())
        return figure


def _own(axes: Axes, of: Interval, row: float, colour: str, label: str) -> None:
    low, high = float(of.low), float(of.high)
    if low < high:
        axes.plot([low, high], [row] * 2, color=colour, linewidth=5, alpha=0.35)
    axes.plot(
        float(of.estimate), row, linestyle="", marker="o", markersize=5, color=colour, label=label
    )


def notes(found: Compared) -> list[page.Note]:
    """The caption."""
    title = found.benchmark.title
    own = [
        page.Note(f"{count(len(found.games), 'game')}, {runs_of(own)} runs on each.", own.agent)
        for own in found.agents
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
    by_source: dict[str, list[str]] = {}
    for name in found.beside:
        agent = found.benchmark.agents[name]
        by_source.setdefault(agent.source, []).append(f"{name} ({agent.paper})")
    papers = " ".join(f"{', '.join(names)}: {source}." for source, names in by_source.items())
    games = (
        f"Aggregates are over all games of {title}."
        if found.complete
        else f"These are {len(found.games)} of the {len(found.benchmark.random)} games of {title}: "
        "aggregates are over these, and a published agent has them only if its score of each is "
        "shipped."
    )
    general = (
        f"Score: {found.metric}, 0 for random actions and 1 for a human; linear up to {_LINEAR:g}, "
        "logarithmic beyond. Bars: 95% percentile intervals of the stratified bootstrap over runs"
        f"{caution}. {games}"
    )
    shown = [page.Note(papers, "Published means")] if papers else []
    return [*own, page.Note(general), *shown]


def score_table(found: Compared) -> str:
    """One row an agent and game; published ones have no interval."""
    rows: list[Sequence[object]] = []
    for agent, scores in zip(found.agents, found.scores, strict=True):
        for game, of in scores.items():
            low, high = float(of.low), float(of.high)
            rows.append((agent.agent, game, float(of.estimate), low, high, "own"))
    for name in found.beside:
        for game in found.games:
            score = found.benchmark.normalised(name, game)
            source = found.benchmark.agents[name].source
            rows.append((name, game, score, float("nan"), float("nan"), source))
    return as_csv(("agent", "game", "score", "low", "high", "source"), rows)


def aggregate_table(found: Compared) -> str:
    """One row an agent and aggregate."""
    rows: list[Sequence[object]] = [
        (agent.agent, name, float(of.estimate), float(of.low), float(of.high), "own")
        for agent in found.agents
        for name, of in agent.aggregates.items()
    ]
    for name in found.beside:
        source = found.benchmark.agents[name].source
        for aggregate, value in found.published(name).items():
            rows.append((name, aggregate, value, float("nan"), float("nan"), source))
    return as_csv(("agent", "aggregate", "estimate", "low", "high", "source"), rows)
