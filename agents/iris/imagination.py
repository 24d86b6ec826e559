"""Trajectories in a world model, all of a batch at once. No gradient passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from agents.iris.tokenizer.interface import Before, Tokenizer
from agents.iris.world_models.interface import Dynamics, draw
from agents.precision import Precision, computed_in

if TYPE_CHECKING:
    from agents.iris.actor_critic import ActorCritic, State


class Starts(NamedTuple):
    """Where B trajectories begin.

    Attributes:
        tokens: int64 [B, T, K] of the T - 1 frames before, and of the one that they begin with.
        mask: bool [B, T]; False where there was no frame yet, on the left.
        snapshots: [B] of the environment at those frames; None: of none.
        frames: [B, T, ...] as the actor-critic sees them; None: what tokens are decoded to.
    """

    tokens: Tensor
    mask: Tensor
    snapshots: list[Any] | None
    frames: Tensor | None = None


class Trajectories(NamedTuple):
    """B trajectories of H frames and H - 1 steps.

    Attributes:
        frames: [B, H, ...] as decoded.
        tokens: int64 [B, H, K].
        actions, rewards, ends: [B, H - 1].
        mask: float32 [B, H - 1], 1 for steps that count.
        state, target_state: memory of the actor-critic, and of its slow copy, before the first
            frame.
    """

    frames: Tensor
    tokens: Tensor
    actions: Tensor
    rewards: Tensor
    ends: Tensor
    mask: Tensor
    state: State
    target_state: State


@torch.no_grad()
def imagine(
    actor_critic: ActorCritic,
    world_model: Dynamics,
    tokenizer: Tokenizer,
    starts: Starts,
    horizon: int,
    generator: torch.Generator,
    *,
    target: ActorCritic | None = None,
    temperature: float = 1.0,
    mask_ends: bool = True,
    precision: Precision = "float32",
) -> Trajectories:
    """Acts for H - 1 steps; the last frame is there for its value.

    Args:
        horizon: H.
        target: a slow copy, whose memory is wanted too.
        temperature: of what the world model draws.
        mask_ends: steps after an end do not count.
        precision: that networks compute in.
    """
    with computed_in(precision, starts.tokens.device):
        return _imagine(
            actor_critic,
            world_model,
            tokenizer,
            starts,
            horizon,
            generator,
            target or actor_critic,
            temperature,
            mask_ends,
        )


def _imagine(
    actor_critic: ActorCritic,
    world_model: Dynamics,
    tokenizer: Tokenizer,
    starts: Starts,
    horizon: int,
    generator: torch.Generator,
    target: ActorCritic,
    temperature: float,
    mask_ends: bool,
) -> Trajectories:
    tokens = starts.tokens[:, -1]
    if starts.frames is None:
        before = starts.tokens[:, :-1]
        decoded = tokenizer.decode(before.flatten(0, 1))
        earlier = decoded.view(*before.shape[:2], *decoded.shape[1:])
        frames = [tokenizer.decode(tokens)]
    else:
        earlier, frames = starts.frames[:, :-1], [starts.frames[:, -1]]
    state = first_state = actor_critic.burn_in(earlier, starts.mask[:, :-1])
    target_state = first_state
    if target is not actor_critic:
        target_state = target.burn_in(earlier, starts.mask[:, :-1])
    world_model.reset(tokens, starts.snapshots)
    all_tokens, actions, steps = [tokens], list[Tensor](), []
    for _ in range(horizon - 1):
        seen = actor_critic.step(frames[-1], state)
        state = seen.state
        actions.append(draw(seen.logits, 1.0, generator))
        step = world_model.step(actions[-1], generator, frames=frames[-1], temperature=temperature)
        steps.append(step)
        all_tokens.append(step.tokens)
        frames.append(tokenizer.decode(step.tokens, Before(frames[-1], actions[-1])))
    ends = torch.stack([step.ends for step in steps], 1)
    mask = torch.ones_like(ends, dtype=torch.float32)
    if mask_ends:
        mask[:, 1:] = (~ends[:, :-1]).float().cumprod(1)
    return Trajectories(
        torch.stack(frames, 1).float(),
        torch.stack(all_tokens, 1),
        torch.stack(actions, 1),
        torch.stack([step.rewards for step in steps], 1),
        ends,
        mask,
        (first_state[0].float(), first_state[1].float()),
        (target_state[0].float(), target_state[1].float()),
    )
