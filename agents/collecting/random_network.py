"""A policy of random weights, which reacts to what it sees.

As the random controller of Ha and Schmidhuber (2018), whose 10,000 rollouts it made: a recurrent
layer, a linear output, tanh. Here a picture is averaged over at most 8 x 8 blocks in place of a
random encoder, and the output weights' scale is drawn up to `weight_scale`; theirs, up to 0.01,
hardly moves the actions.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from agents.base import AgentRefused
from agents.collecting.noise import Coded, Values

_HIDDEN = 32
_BLOCKS = 8


class RandomNetwork(Coded):
    """h <- tanh(W [x; h; 1]), a = tanh(V h); W and V are drawn when an episode begins."""

    def __init__(
        self,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        weight_scale: float,
    ) -> None:
        super().__init__(action_space, "random_network")
        if not isinstance(observation_space, Box | Discrete):
            raise AgentRefused(
                f"random_network sees arrays or one of finitely many, not {observation_space}"
            )
        self._space, self._weight_scale = observation_space, weight_scale
        self._size = len(self._features(observation_space.sample()))

    def begin(self, rng: np.random.Generator) -> None:
        super().begin(rng)
        inputs = self._size + _HIDDEN + 1
        self._recurrent = rng.standard_normal((_HIDDEN, inputs)) / np.sqrt(inputs)
        scale = rng.uniform(0, self._weight_scale)
        self._output = scale * rng.standard_normal((self._code.size, _HIDDEN))
        self._hidden = np.zeros(_HIDDEN)

    def _numbers(self, observation: Any) -> Values:
        seen = np.concatenate([self._features(observation), self._hidden, [1.0]])
        self._hidden = np.tanh(self._recurrent @ seen)
        numbers: Values = np.tanh(self._output @ self._hidden) * self._code.reach
        return numbers

    def _features(self, observation: Any) -> Values:
        """[size] of about unit size."""
        if isinstance(self._space, Discrete):
            place = int(observation) - int(self._space.start)
            one_hot: Values = np.eye(int(self._space.n))[place]
            return one_hot
        array: NDArray[Any] = np.asarray(observation)
        if array.ndim >= 2 and min(array.shape[:2]) > _BLOCKS:
            rows, columns = array.shape[0] // _BLOCKS, array.shape[1] // _BLOCKS
            array = array[: rows * _BLOCKS, : columns * _BLOCKS]
            blocks = array.reshape(_BLOCKS, rows, _BLOCKS, columns, -1)
            array = blocks.mean(axis=(1, 3))
        if self._space.dtype == np.uint8:
            return array.ravel() / 127.5 - 1
        # observations without bounds may be of any size
        return np.arcsinh(array.ravel().astype(np.float64))
