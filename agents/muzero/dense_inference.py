"""A dense network as acting asks for it: what roots are, and a model to search in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.muzero.dense import Rescaling, Squashing, Stack, Widths
from agents.muzero.losses import ScalarLoss
from agents.muzero.settings import MuZeroSettings
from agents.muzero.supports import supports
from agents.search.mlp import MLPLayers, MLPModel

Floats = NDArray[np.float32]


class DenseInference:
    """Of parameters that somebody else steps; see `agents.muzero.interfaces.Inference`.

    Args:
        values: [P] the parameters.
        capacity: the most observations at once.
        continuous: whether actions are a box.
    """

    def __init__(
        self,
        settings: MuZeroSettings,
        widths: Widths,
        values: Floats,
        *,
        capacity: int,
        continuous: bool = False,
    ) -> None:
        self._layers = layers = widths.views(values)
        values_of, rewards_of = supports(settings)

        def stack(name: str, *, active_end: bool = False) -> Stack:
            return Stack(layers[name], settings.activation, rows=capacity, active_end=active_end)

        self._representation = stack("representation")
        self._trunk = stack("trunk", active_end=True)
        self._policy, self._value = stack("policy"), stack("value")
        rescales = settings.latent_transform == "min_max"
        self._transform = Rescaling() if rescales else Squashing()
        self._scalars = ScalarLoss(values_of, capacity)
        self._states = np.zeros((capacity, widths.latent), np.float32)
        self.model = MLPModel(
            self._exported(),
            widths.actions,
            activation=settings.activation,
            transform=settings.latent_transform,
            residual=settings.residual,
            continuous=continuous,
            value_support=values_of,
            reward_support=rewards_of,
        )

    def refresh(self) -> None:
        """Brings the model up to date."""
        self.model.load(self._exported())

    def _exported(self) -> MLPLayers:
        return MLPLayers(**{name: self._layers[name] for name in MLPLayers._fields})

    def roots(self, observations: Floats) -> tuple[Floats, Floats, Floats]:
        features = self._features(observations)
        logits = self._policy.forward(features)
        return self._states[: len(observations)], logits, self._values(features)

    def states(self, observations: Floats) -> Floats:
        """Latent states [N, H] of observations [N, inputs]; overwritten by the next call."""
        states = self._states[: len(observations)]
        self._transform.forward(self._representation.forward(observations), states, 0)
        return states

    def values(self, observations: Floats, legal: NDArray[np.bool_] | None = None) -> Floats:
        return self._values(self._features(observations))

    def _features(self, observations: Floats) -> Floats:
        return self._trunk.forward(self.states(observations))

    def _values(self, features: Floats) -> Floats:
        return self._scalars.decode(self._value.forward(features))
