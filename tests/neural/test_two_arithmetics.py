"""What a GPU computes with torch, and the processor with compiled loops, is equal up to rounding.

Both run here on the processor, from the same state and inputs.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from arithmetics import ARITHMETICS, assert_agree, computing_with, other_than
from members import World, batch, mixed
from torch import Tensor

from agents.dqn.settings import DQNSettings
from agents.neural import arithmetic
from agents.neural.adam import Adam, AdamSettings
from agents.neural.compiled import CompiledMLP
from agents.neural.critics import CriticInput, Critics
from agents.neural.group import LearnerGroup
from agents.neural.networks import Perceptrons, StackedMLP, perceptrons
from agents.neural.noise import Noise
from agents.neural.parameters import Activation, Shape
from agents.neural.policies.base import ActionBox
from agents.neural.policies.squashed_gaussian import SquashedGaussian
from agents.neural.replay import Replay
from agents.neural.settings import NeuralSettings
from agents.neural.wide import WideMLP
from agents.soft_actor_critic.settings import SACDiscreteSettings, SACSettings
from agents.td3.settings import TD3Settings

ADAMS = [
    AdamSettings(1e-3, (0.9, 0.999), 1e-8),
    AdamSettings(0.03, (0.0, 0.9), 1e-3),
    AdamSettings(0.01, (0.95, 0.99), 1e-5),
]


class Draws:
    """Normal numbers, the same ones in the same order each time."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> Tensor:
        return torch.from_numpy(self._rng.standard_normal(shape, dtype=np.float32))


# -- which one computes


def test_the_processor_computes_with_compiled_loops_and_every_other_device_with_torch() -> None:
    assert arithmetic.is_compiled("cpu") and arithmetic.is_compiled(torch.device("cpu", 0))
    for other in ("cuda", "cuda:1", "mps"):
        assert not arithmetic.is_compiled(other)


@pytest.mark.parametrize(("units", "kind"), [(16, CompiledMLP), (200, WideMLP)])
def test_perceptrons_are_of_the_arithmetic_in_use(units: int, kind: type[Perceptrons]) -> None:
    shape = Shape(3, (units,), (1,))
    assert type(perceptrons(shape, "relu", torch.zeros(1, shape.size))) is kind
    with computing_with("torch"):
        assert type(perceptrons(shape, "relu", torch.zeros(1, shape.size))) is StackedMLP


# -- perceptrons


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize(("members", "heads"), [(1, (1,)), (3, (1,)), (3, (2, 3))])
@pytest.mark.parametrize("hidden", [(12, 9), (160, 40)], ids=["small", "wide"])
@pytest.mark.parametrize("used", [8, 5], ids=["all rows", "the first rows"])
def test_passes_forward_and_back(
    activation: Activation,
    members: int,
    heads: tuple[int, ...],
    hidden: tuple[int, ...],
    used: int,
) -> None:
    shape = Shape(4, hidden, heads)

    def passes() -> list[Tensor]:
        draws = Draws()
        net = perceptrons(shape, activation, draws(members, shape.size) / hidden[0] ** 0.5)
        y, d_y = net.forward(draws(members, 8, 4)).clone(), draws(members, used, sum(heads))
        net.backward(d_y)
        d_x = net.input_gradient(d_y).clone()
        return [y, net.gradients, d_x, net.backward_to_input(d_y)]

    assert_agree(passes, atol=1e-5)


@pytest.mark.parametrize("units", [16, 200], ids=["small", "wide"])
@pytest.mark.usefixtures("each_arithmetic")
def test_a_weight_that_is_no_number_is_not_lost_in_a_relu(units: int) -> None:
    shape = Shape(3, (units, units), (1,))
    net = perceptrons(shape, "relu", Draws()(2, shape.size))
    net.values[1, 0] = torch.nan
    y = net.forward(torch.ones(2, 4, 3))
    assert y[0].isfinite().all() and y[1].isnan().all()


# -- Adam


def test_steps_of_adam_with_settings_of_its_own_for_each_row() -> None:
    def steps() -> list[Tensor]:
        draws = Draws()
        values, gradients = draws(3, 32), torch.zeros(3, 32)
        adam = Adam(values, gradients, ADAMS)
        for step in range(600):  # beyond a block of its schedule
            gradients.copy_(draws(3, 32) * 10.0 ** -(step % 5))
            adam.step()
        return [values, adam.moments]

    assert_agree(steps, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("first", ARITHMETICS)
def test_adam_continues_what_the_other_arithmetic_began(first: str) -> None:
    values, gradients = Draws(0)(3, 32), Draws(1)(3, 32)
    alone = values.clone()
    with computing_with(first):
        adam, whole = (Adam(one, gradients, ADAMS) for one in (values, alone))
        for _ in range(300):
            adam.step()
            whole.step()
    with computing_with(other_than(first)):
        other = Adam(values, gradients, ADAMS)
        other.load_state_dict(slice(0, 3), adam.state_dict(slice(0, 3)))
        for _ in range(20):
            other.step()
    with computing_with(first):
        for _ in range(20):
            whole.step()
    torch.testing.assert_close(values, alone, rtol=1e-4, atol=1e-5)


# -- critics


def critics(copies: int, *, actions: int, values: int, units: int) -> Critics:
    """Of three members."""
    return Critics(
        Shape(3 + actions, (units, units), (values,)),
        "relu",
        "kaiming_uniform",
        copies,
        ADAMS,
        torch.tensor([[0.01], [0.5], [1.0]]),
        [np.random.default_rng(seed) for seed in range(3)],
    )


def learned(made: Critics) -> list[Any]:
    return [made.state_dict(member) for member in range(3)]


def inputs(made: Critics, draws: Draws, actions: int) -> CriticInput:
    x = made.input(6, 3, actions)
    x.set(draws(3, 6, 3), draws(3, 6, actions) if actions else None)
    return x


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("huber", [False, True])
@pytest.mark.parametrize("units", [12, 130], ids=["small", "wide"])
def test_regression_of_the_values_of_vector_actions(copies: int, huber: bool, units: int) -> None:
    def regression() -> list[Any]:
        draws, made = Draws(), critics(copies, actions=2, values=1, units=units)
        results = []
        for _ in range(5):
            made.regress(inputs(made, draws, 2), 2 * draws(3, 6), huber=huber)
            made.follow()
            results.append(learned(made))
        return results

    assert_agree(regression, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("huber", [False, True])
def test_regression_of_the_values_of_discrete_actions(copies: int, huber: bool) -> None:
    def regression() -> list[Any]:
        draws, made = Draws(), critics(copies, actions=0, values=4, units=12)
        results = []
        for _ in range(5):
            taken = (draws(3, 6).abs() * 2).long().clamp_(max=3)
            made.regress(inputs(made, draws, 0), 2 * draws(3, 6), taken, huber=huber)
            made.follow()
            results.append(learned(made))
        return results

    assert_agree(regression, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("copies", [1, 2, 3])
@pytest.mark.parametrize("units", [12, 130], ids=["small", "wide"])
def test_the_lowest_value_and_its_gradient(copies: int, units: int) -> None:
    def lowest() -> list[Tensor]:
        draws, made = Draws(), critics(copies, actions=2, values=1, units=units)
        x = inputs(made, draws, 2)
        q = made.values(x)
        return [q.clone(), *made.lowest_gradient(q, -1 / 6), made.target_values(x)]

    assert_agree(lowest)


# -- replay


@pytest.mark.parametrize("steps", [5, 27], ids=["not yet full", "gone around"])
@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_same_indices_give_the_same_batches(
    steps: int, discrete: bool, dtype: torch.dtype
) -> None:
    def batches() -> list[Any]:
        rng = np.random.default_rng(0)
        streams = [np.random.default_rng(seed) for seed in range(3)]
        replay = Replay(10, 4, 1 if discrete else 2, 8, streams, dtype=dtype)
        seen: list[Any] = []
        for _ in range(steps):
            actions = rng.integers(0, 5, (3, 1)) if discrete else rng.normal(size=(3, 2))
            states = rng.normal(size=(2, 3, 4)).astype(np.float32)
            replay.add(states[0], actions, rng.normal(size=3), states[1], rng.random(3) < 0.3)
            seen.append([one.clone() for one in replay.sample()])
        for _ in range(300):  # beyond a block of indices
            seen.append([one.clone() for one in replay.sample()])
        return [seen, [replay.state_dict(member)["rows"] for member in range(3)]]

    assert_agree(batches, rtol=0, atol=0)


# -- the squashed Gaussian


BOXES = {
    "centred": gymnasium.spaces.Box(-2.0, 2.0, (1,)),
    "off centre": gymnasium.spaces.Box(np.array([-2, 0, 5], "f4"), np.array([2, 1, 9], "f4")),
}


def policy(space: str) -> SquashedGaussian:
    """Three members', each with another interval of ln σ."""
    return SquashedGaussian(
        ActionBox.of(BOXES[space]), torch.tensor([1000.0, -1.0, 3.0]).view(3, 1, 1)
    )


def outputs(space: str, draws: Draws) -> Tensor:
    """h [3, 40, 2 A]: among them stddevs that are clipped and means far outside."""
    h = 4 * draws(3, 40, 2 * BOXES[space].shape[0])
    h[:, :3] *= 10
    return h


def noise() -> Noise:
    return Noise([np.random.default_rng(seed) for seed in range(3)])


@pytest.mark.parametrize("space", BOXES)
def test_draws_and_modes_of_the_squashed_gaussian(space: str) -> None:
    def actions() -> list[Tensor]:
        pi, h = policy(space), outputs(space, Draws())
        return [pi.draw(h, noise()), pi.mode(h), pi.draw(h[:, :1], noise())]

    assert_agree(actions)


@pytest.mark.parametrize("space", BOXES)
@pytest.mark.parametrize("states", [40, 7], ids=["all", "the first of them"])
def test_reparameterised_actions_their_log_probs_and_gradients(space: str, states: int) -> None:
    def draw() -> list[Tensor]:
        draws, pi = Draws(), policy(space)
        h = outputs(space, draws)[:, :states]
        action, log_prob, backward = pi.reparameterised(h, noise())
        both = backward(draws(*action.shape), draws(*log_prob.shape))
        of_action = backward(draws(*action.shape), torch.zeros_like(log_prob))
        return [action, log_prob, both, of_action]

    assert_agree(draw, rtol=1e-4, atol=1e-4)


# -- agents

SMALL: dict[str, Any] = {"hidden_dim": 12, "batch_size": 8}
AGENTS: dict[str, NeuralSettings] = {
    "SAC": SACSettings(**SMALL),
    "SAC, temperature tuned": SACSettings(automatic_entropy_tuning=True, **SMALL),
    "SACDiscrete": SACDiscreteSettings(**SMALL),
    "TD3": TD3Settings(**SMALL),
    "DQN": DQNSettings(**SMALL),
}
SEEDS = (0, 1, 2)


def agent_of(
    name: str, seeds: Sequence[int] = SEEDS, dtype: torch.dtype = torch.float32
) -> LearnerGroup:
    """Of members that differ in everything that may differ."""
    return batch(mixed(AGENTS[name], len(seeds)), seeds, dtype=dtype)


def learned_by(agent: LearnerGroup) -> list[dict[str, np.ndarray]]:
    return [agent.learned_params(member) for member in agent.live]


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("seeds", [(0,), SEEDS], ids=["alone", "three"])
@pytest.mark.parametrize(
    ("dtype", "updates", "rtol", "atol"),
    [(torch.float32, 20, 1e-3, 1e-4), (torch.float64, 200, 1e-8, 1e-10)],
    ids=["float32", "float64"],
)
def test_agents_learn_the_same(
    name: str,
    seeds: tuple[int, ...],
    dtype: torch.dtype,
    updates: int,
    rtol: float,
    atol: float,
) -> None:
    def course() -> list[Any]:
        agent = agent_of(name, seeds, dtype)
        actions = World(seeds).run(agent, SMALL["batch_size"] - 1 + updates)
        assert agent.state_dict(0)["updates"] == updates
        return [actions, learned_by(agent), [agent.metrics(member) for member in agent.live]]

    assert_agree(course, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", AGENTS)
def test_numbers_stay_finite_with_torch_too(name: str) -> None:
    with computing_with("torch"):
        agent = agent_of(name)
        before = learned_by(agent)
        World(SEEDS).run(agent, 400)
    assert not agent.diverged and agent.live == SEEDS
    for old, new in zip(before, learned_by(agent), strict=True):
        assert all(np.isfinite(array).all() for array in new.values())
        assert all((new[key] != old[key]).any() for key in new if key.endswith("weight_0"))


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("first", ARITHMETICS)
def test_a_member_saved_with_one_arithmetic_goes_on_with_the_other(name: str, first: str) -> None:
    with computing_with(first):
        agent, world = agent_of(name, dtype=torch.float64), World(SEEDS)
        world.run(agent, 60)
        saved, same_world = [agent.state_dict(member) for member in SEEDS], copy.deepcopy(world)
        world.run(agent, 20)
    with computing_with(other_than(first)):
        heir = agent_of(name, dtype=torch.float64)
        for member, state in zip(SEEDS, saved, strict=True):
            heir.load_state_dict(member, state)
        same_world.run(heir, 20)
    torch.testing.assert_close(learned_by(heir), learned_by(agent), rtol=1e-8, atol=1e-10)
