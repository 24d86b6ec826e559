"""An update equals the textbook's, written with torch's modules, autograd and optimizers."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
import torch
from members import BOX, World, batch, mixed
from torch import Tensor, nn

from agents.neural.parameters import Shape
from agents.neural.settings import NeuralSettings
from agents.soft_actor_critic.settings import SACDiscreteSettings, SACSettings

GAMMA = 0.97
LOW = torch.from_numpy(BOX.low).double()
HIGH = torch.from_numpy(BOX.high).double()


class Recorder:
    """Hands noise on and remembers it."""

    def __init__(self, noise: Any) -> None:
        self._noise = noise
        self.drawn: list[Tensor] = []

    def normal(self, *shape: int) -> Tensor:
        self.drawn.append(self._noise.normal(*shape).clone())
        return self.drawn[-1]


class Textbook:
    """Soft actor-critic of one member, for tests to compare with."""

    def __init__(self, settings: Any, state: dict[str, Any], widths: tuple[int, ...]):
        self.settings = settings
        inputs, reads, outputs, values = widths
        hidden = (settings.hidden_dim,) * settings.num_hidden
        self.actor = module(Shape(inputs, hidden, (outputs,)), state["actor"]["values"][0])
        shape = Shape(reads, hidden, (values,))
        self.critics = nn.ModuleList(module(shape, row) for row in state["critics"]["values"])
        self.targets = copy.deepcopy(self.critics)
        self.log_alpha = nn.Parameter(torch.tensor(settings.alpha, dtype=torch.float64).log())
        adam: dict[str, Any] = {"betas": settings.betas, "eps": settings.adam_eps}
        self.actor_adam = torch.optim.Adam(
            self.actor.parameters(), lr=settings.actor_step_size, **adam
        )
        self.critic_adam = torch.optim.Adam(
            self.critics.parameters(), lr=settings.critic_lr, **adam
        )
        self.alpha_adam = torch.optim.Adam([self.log_alpha], lr=settings.alpha_lr, **adam)

    def law(self, s: Tensor) -> torch.distributions.Distribution:
        mean, log_std = self.actor(s).chunk(2, -1)
        squashed = [
            torch.distributions.TanhTransform(cache_size=1),
            torch.distributions.AffineTransform((HIGH + LOW) / 2, (HIGH - LOW) / 2, cache_size=1),
        ]
        law = torch.distributions.Normal(mean, log_std.clamp(-6.9, 6.9).exp())
        return torch.distributions.TransformedDistribution(law, squashed)

    def pi(self, s: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """A reparameterised action and its log-probability, in the environment's units."""
        law: Any = self.law(s)
        x = law.base_dist.loc + law.base_dist.scale * noise
        for transform in law.transforms:
            x = transform(x)
        return x, law.log_prob(x).sum(-1)

    def lowest(self, nets: nn.ModuleList, x: Tensor) -> Tensor:
        return torch.stack([net(x) for net in nets]).min(0).values

    def update(self, batch: Any, noise: list[Tensor]) -> None:
        s, a, r, s_next, c = batch
        one = self.settings
        alpha = self.log_alpha.exp().detach()
        with torch.no_grad():
            value, log_prob = self.next_value(s_next, noise)
            y = r + GAMMA * c * (value - one.soft_q * alpha * log_prob)
        loss = sum(((self.taken(net, s, a) - y) ** 2).mean() for net in self.critics)
        step(self.critic_adam, loss)
        with torch.no_grad():
            for target, net in zip(
                self.targets.parameters(), self.critics.parameters(), strict=True
            ):
                target.mul_(1 - one.tau).add_(one.tau * net)
        actor_loss, log_prob = self.actor_loss(s, noise, alpha)
        step(self.actor_adam, actor_loss)
        if one.automatic_entropy_tuning:
            entropy = self.target_entropy()
            step(self.alpha_adam, -self.log_alpha * (log_prob.detach().mean() + entropy))

    def next_value(self, s: Tensor, noise: list[Tensor]) -> tuple[Tensor, Tensor]:
        a, log_prob = self.pi(s, noise[0][-len(s) :])
        return self.lowest(self.targets, torch.cat((s, a), -1))[:, 0], log_prob

    def taken(self, net: nn.Module, s: Tensor, a: Tensor) -> Tensor:
        q: Tensor = net(torch.cat((s, a), -1))[:, 0]
        return q

    def actor_loss(self, s: Tensor, noise: list[Tensor], alpha: Tensor) -> tuple[Tensor, Tensor]:
        one: Any = self.settings
        if one.gradient:
            a, log_prob = self.pi(s, noise[0][: len(s)])
            return (alpha * log_prob - self.lowest(self.critics, cat(s, a))[:, 0]).mean(), log_prob
        repeated = s.repeat_interleave(one.num_samples, 0)
        with torch.no_grad():
            a = self.pi(repeated, noise[1])[0]
            q = self.lowest(self.critics, cat(repeated, a))[:, 0]
            if one.baseline:
                others = s.repeat_interleave(one.baseline, 0)
                b = self.lowest(self.critics, cat(others, self.pi(others, noise[2])[0]))
                q -= b.view(len(s), -1).mean(1).repeat_interleave(one.num_samples, 0)
        law: Any = self.law(repeated)
        log_prob = law.log_prob(a).sum(-1)
        return (log_prob * (alpha * log_prob - q).detach()).mean(), log_prob

    def target_entropy(self) -> float:
        return -float(len(LOW))


class DiscreteTextbook(Textbook):
    def next_value(self, s: Tensor, noise: list[Tensor]) -> tuple[Tensor, Tensor]:
        log_p = self.actor(s).log_softmax(-1)
        q = self.lowest(self.targets, s)
        return (log_p.exp() * q).sum(-1), (log_p.exp() * log_p).sum(-1)

    def taken(self, net: nn.Module, s: Tensor, a: Tensor) -> Tensor:
        q: Tensor = net(s).gather(-1, a.long())[:, 0]
        return q

    def actor_loss(self, s: Tensor, noise: list[Tensor], alpha: Tensor) -> tuple[Tensor, Tensor]:
        log_p = self.actor(s).log_softmax(-1)
        p, q = log_p.exp(), self.lowest(self.critics, s).detach()
        return (p * (alpha * log_p - q)).sum(-1).mean(), (p * log_p).sum(-1)

    def target_entropy(self) -> float:
        return 0.98 * float(torch.tensor(3.0, dtype=torch.float64).log())


def cat(s: Tensor, a: Tensor) -> Tensor:
    return torch.cat((s, a), -1)


def step(optimizer: torch.optim.Optimizer, loss: Any) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def module(shape: Shape, row: Any) -> nn.Sequential:
    layers: list[nn.Module] = []
    weights, biases = shape.views(torch.from_numpy(row)[None])
    for (inputs, outputs), weight, bias in zip(shape.layers, weights, biases, strict=True):
        layer = nn.Linear(inputs, outputs, dtype=torch.float64)
        layer.weight.data, layer.bias.data = weight[0].T.clone(), bias[0, 0].clone()
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def row_of(net: nn.Module, shape: Shape) -> Tensor:
    row = torch.zeros(1, shape.size, dtype=torch.float64)
    linears = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    for layer, weight, bias in zip(linears, *shape.views(row), strict=True):
        weight[0], bias[0, 0] = layer.weight.data.T, layer.bias.data
    return row[0]


CASES: dict[str, NeuralSettings] = {
    "reparameterised": SACSettings(),
    "temperature tuned": SACSettings(automatic_entropy_tuning=True, alpha_lr=0.05),
    "one critic": SACSettings(double_q=False),
    "likelihood": SACSettings(reparameterized=False, num_samples=3, baseline_actions=4),
    "likelihood without baseline": SACSettings(reparameterized=False),
    "discrete": SACDiscreteSettings(),
    "discrete, tuned": SACDiscreteSettings(automatic_entropy_tuning=True, alpha_lr=0.05),
}


@pytest.mark.parametrize("case", CASES)
def test_updates_are_the_textbooks(case: str) -> None:
    base = msgspec.structs.replace(CASES[case], hidden_dim=12, batch_size=6)
    settings = mixed(base, 3)
    agent = batch(settings, [0, 1, 2], dtype=torch.float64)
    World([0, 1, 2]).run(agent, 5)  # one step short of learning
    discrete = isinstance(base, SACDiscreteSettings)
    widths = (3, 3, 3, 3) if discrete else (3, 5, 4, 1)
    kind = DiscreteTextbook if discrete else Textbook
    books = [kind(one, agent.state_dict(m), widths) for m, one in enumerate(settings)]

    learner: Any = agent._learner
    learner._noise = recorder = Recorder(learner._noise)
    for _ in range(8):
        recorder.drawn.clear()
        learner.update()
        for m, book in enumerate(books):
            book.update([one[m] for one in learner.last_batch], [one[m] for one in recorder.drawn])

    hidden = (12, 12)
    actor, critic = Shape(3, hidden, (widths[2],)), Shape(widths[1], hidden, (widths[3],))
    for m, book in enumerate(books):
        rows = learner._actor.state_dict(m)["values"][0]
        torch.testing.assert_close(
            torch.from_numpy(rows), row_of(book.actor, actor), rtol=1e-6, atol=1e-8
        )
        state = learner._critics.state_dict(m)
        for name, nets in (("values", book.critics), ("targets", book.targets)):
            expected = torch.stack([row_of(net, critic) for net in nets])
            torch.testing.assert_close(
                torch.from_numpy(state[name]), expected, rtol=1e-6, atol=1e-8
            )
        alpha = torch.from_numpy(learner._entropy.learned_params(m)["alpha"])
        torch.testing.assert_close(alpha, book.log_alpha.exp().data, rtol=1e-6, atol=1e-8)


def test_targets_follow_at_their_interval() -> None:
    agent = batch([SACSettings(batch_size=4, target_update_interval=3)], [0])
    world, learner = World([0]), agent._learner
    world.run(agent, 3)
    before = learner.state_dict(0)["critics"]["targets"]
    moved = []
    for _ in range(6):
        world.run(agent, 1)
        after = learner.state_dict(0)["critics"]["targets"]
        moved.append(bool((after != before).any()))
        before = after
    assert moved == [False, False, True] * 2


def test_learning_begins_when_due() -> None:
    agent = batch([SACSettings(batch_size=4, steps_before_learning=9)], [0])
    world = World([0])
    world.run(agent, 8)
    assert agent.metrics(0) == {} and agent._learner.updates == 0
    world.run(agent, 1)
    assert agent._learner.updates == 1
    assert set(agent.metrics(0)) == {"critic_loss", "actor_loss", "entropy", "alpha"}


def test_what_an_update_used_is_reported() -> None:
    agent = batch([SACSettings(batch_size=4)] * 2, [0, 1])
    seen: dict[str, tuple[int, ...]] = {}
    agent.report_updates(1, lambda name, value: seen.__setitem__(name, value.shape))
    World([0, 1]).run(agent, 5)
    assert seen == {
        "update_states": (4, 3),
        "update_actions": (4, 2),
        "update_rewards": (4,),
        "update_next_states": (4, 3),
    }
