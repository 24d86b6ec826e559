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
    virtual_threads: Annotated[int | None, Meta(description="only null")] = None
    num_reanalyze_workers: Annotated[int | None, Meta(description="only null")] = None
    cpu_search: Annotated[
        bool | None, Meta(description="true or null: trees are always on the processor")
    ] = None
    fp16: Annotated[bool, Meta(description="only false: numbers are of single precision")] = False
    evaluation_episodes: Annotated[int | None, Meta(description="only null")] = None
    evaluation_interval: Annotated[int | None, Meta(description="only null")] = None
    seed: Annotated[int | None, Meta(description="only null")] = None
    savedir: Annotated[str | None, Meta(description="only null")] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        _elsewhere("virtual_threads", "a tree grows one node at a time, those of num_envs at once"),
        _elsewhere(
            "num_reanalyze_workers",
            "reanalyze says how much is searched again, num_reanalyze_envs how much at once",
        ),
        Rule(
            ("cpu_search",),
            lambda cpu_search: cpu_search is not False,
            "cpu_search true or null: trees are on the processor, and networks where --device says",
        ),
        Rule(
            ("fp16",),
            lambda fp16: not fp16,
            "fp16 false: networks compute in single precision; hidden_size and hidden_dim make "
            "them smaller",
        ),
        _elsewhere("evaluation_episodes", "the environment file says eval_episodes"),
        _elsewhere("evaluation_interval", "the environment file says eval_interval_timesteps"),
        _elsewhere("seed", "the index says it, and --seed-offset"),
        _elsewhere("savedir", "--save-dir says it"),
    )
