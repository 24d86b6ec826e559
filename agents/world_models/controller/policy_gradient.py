"""A controller trained by the policy gradient, along dreams.

An update is a batch of dreams from beginning to end. With R_t the return from t on,

    reinforce      A_t = R_t - mean of R_t over the batch
    actor_critic   A_t = G_t - V(s_t),  G_t = r_t + γ [(1 - λ) V(s_{t+1}) + λ G_{t+1}],  s = [z; h]

and the loss is -mean A_t ln π(a_t | s_t) - entropy, + the squared error of V to G. No gradient
passes the sequence model. π is the softmax of the controller's outputs, or for boxes a Gaussian
around them, before the tanh, with a learned width; the controller that results does its mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.base import Diverged
from agents.world_models.controller.controllers import Controllers
from agents.world_models.controller.imagining import Starts
from agents.world_models.controller.settings import ControllerSettings
from agents.world_models.dream import Dream

_INITIAL_LOG_WIDTH = -0.5
_LONGEST_GRADIENT = 10.0


class _Dreamt(NamedTuple):
    """Of T steps and B dreams: seen [T + 1, B, I], choices [T, B, ...], rewards, alive [T, B];
    `alive` of steps that were taken, `ended` of those that ended for good."""

    seen: Tensor
    choices: Tensor
    rewards: Tensor
    alive: Tensor
    ended: Tensor


class PolicyGradient:
    """See the module's text.

    Args:
        gamma: γ.
        seed: of the dreams, by number of the update.

    Attributes:
        updates: how many were made.
    """

    def __init__(
        self,
        settings: ControllerSettings,
        controllers: Controllers,
        dream: Dream,
        starts: Starts,
        *,
        gamma: float,
        rng: np.random.Generator,
        seed: np.random.SeedSequence,
    ) -> None:
        self._settings, self._controllers, self._dream = settings, controllers, dream
        self._starts, self._gamma, self._seed = starts, gamma, seed
        self.updates = 0
        device = dream.device
        first, second = (int(n) for n in rng.integers(2**31, size=2))
        generator = torch.Generator().manual_seed(first)
        weights = 0.1 * torch.randn(controllers.size, generator=generator)
        self._weights = nn.Parameter(weights.to(device))
        actions = controllers.code.size
        self._log_width = nn.Parameter(torch.full((actions,), _INITIAL_LOG_WIDTH, device=device))
        generator = torch.Generator().manual_seed(second)
        hidden = settings.gradient_critic_hidden
        layers = [_linear(controllers.inputs, hidden, generator), _linear(hidden, 1, generator)]
        self._critic = nn.Sequential(layers[0], nn.Tanh(), layers[1]).to(device)
        self._parameters = [self._weights, self._log_width, *self._critic.parameters()]
        self._optimizer = torch.optim.Adam(self._parameters, lr=settings.gradient_learning_rate)
        self._latest: dict[str, float] = {}

    @property
    def weights(self) -> NDArray[np.float64]:
        """[n] of the controller so far."""
        return self._weights.detach().cpu().numpy().astype(np.float64)

    def update(self, stop: Callable[[], bool]) -> bool:
        """One; False: `stop` said so meanwhile, and nothing was done.

        Raises:
            Diverged: the loss is not finite.
        """
        dreamt = self._dreamt(stop)
        if dreamt is None:
            return False
        values = self._critic(dreamt.seen).squeeze(-1)
        returns = self._returns(dreamt, values.detach())
        alive = dreamt.alive
        count = alive.sum()
        loss = torch.zeros((), device=values.device)
        if self._settings.gradient_method == "actor_critic":
            advantages = returns - values[:-1].detach()
            loss = ((values[:-1] - returns).square() * alive).sum() / count
        else:
            mean = (returns * alive).sum(1, keepdim=True) / alive.sum(1, keepdim=True).clamp(min=1)
            advantages = returns - mean
        deviation = advantages[alive].std().clamp(min=1e-6)
        likelihood, entropy = self._likelihood(dreamt)
        gained = likelihood * advantages / deviation + self._settings.gradient_entropy * entropy
        loss = loss - (gained * alive).sum() / count
        if not bool(torch.isfinite(loss)):
            raise Diverged("the controller's loss in the dream")
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._parameters, _LONGEST_GRADIENT)
        self._optimizer.step()
        self.updates += 1
        self._latest = {
            "gradient_update": float(self.updates),
            "dream_return": float(dreamt.rewards.sum(0).mean()),
            "dream_length": float(alive.sum(0).float().mean()),
            "controller_entropy": float((entropy.detach() * alive).sum() / count),
        }
        return True

    def _dreamt(self, stop: Callable[[], bool]) -> _Dreamt | None:
        key = (*self._seed.spawn_key, self.updates)
        child = np.random.SeedSequence(self._seed.entropy, spawn_key=key)
        batch = self._settings.gradient_batch
        seeds = child.generate_state(batch, np.uint32).astype(np.int64)
        draws = torch.Generator().manual_seed(int(seeds[0]))
        dream, controllers = self._dream, self._controllers
        dream.reset(self._starts.of(seeds), seeds)
        # copies: the dream overwrites its features
        seen = [controllers.see(dream.latents, dream.features).clone()]
        choices, rewards, alive, ended = [], [], [], []
        over = torch.zeros(batch, dtype=torch.bool, device=dream.device)
        for _ in range(dream.max_steps):
            if stop():
                return None
            with torch.no_grad():
                outputs = controllers.outputs(self._weights[None], seen[-1][None])[0]
                chosen, codes = self._choose(outputs, draws)
            moved = dream.step(codes)
            choices.append(chosen)
            rewards.append(moved.rewards.clone())
            alive.append(torch.logical_not(over))
            ended.append(moved.terminated & torch.logical_not(over))
            seen.append(controllers.see(dream.latents, dream.features).clone())
            over = moved.terminated.clone()
            if bool(over.all()):
                break
        return _Dreamt(*map(torch.stack, (seen, choices, rewards, alive, ended)))

    def _choose(self, outputs: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """What is drawn, and its code."""
        if self._controllers.code.discrete:
            uniform = torch.rand(outputs.shape, generator=draws).clamp(1e-20, 1 - 1e-7)
            noise = -torch.log(-torch.log(uniform)).to(outputs.device)
            chosen = (outputs + noise).argmax(-1)
            return chosen, nn.functional.one_hot(chosen, outputs.shape[-1]).to(outputs.dtype)
        normal = torch.randn(outputs.shape, generator=draws).to(outputs.device)
        drawn = outputs + torch.exp(self._log_width) * normal
        return drawn, self._controllers.codes(drawn)

    def _likelihood(self, dreamt: _Dreamt) -> tuple[Tensor, Tensor]:
        """ln π and the entropy, [T, B]."""
        seen = dreamt.seen[:-1].flatten(0, 1)
        outputs = self._controllers.outputs(self._weights[None], seen[None])[0]
        outputs = outputs.view(*dreamt.alive.shape, -1)
        if self._controllers.code.discrete:
            logs = torch.log_softmax(outputs, -1)
            chosen = logs.gather(-1, dreamt.choices[..., None]).squeeze(-1)
            return chosen, -(logs.exp() * logs).sum(-1)
        off = (dreamt.choices - outputs) / torch.exp(self._log_width)
        # constants are left out of both
        entropy = self._log_width.sum().expand(dreamt.alive.shape)
        return (-0.5 * off.square() - self._log_width).sum(-1), entropy

    def _returns(self, dreamt: _Dreamt, values: Tensor) -> Tensor:
        """[T, B] R or G."""
        actor_critic = self._settings.gradient_method == "actor_critic"
        share = self._settings.gradient_lambda if actor_critic else 1.0
        following = values[-1] if actor_critic else torch.zeros_like(values[-1])
        returns = []
        for t in reversed(range(len(dreamt.rewards))):
            ahead = share * following + (1 - share) * values[t + 1]
            going_on = torch.logical_not(dreamt.ended[t])
            following = dreamt.rewards[t] + self._gamma * going_on * ahead
            returns.append(following)
        return torch.stack(returns[::-1])

    def metrics(self) -> dict[str, float]:
        """Of the last update."""
        return dict(self._latest)

    def state_dict(self) -> dict[str, Any]:
        """Everything that later updates depend on."""
        return {
            "weights": self._weights.detach().cpu().clone(),
            "log_width": self._log_width.detach().cpu().clone(),
            "critic": {k: v.cpu().clone() for k, v in self._critic.state_dict().items()},
            "optimizer": self._optimizer.state_dict(),
            "updates": self.updates,
            "latest": dict(self._latest),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where `state_dict` was taken."""
        with torch.no_grad():
            self._weights.copy_(state["weights"])
            self._log_width.copy_(state["log_width"])
        self._critic.load_state_dict(state["critic"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.updates, self._latest = state["updates"], dict(state["latest"])


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A layer with torch's usual first weights, of random numbers that are given."""
    # torch's own generator is not drawn from: nothing is there to be filled
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    bound = inputs**-0.5
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer
