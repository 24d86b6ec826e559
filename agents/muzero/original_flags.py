"""Flags of the original whose place is elsewhere here, or which say the opposite of a setting.

They are accepted by their names, so that what they ask for is done, or said where to ask for it.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from agents.base import AgentSettings, Rule


def _elsewhere(name: str, place: str) -> Rule:
    return Rule((name,), lambda **values: values[name] is None, f"{name} null: {place}")


class OriginalFlags(AgentSettings, frozen=True, kw_only=True):
    """See the module's text."""

    grayscale: Annotated[
        bool | None,
        Meta(description="what pictures have to be; null: what the environment file says"),
    ] = None
    framestack: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="how many of them an observation has to be; null: as the file says"),
    ] = None
    no_search_value_targets: Annotated[
        bool, Meta(description="true is search_value_targets false")
    ] = False
    evaluation_episodes: Annotated[int | None, Meta(description="only null")] = None
    evaluation_interval: Annotated[int | None, Meta(description="only null")] = None
    seed: Annotated[int | None, Meta(description="only null")] = None
    savedir: Annotated[str | None, Meta(description="only null")] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        _elsewhere("evaluation_episodes", "the environment file says eval_episodes"),
        _elsewhere("evaluation_interval", "the environment file says eval_interval_timesteps"),
        _elsewhere("seed", "the index says it, and --seed-offset"),
        _elsewhere("savedir", "--save-dir says it"),
    )
