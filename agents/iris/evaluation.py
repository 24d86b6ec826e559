"""What to know of a token world model beyond its losses.

Token accuracy alone lies: a collapsed codebook is easily predicted. So there are the share of
frames that come back exactly, the perplexity of tokens, copying the last frame as a baseline, the
accuracy on tokens that changed, and what shuffled and shifted actions do to it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from agents.iris.tokenizer.codebook import perplexity
from agents.iris.tokenizer.interface import Before, Tokenizer
from agents.iris.world_models.interface import NO_TARGET, Dynamics, Segments, WorldModel, targets

#: Greatest error of a cell of a picture that is reconstructed exactly.
TOLERANCE = 0.25


@torch.no_grad()
def exactly_reconstructed(
    tokenizer: Tokenizer, observed: Tensor, cell: int = 1, before: Before | None = None
) -> Tensor:
    """bool [B]: whether each cell of a frame comes back with an error below 0.25.

    Args:
        observed: [B, ...] as the environment gives them.
        cell: its pixels in each direction; its error is their mean.
        before: what came before these frames, for tokens of what is new.
    """
    frames = tokenizer.frames.prepare(observed)
    decoded = tokenizer.decode(tokenizer.encode(observed, before), before)
    return same_frames(decoded, frames, cell)


def same_frames(ours: Tensor, theirs: Tensor, cell: int = 1) -> Tensor:
    """bool [B]: whether no cell differs by 0.25 or more."""
    errors = (ours - theirs).abs()
    if errors.dim() == 4 and cell > 1:
        errors = functional.avg_pool2d(errors, cell)
    return errors.flatten(1).amax(1) < TOLERANCE


def token_perplexity(tokens: Tensor, vocabulary: int) -> float:
    """How many tokens are in use."""
    return float(perplexity(torch.bincount(tokens.flatten(), minlength=vocabulary).double()))


class Prediction(NamedTuple):
    """Of one step, teacher forced: shares, NaN where there is nothing to be right about.

    Attributes:
        tokens: that are right.
        copied: that would be, were the last frame said again.
        changed: right ones of those that changed.
        frames: of which all tokens are right.
        rewards: right ones.
        reward_recall: [3] right ones of rewards of -1, 0 and 1.
        end_recall: steps that end, of those that end, which are said to.
        end_chance: mean probability of an end, at steps that end and at those that do not.
    """

    tokens: float
    copied: float
    changed: float
    frames: float
    rewards: float
    reward_recall: tuple[float, float, float]
    end_recall: float
    end_chance: tuple[float, float]


@torch.no_grad()
def prediction(model: WorldModel, segments: Segments) -> Prediction:
    """How well a model says what comes next in segments."""
    logits = model.logits(segments.tokens, segments.actions, segments.frames)
    frames, rewards, ends = targets(segments)
    said = logits.frames[:, :-1].argmax(-1)
    there = frames != NO_TARGET
    right = (said == frames) & there
    stays = (segments.tokens[:, :-1] == frames) & there
    changed = there & ~stays
    said_rewards, said_ends = logits.rewards.argmax(-1), logits.ends.argmax(-1)
    chance = logits.ends.softmax(-1)[..., 1]
    minus, none, plus = (_share(said_rewards == kind, rewards == kind) for kind in range(3))
    return Prediction(
        tokens=_share(right, there),
        copied=_share(stays, there),
        changed=_share(right, changed),
        frames=_share(right.all(-1), there.all(-1)),
        rewards=_share(said_rewards == rewards, rewards != NO_TARGET),
        reward_recall=(minus, none, plus),
        end_recall=_share(said_ends == 1, ends == 1),
        end_chance=(float(chance[ends == 1].mean()), float(chance[ends == 0].mean())),
    )


def _share(of: Tensor, among: Tensor) -> float:
    return float((of & among).sum() / among.sum())


def with_shuffled_actions(segments: Segments, rng: np.random.Generator) -> Segments:
    """The same segments with each other's actions."""
    order = torch.as_tensor(rng.permutation(len(segments.actions)))
    return segments._replace(actions=segments.actions[order])


def with_shifted_actions(segments: Segments) -> Segments:
    """The same segments, each action a step late."""
    return segments._replace(actions=segments.actions.roll(1, 1))


class Rollouts(NamedTuple):
    """What came of the same actions from the same starts.

    Attributes:
        frames: [B, T, ...] decoded, or real ones.
        rewards: float32 [B, T].
        going: bool [B, T], steps taken before an end.
    """

    frames: Tensor
    rewards: Tensor
    going: Tensor


@torch.no_grad()
def rolled_out(
    model: Dynamics,
    tokenizer: Tokenizer,
    starts: Tensor,
    actions: Tensor,
    generator: torch.Generator,
    snapshots: list[Any] | None = None,
    first: Tensor | None = None,
) -> Rollouts:
    """What a model makes of actions [B, T] from frames of tokens [B, K] on.

    Args:
        first: [B, ...] these frames as the actor-critic sees them; None: as they are decoded.
    """
    model.reset(starts, snapshots)
    frame = tokenizer.decode(starts) if first is None else first
    frames, rewards, going = [], [], []
    alive = torch.ones(len(actions), dtype=torch.bool, device=actions.device)
    for step in range(actions.shape[1]):
        imagined = model.step(actions[:, step], generator, frames=frame)
        frame = tokenizer.decode(imagined.tokens, Before(frame, actions[:, step]))
        frames.append(frame)
        rewards.append(imagined.rewards * alive)
        going.append(alive)
        alive = alive & ~imagined.ends
    return Rollouts(torch.stack(frames, 1), torch.stack(rewards, 1), torch.stack(going, 1))


def correlation(ours: Rollouts, theirs: Rollouts) -> float:
    """Pearson's, of the two's sums of rewards."""
    sums = torch.stack([rollouts.rewards.sum(1) for rollouts in (ours, theirs)])
    return float(torch.corrcoef(sums)[0, 1])


def exact_shares(ours: Rollouts, theirs: Rollouts, cell: int = 1) -> list[float]:
    """Of each step, the share of frames that are the same among those before a real end."""
    shares = []
    for step in range(ours.frames.shape[1]):
        same = same_frames(ours.frames[:, step], theirs.frames[:, step], cell)
        shares.append(_share(same, theirs.going[:, step]))
    return shares
