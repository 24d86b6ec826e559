"""What batching is for: updates are several times faster than those of ordinary modules."""

from __future__ import annotations

import time
from collections.abc import Callable

import gymnasium
import numpy as np
import pytest
import torch
from members import batch
from torch import Tensor, nn

from agents.soft_actor_critic.settings import SACSettings


def seconds(work: Callable[[], None], repeats: int) -> float:
    """Processor time of one call, the best of several measurements."""
    for _ in range(5):
        work()
    best = float("inf")
    for _ in range(7):
        start = time.process_time()
        for _ in range(repeats):
            work()
        best = min(best, (time.process_time() - start) / repeats)
    return best


def batched(members: int, width: int, batch_size: int, inputs: int, actions: int) -> float:
    """Seconds of an update of one member."""
    settings = SACSettings(hidden_dim=width, batch_size=batch_size, alpha=0.1)
    agent = batch(
        [settings] * members,
        list(range(members)),
        observations=gymnasium.spaces.Box(-1, 1, (inputs,), np.float32),
        actions=gymnasium.spaces.Box(-2, 2, (actions,), np.float32),
    )
    learner, rng = agent._learner, np.random.default_rng(0)
    for _ in range(1000):
        learner.store(
            rng.normal(size=(members, inputs)),
            rng.normal(size=(members, actions)),
            rng.normal(size=members),
            rng.normal(size=(members, inputs)),
            np.zeros(members, dtype=bool),
        )
    return seconds(learner.update, max(2, 10**6 // (members * width * batch_size))) / members


def modules(width: int, batch_size: int, inputs: int, actions: int) -> float:
    """Seconds of an update written in the usual way."""

    def net(reads: int, writes: int) -> nn.Sequential:
        hidden = (nn.Linear(reads, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        return nn.Sequential(*hidden, nn.Linear(width, writes))

    actor = net(inputs, 2 * actions)
    critics, targets = (nn.ModuleList(net(inputs + actions, 1) for _ in range(2)) for _ in range(2))
    actor_adam = torch.optim.Adam(actor.parameters())
    critic_adam = torch.optim.Adam(critics.parameters())
    memory = [torch.randn(1000, n) for n in (inputs, actions, 1, inputs)]

    def pi(s: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = actor(s).chunk(2, -1)
        law = torch.distributions.Normal(mean, log_std.clamp(-7, 7).exp())
        u = law.rsample()
        y = torch.tanh(u)
        log_prob = law.log_prob(u) - torch.log(2 * (1 - y * y) + 1e-6)  # type: ignore[no-untyped-call]
        return 2 * y, log_prob.sum(-1, keepdim=True)

    def lowest(nets: nn.ModuleList, s: Tensor, a: Tensor) -> Tensor:
        x = torch.cat((s, a), -1)
        return torch.minimum(nets[0](x), nets[1](x))

    def update() -> None:
        places = torch.randint(0, 1000, (batch_size,))
        s, a, r, s_next = (one[places] for one in memory)
        with torch.no_grad():
            a_next, log_prob = pi(s_next)
            y = r + 0.99 * (lowest(targets, s_next, a_next) - 0.1 * log_prob)
        x = torch.cat((s, a), -1)
        critic_adam.zero_grad()
        sum(nn.functional.mse_loss(critic(x), y) for critic in critics).backward()  # type: ignore[union-attr]
        critic_adam.step()
        with torch.no_grad():
            for target, critic in zip(targets.parameters(), critics.parameters(), strict=True):
                target.lerp_(critic, 0.01)
        a, log_prob = pi(s)
        actor_adam.zero_grad()
        (0.1 * log_prob - lowest(critics, s, a)).mean().backward()  # type: ignore[no-untyped-call]
        actor_adam.step()

    return seconds(update, max(2, 10**6 // (width * batch_size)))


@pytest.mark.slow
def test_small_networks() -> None:
    usual = modules(64, 32, 3, 1)
    gains = {members: usual / batched(members, 64, 32, 3, 1) for members in (1, 8, 32)}
    print(f"modules {1 / usual:.0f} updates/s; gains {gains}")
    assert gains[1] > 2.5
    assert gains[8] > 7


@pytest.mark.slow
def test_large_networks() -> None:
    usual = modules(256, 256, 17, 6)
    gain = usual / batched(1, 256, 256, 17, 6)
    print(f"modules {1 / usual:.0f} updates/s; gain {gain}")
    assert gain > 1.1
