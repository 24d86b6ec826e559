"""Two learners, of compiled arithmetic and of torch's gradients, take the same steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from batches import small, some_batch
from numpy.typing import NDArray

from agents.base import Diverged
from agents.muzero.building import widths_of
from agents.muzero.dense import initial
from agents.muzero.dense_learner import DenseLearner
from agents.muzero.networks import DenseNetwork
from agents.muzero.self_supervision.consistency import Consistency
from agents.muzero.settings import MuZeroSettings
from agents.muzero.supports import supports
from agents.muzero.torch_building import dense_network
from agents.muzero.torch_inference import TorchInference
from agents.muzero.torch_learner import TorchLearner
from agents.muzero.torch_scalars import scaled_gradient

INPUTS, ACTIONS = 5, 3

VARIANTS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "without consistency": {"ssl": "none"},
    "tanh": {"activation": "tanh", "latent_transform": "tanh"},
    "elu, without residue": {"activation": "elu", "residual": False},
    "not unrolled": {"jumps": 0},
    "one step": {"jumps": 1},
    "other weights": {
        "policy_loss_weight": 0.3,
        "value_loss_weight": 2.0,
        "reward_loss_weight": 0.0,
        "entropy_loss_weight": 0.2,
        "contrastive_loss_weight": 3.0,
        "grad_scale_factor": 1.0,
    },
    "adam": {"optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.1},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.1},
    "momentum": {"betas": (0.9, 0.9), "weight_decay": 0.1},
    "rewards through two layers": {"reward_layers": 2},
    "bins of values themselves": {"scalar_transform": False},
    "long gradients are cut": {"max_grad_norm": 0.05},
}


def learners(settings: MuZeroSettings) -> tuple[DenseLearner, TorchLearner]:
    """Both, with equal parameters; the compiled one's heads do not begin with zeros."""
    widths = widths_of(settings, INPUTS, ACTIONS)
    values = initial(widths, np.random.default_rng(0), zero_heads=False)
    network = dense_network(settings, widths, values, np.random.default_rng(0))
    drawn = settings.ssl == "consistency" and settings.jumps > 0
    ssl = Consistency() if drawn else None
    torch_learner = TorchLearner(settings, network, torch.from_numpy, ssl=ssl)
    return DenseLearner(settings, widths, values, capacity=8), torch_learner


def parameters_of(learner: TorchLearner) -> NDArray[np.float32]:
    """In the order of the compiled one's."""
    network = learner.online.network
    assert isinstance(network, DenseNetwork)
    return np.concatenate(
        [
            array.detach().numpy().ravel()
            for stack in network.stacks.values()
            for layer in stack
            for array in (layer.weight.T, layer.bias)
        ]
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_take_the_same_steps(variant: str) -> None:
    plain = {"optimizer": "sgd", "betas": (0.0, 0.9), "learning_rate": 0.5}
    settings = small(**(plain | VARIANTS[variant]))
    compiled, by_torch = learners(settings)
    rng = np.random.default_rng(1)
    for _ in range(3):
        observations, batch, values = some_batch(rng, settings, inputs=INPUTS, actions=ACTIONS)
        seen = observations if compiled.reads_all else observations[:1]
        rate = settings.learning_rate
        mine, its = (one.update(seen, batch, values, rate) for one in (compiled, by_torch))
        assert mine.errors == pytest.approx(its.errors, rel=1e-4, abs=1e-4)
        assert mine.losses == pytest.approx(its.losses, rel=1e-4, abs=1e-5)
        assert compiled.values == pytest.approx(parameters_of(by_torch), rel=1e-3, abs=2e-5)
    assert compiled.updates == by_torch.updates == 3
    assert not np.allclose(compiled.values, learners(settings)[0].values)


@pytest.mark.parametrize(
    "options", [{}, {"reward_layers": 1, "scalar_transform": False}], ids=["plain", "of games"]
)
def test_both_act_alike(options: dict[str, Any]) -> None:
    settings = small(**options)
    rng = np.random.default_rng(2)
    observations = rng.normal(size=(4, INPUTS)).astype(np.float32)
    compiled_learner, torch_learner = learners(settings)
    compiled = compiled_learner.online
    by_torch = TorchInference(torch_learner.online.network, torch.from_numpy, *supports(settings))
    latents, logits, values = compiled.roots(observations)
    numbers, its_logits, its_values = by_torch.roots(observations)
    assert logits == pytest.approx(its_logits, abs=1e-5)
    assert values == pytest.approx(its_values, abs=1e-4)
    actions = rng.integers(ACTIONS, size=4)
    for _ in range(2):  # the second step from where the first one led
        steps = compiled.model.recurrent(latents, actions)
        its = by_torch.model.recurrent(numbers, actions)
        assert steps.rewards == pytest.approx(its.rewards, abs=1e-4)
        assert steps.values == pytest.approx(its.values, abs=1e-4)
        assert steps.logits == pytest.approx(its.logits, abs=1e-5)
        latents, numbers = steps.latents, its.latents


@pytest.mark.parametrize("which", [0, 1])
def test_a_target_network_stays_until_it_is_renewed(which: int) -> None:
    settings = small()
    learner = learners(settings)[which]
    rng = np.random.default_rng(3)
    observations, batch, values = some_batch(rng, settings, inputs=INPUTS, actions=ACTIONS)

    def both() -> list[NDArray[np.float32]]:
        return [one.values(observations[0]).copy() for one in (learner.online, learner.target)]

    before = both()
    learner.update(observations, batch, values, 0.01)
    after = both()
    assert not np.allclose(after[0], before[0])
    assert np.array_equal(after[1], before[1])
    learner.renew_target()
    renewed = both()
    assert np.array_equal(renewed[1], renewed[0])


@pytest.mark.parametrize("which", [0, 1])
def test_a_learner_goes_on_where_another_was_left(which: int) -> None:
    settings = small(weight_decay=0.1)
    one, other = (learners(settings)[which] for _ in range(2))
    rng = np.random.default_rng(4)
    batches = [some_batch(rng, settings, inputs=INPUTS, actions=ACTIONS) for _ in range(4)]
    for observations, batch, values in batches[:2]:
        one.update(observations, batch, values, 0.01)
    other.load_state_dict(one.state_dict())
    for learner in (one, other):
        for observations, batch, values in batches[2:]:
            learner.update(observations, batch, values, 0.01)
    mine, its = one.learned_params(), other.learned_params()
    assert all(np.array_equal(mine[name], its[name]) for name in mine)
    assert one.updates == other.updates


@pytest.mark.parametrize("which", [0, 1])
def test_numbers_that_are_not_finite_are_named(which: int) -> None:
    settings = small()
    observations, batch, values = some_batch(
        np.random.default_rng(5), settings, inputs=INPUTS, actions=ACTIONS
    )
    observations[0, 0, 0] = np.nan
    with pytest.raises(Diverged, match="gradient"):
        learners(settings)[which].update(observations, batch, values, 0.01)


def test_the_gradient_into_each_step_of_the_model_is_halved() -> None:
    """Of a value that only the state after two steps is asked for, the way back to h is 1/4."""
    x = torch.ones(1, requires_grad=True)
    scaled_gradient(scaled_gradient(x, 0.5) * 3, 0.5).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.item() == 3 / 4
    gradients = []
    for factor in (1.0, 0.5):
        settings = small(
            jumps=2,
            ssl="none",
            grad_scale_factor=factor,
            optimizer="sgd",
            betas=(0.0, 0.9),
            max_grad_norm=None,
        )
        learner = learners(settings)[0]
        rng = np.random.default_rng(6)
        observations, batch, values = some_batch(rng, settings, inputs=INPUTS, actions=ACTIONS)
        for mask in (
            batch.targets.policy_mask,
            batch.targets.value_mask,
            batch.targets.reward_mask,
        ):
            mask[:, :2] = 0
        before = learner.learned_params()["representation_weight_0"]
        learner.update(observations[:1], batch, values, 1.0)
        gradients.append(learner.learned_params()["representation_weight_0"] - before)
    assert gradients[1] == pytest.approx(gradients[0] / 4, abs=1e-6)
    assert np.abs(gradients[0]).max() > 1e-3


def test_first_weights_of_he_keep_the_size_of_signals() -> None:
    """Half of the units of a wide layer are silent, and twice the variance makes up for it."""
    settings = small(hidden_dim=400, hidden_size=300)
    rng = np.random.default_rng(7)
    layers = widths_of(settings, 200, ACTIONS)
    (first, bias), (second, _) = layers.views(initial(layers, rng, "he"))["representation"]
    x = rng.normal(size=(500, 200))
    y = np.maximum(np.maximum(x @ first, 0) @ second, 0)
    assert not bias.any()
    assert np.mean(y**2) == pytest.approx(np.mean(x**2), rel=0.15)


def test_outcomes_of_games_have_bins_of_their_own() -> None:
    for support in supports(small(value_support=1, reward_support=1, scalar_transform=False)):
        assert support.encode(np.array([-1.0, 0.0, 1.0])).tolist() == np.eye(3).tolist()
