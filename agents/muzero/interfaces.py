"""What the agent asks of whatever computes its networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from agents.muzero.replay import Batch
from agents.search.model import Model

Floats = NDArray[np.float32]


class Learnt(NamedTuple):
    """What an update says.

    Attributes:
        errors: [B] by how much values of the first states were off; NaN: not known.
        losses: means over the batch, by name.
    """

    errors: Floats
    losses: Mapping[str, float]


class Inference(Protocol):
    """A network, the one that learns or its target, as acting asks for it."""

    @property
    def model(self) -> Model:
        """For searches, as the parameters were at the last `refresh`."""
        ...

    def refresh(self) -> None:
        """Brings the model up to date."""
        ...

    def roots(self, observations: Floats) -> tuple[NDArray[Any], Floats, Floats]:
        """Latent states [N, ...], logits [N, A], or Q, and values [N] of observations [N, inputs];
        overwritten by the next call."""
        ...

    def values(self, observations: Floats, legal: NDArray[np.bool_] | None = None) -> Floats:
        """Values [N] of observations [N, inputs]; a network of Q says the greatest of the actions
        that are `legal` [N, A]."""
        ...


@runtime_checkable
class Distributional(Protocol):
    """A network whose Q are distributions."""

    def distributions(self, observations: Floats, legal: NDArray[np.bool_]) -> Floats:
        """[N, bins] of the greatest Q among the legal [N, A], in observations [N, inputs]."""
        ...


class Learner(Protocol):
    """A network and its target network.

    Attributes:
        updates: steps so far.
        reads_all: whether an update asks for the observations of all states.
        reads_stored: whether it takes them as they are stored, bytes as bytes.
    """

    updates: int
    reads_all: bool
    reads_stored: bool

    @property
    def online(self) -> Inference:
        """The network that learns."""
        ...

    @property
    def target(self) -> Inference:
        """Its target network."""
        ...

    def update(
        self, observations: NDArray[Any], batch: Batch, values: Floats, rate: float
    ) -> Learnt:
        """A gradient step.

        Args:
            observations: [1 or K + 1, B, inputs] of the first states or, if `reads_all`, of all.
            values: [B, K + 1] to regress towards, or [B, K + 1, bins], the distributions.
            rate: the learning rate.

        Raises:
            Diverged: a gradient is not finite.
        """
        ...

    def renew_target(self) -> None:
        """The target network becomes what the network is."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Both networks, the optimizer and counters."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues where `state_dict` was taken."""
        ...

    def learned_params(self) -> Mapping[str, np.ndarray]:
        """The network's arrays by name."""
        ...

    def adopt(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Acts from now on as a network with these `learned_params`."""
        ...

    def close(self) -> None:
        """Ends what it has started."""
        ...


def check_params(params: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> None:
    """
    Raises:
        ValueError: `params` are not those of the network that has `own`.
    """
    for name, array in own.items():
        if name not in params:
            raise ValueError(f"the weights hold no {name}: they are of another network")
        if params[name].shape != array.shape:
            raise ValueError(
                f"{name} has shape {list(params[name].shape)}, not {list(array.shape)}"
            )
