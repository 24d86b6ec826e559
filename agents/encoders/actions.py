"""Actions as the float vectors that models read: boxes scaled to [-1, 1], one-hot choices."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.base import AgentRefused


class ActionCode:
    """Between actions of a space, their codes, and what a controller puts out.

    A controller puts out `size` numbers. Of a box they are the code itself, cut to [-1, 1]; of
    discrete actions they are scores, and the greatest is done.

    Attributes:
        size: A, numbers of a code.
        discrete: whether a code is one-hot.
    """

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        """
        Raises:
            AgentRefused: the space is neither discrete nor a box with bounds.
        """
        self.space = space
        self.discrete = isinstance(space, gymnasium.spaces.Discrete)
        if isinstance(space, gymnasium.spaces.Discrete):
            self.size, self._first = int(space.n), int(space.start)
        elif isinstance(space, gymnasium.spaces.Box) and space.is_bounded():
            self.size = math.prod(space.shape)
            low = space.low.reshape(-1).astype(np.float64)
            high = space.high.reshape(-1).astype(np.float64)
            self._middle = (low + high) / 2
            # a dimension without room codes as 0
            self._half = (high - low) / 2
        else:
            raise AgentRefused(
                f"world models need discrete actions or a box with bounds, not {space}"
            )

    def encode(self, actions: NDArray[Any]) -> NDArray[np.float32]:
        """Codes [..., A] of actions [...] (discrete) or [..., *shape]."""
        actions = np.asarray(actions)
        if self.discrete:
            eye = np.eye(self.size, dtype=np.float32)
            codes: NDArray[np.float32] = eye[actions.astype(np.int64) - self._first]
            return codes
        assert isinstance(self.space, gymnasium.spaces.Box)
        leading = actions.shape[: actions.ndim - len(self.space.shape)]
        centred = actions.reshape(*leading, self.size) - self._middle
        scaled = np.divide(centred, self._half, out=np.zeros_like(centred), where=self._half > 0)
        return scaled.astype(np.float32)

    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Actions [...] or [..., *shape], in the space's type, of a controller's [..., A]."""
        outputs = np.asarray(outputs)
        if self.discrete:
            actions: NDArray[Any] = outputs.argmax(-1) + self._first
            return actions.astype(self.space.dtype)
        assert isinstance(self.space, gymnasium.spaces.Box)
        # the ends of the box are met exactly
        scaled = self._middle + self._half * np.clip(outputs.astype(np.float64), -1, 1)
        if np.issubdtype(self.space.dtype, np.integer):
            scaled = np.rint(scaled)
        shaped = scaled.reshape(*outputs.shape[:-1], *self.space.shape)
        return shaped.astype(self.space.dtype)

    def code(self, outputs: Tensor) -> Tensor:
        """Codes [..., A] of what a controller's outputs [..., A] do: what a model is to read.

        Equal to `encode(decode(outputs))`, within rounding; no gradient passes a choice.
        """
        if self.discrete:
            choices = outputs.argmax(-1)
            return torch.nn.functional.one_hot(choices, self.size).to(outputs.dtype)
        return outputs.clamp(-1, 1)
