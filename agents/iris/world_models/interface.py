"""What a world model over tokens is, and the segments that it learns from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.parallel.sharing import per_rank

#: Label of what is no target.
NO_TARGET = -100


class Sizes(NamedTuple):
    """What world models are about: K, V, the number of actions, and the shape [C, H, W] of frames
    that they see beside tokens, which are of what is new; None: tokens alone say what a frame is.
    """

    tokens_per_frame: int
    vocabulary: int
    actions: int
    frame: tuple[int, ...] | None = None


class Segments(NamedTuple):
    """B segments of L steps; those that end early are padded on the right.

    Attributes:
        tokens: int64 [B, L, K] of the frames that were acted on.
        actions: int64 [B, L].
        rewards: float32 [B, L].
        ends: bool [B, L], whether the step terminated its episode.
        mask: bool [B, L], False where there is no step.
        frames: [B, L, C, H, W] as the actor-critic sees them, where tokens are of what is new.
    """

    tokens: Tensor
    actions: Tensor
    rewards: Tensor
    ends: Tensor
    mask: Tensor
    frames: Tensor | None = None


class Logits(NamedTuple):
    """What a world model says of each step of segments.

    Attributes:
        frames: [B, L, K, V] of the frame that comes next; whoever says a frame's tokens one after
            another has seen those before.
        rewards: [B, L, 3] of the classes -1, 0 and 1.
        ends: [B, L, 2] of going on and ending.
    """

    frames: Tensor
    rewards: Tensor
    ends: Tensor


class Imagined(NamedTuple):
    """A step of B trajectories: tokens int64 [B, K], rewards float32 [B], ends bool [B]."""

    tokens: Tensor
    rewards: Tensor
    ends: Tensor


class Dynamics(nn.Module, ABC):
    """What imagined trajectories go on by: a world model, or the environment.

    Attributes:
        starts_from_snapshots: whether `reset` needs the environment's snapshots of its frames.
    """

    starts_from_snapshots: ClassVar[bool] = False

    @abstractmethod
    def reset(self, tokens: Tensor, snapshots: list[Any] | None = None) -> None:
        """Begins B trajectories at frames of these tokens [B, K]; what came before is forgotten."""

    @abstractmethod
    def step(
        self,
        actions: Tensor,
        generator: torch.Generator,
        *,
        frames: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Imagined:
        """Takes actions [B]; what is drawn of tokens, rewards and ends is drawn at
        `temperature`.

        Args:
            frames: [B, ...] that these actions were chosen on; for models that see frames.
        """


class WorldModel(Dynamics):
    """Dynamics that are learned, and draw from logits."""

    @abstractmethod
    def logits(self, tokens: Tensor, actions: Tensor, frames: Tensor | None = None) -> Logits:
        """Of tokens [B, L, K] and actions [B, L], teacher forced.

        Args:
            frames: see `Segments`.
        """

    def loss(self, segments: Segments) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of three cross-entropies, and each, detached scalars."""
        logits = self.logits(segments.tokens, segments.actions, segments.frames)
        frames, rewards, ends = targets(segments)
        parts = {
            "tokens": _cross_entropy(logits.frames[:, :-1], frames),
            "rewards": _cross_entropy(logits.rewards, rewards),
            "ends": _cross_entropy(logits.ends, ends),
        }
        total = parts["tokens"] + parts["rewards"] + parts["ends"]
        return total, {name: part.detach() for name, part in parts.items()}


def targets(segments: Segments) -> tuple[Tensor, Tensor, Tensor]:
    """Classes of the next frames [B, L - 1, K], rewards [B, L] and ends [B, L]; `NO_TARGET` where
    there is none: the first frame, what follows an end, padding."""
    mask = segments.mask
    follows = mask[:, 1:] & mask[:, :-1] & ~segments.ends[:, :-1]
    frames = segments.tokens[:, 1:].masked_fill(~follows[..., None], NO_TARGET)
    rewards = (segments.rewards.sign().long() + 1).masked_fill(~mask, NO_TARGET)
    ends = segments.ends.long().masked_fill(~mask, NO_TARGET)
    return frames, rewards, ends


def _cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """A mean over the targets; 0 where there are none."""
    entropies = functional.cross_entropy(
        logits.float().flatten(0, -2), classes.flatten(), ignore_index=NO_TARGET, reduction="sum"
    )
    return entropies / per_rank((classes != NO_TARGET).sum())


def draw(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """int64 [...] of logits [..., N], each drawn on its own."""
    shares = (logits.float() / temperature).softmax(-1)
    drawn = torch.multinomial(shares.flatten(0, -2), 1, generator=generator)
    return drawn.view(logits.shape[:-1])


def small_weights(module: nn.Module, generator: torch.Generator) -> None:
    """Weights of linear layers and embeddings from N(0, 0.02²), biases 0, as GPT has them."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            with torch.no_grad():
                part.weight.normal_(0.0, 0.02, generator=generator)
            if isinstance(part, nn.Linear) and part.bias is not None:
                nn.init.zeros_(part.bias)
