"""A dense network as acting asks for it: what roots are, and a model to search in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.muzero.dense import Activation, Rescaling, Squashing, Stack, Widths
from agents.muzero.losses import ScalarLoss
from agents.search.mlp import MLPLayers, MLPModel, Transform
from agents.search.scalars import Support

Floats = NDArray[np.float32]


class DenseInference:
    """Of parameters that somebody else steps.

    Args:
        values: [P] the parameters; `model` is what they were at the last `refresh`.
        capacity: the most observations at once.

    Attributes:
        model: for searches.
    """

    def __init__(
        self,
        widths: Widths,
        values: Floats,
        *,
        capacity: int,
        activation: Activation,
        transform: Transform,
        residual: bool,
        value_support: Support,
        reward_support: Support,
    ) -> None:
        self._layers = layers = widths.views(values)

        def stack(name: str, *, active_end: bool = False) -> Stack | None:
            if not layers[name]:
                return None
            return Stack(layers[name], activation, rows=capacity, active_end=active_end)

        self._capacity = capacity
        self._representation, self._trunk = stack("representation"), stack("trunk", active_end=True)
        self._policy, self._value = stack("policy"), stack("value")
        self._transform = Rescaling(capacity, 1) if transform == "min_max" else Squashing()
        self._scalars = ScalarLoss(value_support, capacity)
        self._states = np.zeros((capacity, widths.latent), np.float32)
        self.model = MLPModel(
            self._exported(),
            widths.actions,
            activation=activation,
            transform=transform,
            residual=residual,
            value_support=value_support,
            reward_support=reward_support,
        )

    def refresh(self) -> None:
        """Brings the model up to date."""
        self.model.load(self._exported())

    def _exported(self) -> MLPLayers:
        return MLPLayers(**{name: self._layers[name] for name in MLPLayers._fields})

    def roots(self, observations: Floats) -> tuple[Floats, Floats, Floats]:
        """Latent states [N, H], logits [N, A] and values [N] of observations [N, inputs];
        overwritten by the next call."""
        N = len(observations)
        features = self._features(observations)
        assert self._policy is not None
        logits = self._policy.forward(features)
        return self._states[:N], logits, self._values(features)

    def values(self, observations: Floats) -> Floats:
        """Values [N] of observations [N, inputs]."""
        return self._values(self._features(observations))

    def _features(self, observations: Floats) -> Floats:
        states = self._states[: len(observations)]
        assert self._representation is not None
        self._transform.forward(self._representation.forward(observations), states, 0)
        return states if self._trunk is None else self._trunk.forward(states)

    def _values(self, features: Floats) -> Floats:
        assert self._value is not None
        return self._scalars.decode(self._value.forward(features))
