"""What a search does, every choice in which published implementations differ being an option."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]
Whole = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]

Kind = Literal["puct", "gumbel", "q_ucb"]


class SearchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a tree of latent states is grown and read; equations are in docs/algorithms.md.

    Raises:
        ValueError: a number is outside its range.
    """

    kind: Annotated[
        Kind,
        Meta(
            description='"puct" (Schrittwieser et al. 2020); "gumbel", sequential halving with '
            'completed Q (Danihelka et al. 2022); "q_ucb", UCB1 over Q-values without a policy'
        ),
    ] = "puct"
    simulations: Annotated[
        Whole, Meta(description="nodes added to the root; 0: the network's word is final")
    ] = 16
    discount: Annotated[Share, Meta(description="of a step in the tree")] = 0.997
    two_player: Annotated[
        bool,
        Meta(
            description="players move in turns: a node's value is to the player who moves there, "
            "an edge's reward to the one who moves along it, so the discount counts negative"
        ),
    ] = False
    c1: Annotated[
        NotNegative, Meta(description="weight of exploration; for q_ucb 0.25 is usual")
    ] = 1.25
    c2: Annotated[
        Positive, Meta(description="pUCT: visits at which exploration has grown by ln 2")
    ] = 19652.0
    root_dirichlet_alpha: Annotated[
        Positive, Meta(description="pUCT and q_ucb: concentration of the root's noise")
    ] = 0.3
    root_noise_fraction: Annotated[
        Share, Meta(description="pUCT and q_ucb: how much of the root's prior is noise")
    ] = 0.25
    q_normalisation: Annotated[
        Literal["tree", "node", "none"],
        Meta(
            description="pUCT and q_ucb: Q goes to [0, 1] between the least and greatest of the "
            "tree; of the node's actions (and, in pUCT, its value); or not at all"
        ),
    ] = "tree"
    q_bounds: Annotated[
        Literal["ever", "current"],
        Meta(
            description="the tree's bounds are of all Q that its edges have had, or of those that "
            "they have now"
        ),
    ] = "ever"
    normalisation_floor: Annotated[
        Positive, Meta(description="what the range of Q is at least, when it divides")
    ] = 1e-8
    unvisited_q: Annotated[
        Literal["worst", "parent_mean", "parent_value"],
        Meta(
            description="pUCT: Q of an action not taken is the normalisation's lowest; the mean of "
            "the actions that were, and of the same mean at the node before; or the node's value"
        ),
    ] = "worst"
    own_visit: Annotated[
        Literal["always", "below_root", "never"],
        Meta(
            description="pUCT: whether a node's visits N count the one that created it; where not, "
            "its first choice ignores the prior"
        ),
    ] = "always"
    ties: Annotated[
        Literal["random", "first"], Meta(description="which of equally good actions is taken")
    ] = "random"
    max_considered: Annotated[
        Count, Meta(description="Gumbel: actions that the halving begins with at most")
    ] = 16
    c_visit: Annotated[NotNegative, Meta(description="Gumbel: visits added, in scaling Q")] = 50.0
    c_scale: Annotated[NotNegative, Meta(description="Gumbel: scale of Q beside the logits")] = 0.1
    rescale_q: Annotated[
        bool, Meta(description="Gumbel: completed Q go to [0, 1] by their own bounds first")
    ] = True
    completed_q: Annotated[
        Literal["mixed", "network"],
        Meta(
            description="Gumbel: Q of an action not taken is the mixture of the network's value "
            "and of the Q of those taken, or the former alone"
        ),
    ] = "mixed"

    def __post_init__(self) -> None:
        for field in msgspec.structs.fields(self):
            try:
                msgspec.convert(getattr(self, field.name), field.type)
            except msgspec.ValidationError as error:
                raise ValueError(f"{field.name} of the search: {error}") from None

    @property
    def signed_discount(self) -> float:
        """What a child's value is multiplied by in its parent."""
        return -self.discount if self.two_player else self.discount
