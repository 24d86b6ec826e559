"""A sequence model as acting needs it: only what is remembered, in numpy.

A `Memory` is a copy of the weights. It can be pickled, imports no torch, and carries the states of
a batch of members, each at its own place in its own episode.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Members = NDArray[np.int64] | NDArray[np.bool_]


class Memory(Protocol):
    """Of B members that step together. What a member gets depends on its neighbours by no more
    than the rounding of matrix products of another size.

    Attributes:
        feature_size: F.
        features: [B, F] what a controller sees beside z; overwritten by `step`.
    """

    feature_size: int

    @property
    def features(self) -> Floats: ...

    def begin(self, batch: int) -> None:
        """All members are at the start of an episode."""
        ...

    def restart(self, members: Members) -> None:
        """These members are at the start of an episode."""
        ...

    def step(self, latents: Floats, actions: Floats) -> None:
        """Takes in what was seen and done, latents [B, D] and coded actions [B, A]."""
        ...


class HiddenMemory(Memory, Protocol):
    """Of a model that predicts.

    Attributes:
        hidden: [B, H] what its outputs read; overwritten by `step`.
    """

    @property
    def hidden(self) -> Floats: ...


class NullMemory:
    """Remembers nothing: features [B, 0]."""

    feature_size = 0

    def __init__(self) -> None:
        self.features: Floats = np.zeros((0, 0), np.float32)

    def begin(self, batch: int) -> None:
        self.features = np.zeros((batch, 0), np.float32)

    def restart(self, members: Members) -> None:
        del members

    def step(self, latents: Floats, actions: Floats) -> None:
        del latents, actions


class Experience:
    """`agents.world_models.sequence.retrieval` for the latest steps of B members.

    Args:
        weights: keys [N, K], values [N, D], projection [W * (D + A), K], shift and scale [D].
    """

    def __init__(self, weights: dict[str, Floats], neighbours: int, temperature: float) -> None:
        self._keys, self._values = weights["keys"], weights["values"]
        self._projection = weights["projection"]
        self._shift, self._scale = weights["shift"], weights["scale"]
        self._squares = np.square(self._keys).sum(1)
        self._count = min(neighbours, len(self._keys))
        self._temperature = np.float32(temperature)
        self._windows: Floats = np.zeros((0, len(self._projection)), np.float32)

    def begin(self, batch: int) -> None:
        self._windows = np.zeros((batch, len(self._projection)), np.float32)

    def restart(self, members: Members) -> None:
        self._windows[members] = 0

    def step(self, latents: Floats, actions: Floats) -> Floats:
        """[B, D] what is retrieved with this step the latest."""
        numbers = latents.shape[1] + actions.shape[1]
        windows = self._windows
        windows[:, :-numbers] = windows[:, numbers:]
        windows[:, -numbers : windows.shape[1] - actions.shape[1]] = (
            latents - self._shift
        ) / self._scale
        windows[:, -actions.shape[1] :] = actions
        queries = windows @ self._projection
        distances = self._squares - 2 * (queries @ self._keys.T)
        distances += np.square(queries).sum(1, keepdims=True)
        places = np.argpartition(distances, self._count - 1, 1)[:, : self._count]
        nearest = np.maximum(np.take_along_axis(distances, places, 1), 0)
        weights = np.exp((nearest.min(1, keepdims=True) - nearest) / self._temperature)
        weights /= weights.sum(1, keepdims=True)
        found: Floats = np.einsum("bk,bkd->bd", weights, self._values[places])
        return found


class LstmMemory:
    """An LSTM: [x; V h] in one product, and the gates by one tanh, as σ(x) = (1 + tanh(x/2)) / 2.

    Args:
        weights: "joined" [I + H, 4H] of inputs and h, columns of the gates i, f, o, g, those of i,
            f and o halved; "bias" [4H] likewise.
    """

    def __init__(
        self, weights: dict[str, Floats], experience: Experience | None, *, cell_is_seen: bool
    ) -> None:
        self._joined, self._bias = weights["joined"], weights["bias"]
        self._size = len(self._bias) // 4
        self._experience, self._cell_is_seen = experience, cell_is_seen
        self.feature_size = self._size * (2 if cell_is_seen else 1)
        self.begin(0)

    @property
    def hidden(self) -> Floats:
        return self._reads[:, -self._size :]

    @property
    def features(self) -> Floats:
        if self._cell_is_seen:
            return np.concatenate((self.hidden, self._cell), 1)
        return self.hidden

    def begin(self, batch: int) -> None:
        size = self._size
        # inputs, then h
        self._reads = np.zeros((batch, len(self._joined)), np.float32)
        self._gates = np.zeros((batch, 4 * size), np.float32)
        self._cell, self._spare = np.zeros((2, batch, size), np.float32)
        if self._experience is not None:
            self._experience.begin(batch)

    def restart(self, members: Members) -> None:
        self.hidden[members] = 0
        self._cell[members] = 0
        if self._experience is not None:
            self._experience.restart(members)

    def step(self, latents: Floats, actions: Floats) -> None:
        reads, gates, size = self._reads, self._gates, self._size
        end, last = latents.shape[1], latents.shape[1] + actions.shape[1]
        reads[:, :end] = latents
        reads[:, end:last] = actions
        if self._experience is not None:
            reads[:, last:-size] = self._experience.step(latents, actions)
        np.matmul(reads, self._joined, out=gates)
        gates += self._bias
        np.tanh(gates, out=gates)
        opened = gates[:, : 3 * size]
        opened += 1
        opened *= 0.5
        self._cell *= gates[:, size : 2 * size]
        np.multiply(gates[:, :size], gates[:, 3 * size :], out=self._spare)
        self._cell += self._spare
        np.tanh(self._cell, out=self._spare)
        np.multiply(gates[:, 2 * size : 3 * size], self._spare, out=self.hidden)


class TransformerMemory:
    """A transformer: keys and values of the latest W steps in a ring, one place for each step that
    all members take.

    Args:
        weights: "embed" [I, d], "embed_bias", "norm", "norm_bias" [d].
        blocks: of each "qkv" [d, 3d], "projection" [d, d], "widen" [d, e], "narrow" [e, d] with
            biases, norms folded into them and queries scaled; "distance" [heads, W].
    """

    def __init__(
        self,
        weights: dict[str, Floats],
        blocks: list[dict[str, Floats]],
        experience: Experience | None,
    ) -> None:
        self._weights, self._blocks, self._experience = weights, blocks, experience
        self.feature_size = weights["embed"].shape[1]
        self._heads, self._context = blocks[0]["distance"].shape
        self.begin(0)

    @property
    def features(self) -> Floats:
        return self._features

    @property
    def hidden(self) -> Floats:
        return self._hidden

    def begin(self, batch: int) -> None:
        width, heads = self.feature_size, self._heads
        shape = (2, len(self._blocks), batch, heads, self._context, width // heads)
        self._keys, self._values = np.zeros(shape, np.float32)
        # steps before the present one that a member has taken in
        self._counts = np.zeros(batch, np.int64)
        self._steps = 0
        self._features = np.zeros((batch, width), np.float32)
        self._hidden = np.zeros((batch, width), np.float32)
        if self._experience is not None:
            self._experience.begin(batch)

    def restart(self, members: Members) -> None:
        self._counts[members] = 0
        self._features[members] = 0
        if self._experience is not None:
            self._experience.restart(members)

    def step(self, latents: Floats, actions: Floats) -> None:
        columns = [latents, actions]
        if self._experience is not None:
            columns.append(self._experience.step(latents, actions))
        batch, context = len(latents), self._context
        place = self._steps % context
        back = (place - np.arange(context)) % context
        unseen = (back > self._counts[:, None])[:, None, :]
        x = np.concatenate(columns, 1) @ self._weights["embed"] + self._weights["embed_bias"]
        for layer, block in enumerate(self._blocks):
            projected = _normalised(x) @ block["qkv"] + block["qkv_bias"]
            q, k, v = projected.reshape(batch, 3, self._heads, -1).transpose(1, 0, 2, 3)
            keys, values = self._keys[layer], self._values[layer]
            keys[:, :, place], values[:, :, place] = k, v
            scores = np.matmul(keys, q[..., None])[..., 0] + block["distance"][:, back]
            scores[np.broadcast_to(unseen, scores.shape)] = -np.inf
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            mixed = np.matmul(weights[:, :, None], values).reshape(batch, -1)
            x += mixed @ block["projection"] + block["projection_bias"]
            self._features = x.copy() if layer == len(self._blocks) - 1 else self._features
            wide = _gelu(_normalised(x) @ block["widen"] + block["widen_bias"])
            x += wide @ block["narrow"] + block["narrow_bias"]
        self._hidden = _normalised(x) * self._weights["norm"] + self._weights["norm_bias"]
        self._counts = np.minimum(self._counts + 1, context - 1)
        self._steps += 1


def _normalised(x: Floats) -> Floats:
    centred = x - x.mean(1, keepdims=True)
    scaled: Any = centred / np.sqrt(np.square(centred).mean(1, keepdims=True) + np.float32(1e-5))
    return scaled  # type: ignore[no-any-return]


def _gelu(x: Floats) -> Floats:
    """By tanh, as the model has it."""
    inner = np.float32(0.7978845608028654) * (x + np.float32(0.044715) * x * x * x)
    out: Floats = np.float32(0.5) * x * (1 + np.tanh(inner))
    return out
