"""What acts: a network with a memory that sees decoded frames.

Pictures: convolutions of 3 x 3, each followed by a halving of the sides, an LSTM, a linear actor
and a linear critic; vectors: dense layers in place of convolutions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.first_weights import drawn_from
from agents.iris.actor_critic_settings import ActorCriticSettings
from agents.iris.imagination import Trajectories
from agents.iris.returns import lambda_returns
from agents.parallel.sharing import per_rank

#: (h, c) of the LSTM, [1, B, units] each.
State = tuple[Tensor, Tensor]


class Seen(NamedTuple):
    """What the network says of frames: logits [..., A], values [...], and its memory after them."""

    logits: Tensor
    values: Tensor
    state: State


class ActorCritic(nn.Module):
    """
    Args:
        shape: of a frame, [C, H, W] or [D].
        actions: A, how many there are.
        generator: of the first weights.
    """

    def __init__(
        self,
        settings: ActorCriticSettings,
        shape: tuple[int, ...],
        actions: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.is_picture = len(shape) == 3
        with drawn_from(int(torch.randint(2**62, (), generator=generator))):
            self.body = (
                _convolutions(settings, shape) if self.is_picture else _dense(settings, shape)
            )
            with torch.no_grad():
                inputs = self.body(torch.zeros(1, *shape)).shape[1]
            self.lstm = nn.LSTM(inputs, settings.actor_critic_lstm, batch_first=True)
            self.critic = nn.Linear(settings.actor_critic_lstm, 1)
            self.actor = nn.Linear(settings.actor_critic_lstm, actions)

    def initial_state(self, batch: int) -> State:
        zeros = self.critic.weight.new_zeros(1, batch, self.lstm.hidden_size)
        return zeros, zeros

    def features(self, frames: Tensor) -> Tensor:
        """[N, F] of frames [N, ...] as a tokenizer decodes them."""
        out: Tensor = self.body(frames * 2 - 1 if self.is_picture else frames)
        return out

    def step(self, frames: Tensor, state: State) -> Seen:
        """Of one frame each, [B, ...]."""
        hidden, state = self.lstm(self.features(frames)[:, None], state)
        return Seen(self.actor(hidden[:, 0]), self.critic(hidden[:, 0])[:, 0], state)

    def sequence(self, frames: Tensor, state: State) -> Seen:
        """Of T frames each, [B, T, ...]."""
        features = self.features(frames.flatten(0, 1)).view(*frames.shape[:2], -1)
        hidden, state = self.lstm(features, state)
        return Seen(self.actor(hidden), self.critic(hidden)[..., 0], state)

    @torch.no_grad()
    def burn_in(self, frames: Tensor, mask: Tensor) -> State:
        """The memory after frames [B, T, ...], padded on the left where mask [B, T] is False."""
        batch, steps = mask.shape
        state = self.initial_state(batch)
        if not steps:
            return state
        features = self.features(frames.flatten(0, 1)).view(batch, steps, -1)
        for step in range(steps):
            h, c = self.lstm(features[:, step : step + 1], state)[1]
            there = mask[None, :, step, None]
            state = (h * there, c * there)  # what was before the first frame is nothing
        return state


def actor_critic_loss(
    network: ActorCritic,
    target: ActorCritic,
    imagined: Trajectories,
    settings: ActorCriticSettings,
) -> tuple[Tensor, dict[str, Tensor]]:
    """−E[log π · (G − v)] − entropy_weight · H + (v − G)², means over the steps that count.

    Args:
        target: whose values G bootstraps from; `network` itself or a slow copy.

    Returns:
        The loss, and its parts as detached scalars.
    """
    seen = network.sequence(imagined.frames, imagined.state)
    logits, values = seen.logits[:, :-1].float(), seen.values.float()
    with torch.no_grad():
        if target is network:
            bootstraps = values
        else:
            slow = target.sequence(imagined.frames, imagined.target_state)
            bootstraps = slow.values.float()
        returns = lambda_returns(
            imagined.rewards,
            bootstraps,
            imagined.ends,
            settings.actor_critic_gamma,
            settings.actor_critic_lambda,
        )
    values = values[:, :-1]
    log_shares = functional.log_softmax(logits, -1)
    chosen = log_shares.gather(-1, imagined.actions[..., None])[..., 0]
    entropies = -(log_shares.exp() * log_shares).sum(-1)
    weights = imagined.mask / per_rank(imagined.mask.sum())
    parts = {
        "policy": -(weights * chosen * (returns - values.detach())).sum(),
        "value": (weights * (values - returns).square()).sum(),
        "entropy": (weights * entropies).sum(),
    }
    loss = parts["policy"] + parts["value"]
    loss = loss - settings.actor_critic_entropy_weight * parts["entropy"]
    parts["return"] = (weights * returns).sum()
    return loss, {name: part.detach() for name, part in parts.items()}


def _convolutions(settings: ActorCriticSettings, shape: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels, *sides = shape
    for width in settings.actor_critic_channels:
        layers.append(nn.Conv2d(channels, width, 3, padding=1))
        if min(sides) > 1:
            layers.append(nn.MaxPool2d(2))
            sides = [side // 2 for side in sides]
        layers.append(nn.ReLU())
        channels = width
    return nn.Sequential(*layers, nn.Flatten())


def _dense(settings: ActorCriticSettings, shape: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = shape[0]
    for width in settings.actor_critic_hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers)
