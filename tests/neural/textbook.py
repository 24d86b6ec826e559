"""Updates as textbooks write them: torch's modules, autograd, optimizers and distributions, one
member at a time, in double precision. Agents' updates are compared with them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import torch
from members import BOX, GAMMA, World, batch, mixed
from torch import Tensor, distributions, nn

from agents.neural.parameters import Shape
from agents.neural.settings import NeuralSettings

LOW = torch.from_numpy(BOX.low).double()
HIGH = torch.from_numpy(BOX.high).double()
CENTRE, SCALE = (HIGH + LOW) / 2, (HIGH - LOW) / 2
STATE, ACTION, CHOICES, UNITS = 3, 2, 3, 12
MEMBERS = (0, 1, 2)


class Textbook(ABC):
    """One member's networks and optimizers; a subclass writes down the losses.

    Attributes:
        settings: of this member.
        outputs, reads, values: widths of the policy's output, and of a critic's input and output.
    """

    outputs, reads, values = 2 * ACTION, STATE + ACTION, 1

    def __init__(self, settings: Any, state: dict[str, Any]) -> None:
        self.settings = settings
        self.critics = self.nets(state["critics"]["values"], self.reads, self.values)
        self.targets = self.nets(state["critics"]["targets"], self.reads, self.values)
        self.critic_adam = self.adam(self.critics, settings.critic_lr)
        self.has_actor = "actor" in state
        if self.has_actor:
            (self.actor,) = self.nets(state["actor"]["values"], STATE, self.outputs)
            self.actor_adam = self.adam(self.actor, settings.actor_step_size)

    @abstractmethod
    def update(self, batch: Sequence[Tensor], noise: list[Tensor]) -> None:
        """One gradient step on s [B, I], a [B, A], r [B], s' [B, I], c [B]."""

    def learned(self) -> dict[tuple[str, str], Tensor]:
        """What is learned, by where an agent's state has it."""
        rows = {
            ("critics", "values"): rows_of(self.critics),
            ("critics", "targets"): rows_of(self.targets),
        }
        return rows | ({("actor", "values"): rows_of([self.actor])} if self.has_actor else {})

    # -- pieces of updates

    def y(self, r: Tensor, c: Tensor, value: Tensor) -> Tensor:
        return (r + GAMMA * c * value).detach()

    def regress(self, y: Tensor, s: Tensor, a: Tensor) -> None:
        """L_Q = Σ_k mean (Q_k(s, a) - y)²."""
        step(self.critic_adam, sum(((self.taken(q, s, a) - y) ** 2).mean() for q in self.critics))

    def taken(self, q: nn.Module, s: Tensor, a: Tensor) -> Tensor:
        """Q(s, a) [B]."""
        value: Tensor = q(torch.cat((s, a), -1))[:, 0]
        return value

    def lowest(self, nets: Iterable[nn.Module], s: Tensor, a: Tensor) -> Tensor:
        """min_k Q_k(s, a) [B]."""
        return torch.stack([self.taken(net, s, a) for net in nets]).amin(0)

    def follow(self, target: nn.Module, net: nn.Module) -> None:
        """θ_T <- (1 - τ) θ_T + τ θ."""
        tau = self.settings.tau
        with torch.no_grad():
            for old, new in zip(target.parameters(), net.parameters(), strict=True):
                old.copy_((1 - tau) * old + tau * new)

    # -- construction

    def nets(self, rows: Any, inputs: int, outputs: int) -> nn.ModuleList:
        shape = Shape(inputs, (UNITS, UNITS), (outputs,))
        return nn.ModuleList(module(shape, torch.from_numpy(row)) for row in rows)

    def adam(self, net: nn.Module, step_size: float) -> torch.optim.Optimizer:
        one = self.settings
        return torch.optim.Adam(net.parameters(), step_size, one.betas, one.adam_eps)


class VectorTextbook(Textbook):
    """Of a policy of vector actions, Gaussian or squashed."""

    def pi(self, s: Tensor, net: nn.Module | None = None) -> Law:
        h = (net or self.actor)(s)
        kinds: dict[str, type[Law]] = {"SquashedGaussian": Squashed, "Gaussian": Censored}
        return kinds[self.settings.policy_type](h, self.settings.clip_stddev)


class DiscreteTextbook(Textbook):
    """Of a softmax policy; critics give a value to each action."""

    outputs, reads, values = CHOICES, STATE, CHOICES

    def taken(self, q: nn.Module, s: Tensor, a: Tensor) -> Tensor:
        value: Tensor = q(s).gather(-1, a.long())[:, 0]
        return value

    def pi(self, s: Tensor) -> distributions.Categorical:
        return distributions.Categorical(logits=self.actor(s))


class Law(ABC):
    """A law of vector actions; draws are reparameterised by standard normals."""

    def __init__(self, h: Tensor, clip_stddev: float) -> None:
        self.first, log_stddev = h.chunk(2, -1)
        limit = math.log(clip_stddev) if clip_stddev > 0 else None
        lowest, highest = (-5, 2) if limit is None else (-limit, limit)
        self.stddev = log_stddev.clamp(lowest, highest).exp()

    @abstractmethod
    def draw(self, noise: Tensor) -> Tensor: ...

    @abstractmethod
    def log_prob(self, a: Tensor) -> Tensor: ...


class Squashed(Law):
    """a = centre + scale tanh x, x ~ N(h₁, σ²)."""

    def draw(self, noise: Tensor) -> Tensor:
        return CENTRE + SCALE * torch.tanh(self.first + self.stddev * noise)

    def log_prob(self, a: Tensor) -> Tensor:
        squash: Any = [distributions.TanhTransform(), distributions.AffineTransform(CENTRE, SCALE)]
        base = distributions.Normal(self.first, self.stddev)
        law: Any = distributions.TransformedDistribution(base, squash)
        log_prob: Tensor = law.log_prob(a).sum(-1)
        return log_prob


class Censored(Law):
    """a = clamp(x, low, high), x ~ N(centre + scale tanh h₁, σ²), with masses on the edges."""

    def draw(self, noise: Tensor) -> Tensor:
        x = CENTRE + SCALE * torch.tanh(self.first) + self.stddev * noise
        return torch.minimum(torch.maximum(x, LOW), HIGH)

    def log_prob(self, a: Tensor) -> Tensor:
        law: Any = distributions.Normal(CENTRE + SCALE * torch.tanh(self.first), self.stddev)
        below = torch.special.log_ndtr((LOW - law.mean) / self.stddev)
        above = torch.special.log_ndtr((law.mean - HIGH) / self.stddev)
        inside = (a > LOW) & (a < HIGH)
        return torch.where(inside, law.log_prob(a), torch.where(a <= LOW, below, above)).sum(-1)


class Recorder:
    """Hands noise on and remembers it."""

    def __init__(self, noise: Any) -> None:
        self._noise = noise
        self.drawn: list[Tensor] = []

    def normal(self, *shape: int) -> Tensor:
        self.drawn.append(self._noise.normal(*shape).clone())
        return self.drawn[-1]

    def uniform(self, *shape: int) -> Tensor:
        self.drawn.append(self._noise.uniform(*shape).clone())
        return self.drawn[-1]


def assert_updates_are(kind: type[Textbook], base: NeuralSettings, *, updates: int = 8) -> None:
    """Trains members that differ in everything, each beside a textbook of its own."""
    settings = mixed(msgspec.structs.replace(base, hidden_dim=UNITS, batch_size=6), len(MEMBERS))
    agent = batch(settings, MEMBERS, dtype=torch.float64)
    World(MEMBERS).run(agent, 5)  # one step short of learning
    for m in MEMBERS:
        agent.load_state_dict(m, with_targets_elsewhere(agent.state_dict(m)))
    books = [kind(one, agent.state_dict(m)) for m, one in enumerate(settings)]

    learner: Any = agent._learner
    learner._noise = recorder = Recorder(learner._noise)
    for _ in range(updates):
        recorder.drawn.clear()
        learner.update()
        for m, book in enumerate(books):
            book.update([one[m] for one in learner.last_batch], [one[m] for one in recorder.drawn])

    for m, book in enumerate(books):
        parts = learner.parts()
        for (part, name), expected in book.learned().items():
            actual = torch.from_numpy(parts[part].state_dict(m)[name])
            torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-8)


def with_targets_elsewhere(state: dict[str, Any]) -> dict[str, Any]:
    """A state whose targets do not begin as copies: what reads which would not be told apart."""
    state["critics"]["targets"] = -0.7 * state["critics"]["targets"]
    if "target" in state.get("actor", {}):
        state["actor"]["target"] = -0.7 * state["actor"]["target"]
    return state


def step(optimizer: torch.optim.Optimizer, loss: Any) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def module(shape: Shape, row: Tensor) -> nn.Sequential:
    """The perceptron whose weights a row holds."""
    layers: list[nn.Module] = []
    weights, biases = shape.views(row[None])
    for (inputs, outputs), weight, bias in zip(shape.layers, weights, biases, strict=True):
        layer = nn.Linear(inputs, outputs, dtype=torch.float64)
        layer.weight.data, layer.bias.data = weight[0].T.clone(), bias[0, 0].clone()
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def rows_of(nets: Iterable[nn.Module]) -> Tensor:
    """The weights of perceptrons as rows [K, size]."""
    return torch.stack([_row_of(net) for net in nets])


def _row_of(net: nn.Module) -> Tensor:
    linears = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    hidden = tuple(layer.out_features for layer in linears[:-1])
    shape = Shape(linears[0].in_features, hidden, (linears[-1].out_features,))
    row = torch.zeros(1, shape.size, dtype=torch.float64)
    for layer, weight, bias in zip(linears, *shape.views(row), strict=True):
        weight[0], bias[0, 0] = layer.weight.data.T, layer.bias.data
    return row[0]
