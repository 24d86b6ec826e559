"""Hyperparameters that planning agents share."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import AgentSettings, Rule

Count = Annotated[int, Meta(ge=1)]
Whole = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


class PlanningSettings(AgentSettings, frozen=True, kw_only=True):
    """How a decision is planned."""

    @classmethod
    def group_size(cls, device: str) -> int:
        return 1  # planners share nothing

    nodes: Annotated[
        Count | None, Meta(description="new nodes of a decision; null: `seconds` alone says")
    ] = 100
    seconds: Annotated[
        Positive | None,
        Meta(
            description="wall-clock seconds of a decision; null: no limit (with one, results "
            "cannot be repeated to the bit)"
        ),
    ] = None
    width: Annotated[
        Count | None,
        Meta(description="atoms of a combination that may be novel; null: whole tuples of atoms"),
    ] = 1
    features: Annotated[
        str,
        Meta(
            min_length=1,
            description='"basic", "ram", "pixel", "b-prost" or "module:function"; "auto": '
            "basic where there is such a thing, pixel where observations are pictures",
        ),
    ] = "auto"
    background_steps: Annotated[
        int,
        Meta(
            ge=0,
            description="random steps that show what the background of an Atari screen is; "
            "0: nothing",
        ),
    ] = 100
    cache_subtree: Annotated[
        bool, Meta(description="keep the chosen action's subtree for the next decision")
    ] = True
    cached_in_table: Annotated[
        bool,
        Meta(
            description="enter kept nodes into the novelty table, and search no further where "
            "they are not novel"
        ),
    ] = False
    reward_tables: Annotated[
        bool, Meta(description="a novelty table for each order of magnitude of the path's reward")
    ] = False
    terminal_atoms: Annotated[
        bool, Meta(description="enter the last states of episodes into the novelty table too")
    ] = True
    max_depth: Annotated[
        Count | None, Meta(description="nodes this deep are leaves; null: no limit")
    ] = None
    max_tree_size: Annotated[
        Annotated[int, Meta(ge=2)] | None,
        Meta(description="nodes from which on a tree grows no further; null: no limit"),
    ] = None
    min_probability: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            description="a node counts as solved when its unsolved actions have together no more "
            "probability than this",
        ),
    ] = 0.0
    repeat_frames: Annotated[
        int,
        Meta(
            ge=0,
            description="a child whose atoms equal its parent's is extended by the same action "
            "alone, for so many frames; 0: it is pruned as any other",
        ),
    ] = 0
    planning_gamma: Annotated[
        Share | None, Meta(description="discount in the tree; null: the environment's gamma")
    ] = None
    target_temperature: Annotated[
        float,
        Meta(ge=0, description="of the softmax over Q at the root; 0: uniform over the highest"),
    ] = 0.0
    risk_averse: Annotated[
        bool,
        Meta(
            description="in choosing, weigh negative rewards 50,000 times, and add -500,000 to "
            "every node with fewer lives than the root"
        ),
    ] = False
    zero_value: Annotated[
        Literal["uniform", "random", "longest"],
        Meta(
            description="what to do where the highest Q is 0: as ever; any action of Q 0; the one "
            "whose branch of zero returns is longest"
        ),
    ] = "uniform"
    subtree_temperature: Annotated[
        Positive | None,
        Meta(
            description="act by the softmax over Q times that over the subtrees' sizes / this; "
            "null: by that over Q alone"
        ),
    ] = None
    bins: Annotated[
        int, Meta(ge=2, le=101, description="values for each dimension of a continuous action")
    ] = 3

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            ("nodes", "seconds"),
            lambda nodes, seconds: nodes is not None or seconds is not None,
            "nodes is not null or seconds is not null",
        ),
        Rule(
            ("cached_in_table", "cache_subtree"),
            lambda cached_in_table, cache_subtree: cache_subtree or not cached_in_table,
            "cache_subtree or not cached_in_table",
        ),
        Rule(
            ("features", "width"),
            lambda features, width: features != "b-prost" or width == 1,
            "width == 1 if features == 'b-prost'",
        ),
    )
