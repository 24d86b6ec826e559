"""Networks for pictures, observations as they are stored and read, and the optimizers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import msgspec
import numpy as np
import pytest
import torch
from batches import small, some_batch
from gymnasium.spaces import Box, Discrete
from torch import nn

from agents.base import AgentRefused
from agents.muzero.actions import DiscreteActions
from agents.muzero.building import build_learner, network_kind
from agents.muzero.checks import check_spaces, warn_of_untrained_heads
from agents.muzero.networks import Network, rescaled
from agents.muzero.observations import Observations
from agents.muzero.optimizers import Optimizer
from agents.muzero.settings import MuZeroSettings
from agents.muzero.torch_building import picture_network
from agents.muzero.torch_learner import TorchLearner
from agents.muzero.torch_optimizer import DeviceOptimizer, Vector

ACTIONS = 3
MINATAR: gymnasium.Space[Any] = Box(0, 1, (10, 10, 4), np.bool_)
ATARI = Box(0, 255, (4, 84, 84), np.uint8)


def network_for(space: gymnasium.Space[Any], kind: str, **options: Any) -> Network:
    settings = small(**({"hidden_size": 4} | options))
    network = picture_network(
        settings, kind, Observations(space), ACTIONS, np.random.default_rng(0)
    )
    return network.eval()


@pytest.mark.parametrize(
    ("space", "kind", "side"),
    [
        (MINATAR, "minatar", 5),
        (ATARI, "atari", 6),
        (Box(0, 255, (4, 96, 96, 3), np.uint8), "atari", 6),
    ],
)
@pytest.mark.parametrize("film", [False, True])
def test_states_of_pictures_lie_between_0_and_1(
    space: gymnasium.Space[Any], kind: str, side: int, film: bool
) -> None:
    network = network_for(space, kind, film=film)
    observations = Observations(space)
    seen = observations.read(observations.stored([space.sample() for _ in range(2)]))
    picture = observations.picture
    assert picture is not None
    states = network.represent(torch.from_numpy(seen).view(2, *picture))
    assert states.shape == (2, 4, side, side)
    after = [network.step(states, torch.tensor([action] * 2)) for action in range(2)]
    for some in (states, *after):
        assert some.flatten(1).amin(1).tolist() == [0.0, 0.0]
        assert some.flatten(1).amax(1).tolist() == pytest.approx([1.0, 1.0])
    assert not torch.allclose(after[0], after[1])
    # heads begin with nothing to say
    logits, values = network.predict(states)
    assert [one.abs().max().item() for one in (logits, values, network.rewards(states))] == [0] * 3


@pytest.mark.parametrize(("side", "reached"), [(64, 4), (84, 5), (96, 6)])
def test_large_strides_end_about_where_residual_blocks_do(side: int, reached: int) -> None:
    space = Box(0, 255, (4, side, side), np.uint8)
    network = network_for(space, "atari", stem="strided")
    states = network.represent(torch.rand(2, side, side, 4))
    assert states.shape == (2, 4, reached, reached)
    assert network.step(states, torch.tensor([0, 1])).shape == states.shape
    residual = network_for(space, "atari").represent(torch.rand(1, side, side, 4))
    assert abs(residual.shape[2] - reached) <= 1


@pytest.mark.parametrize("normalization", ["none", "layer", "batch"])
def test_acting_on_one_is_acting_on_it_among_others(normalization: str) -> None:
    network = network_for(MINATAR, "minatar", normalization=normalization)
    pictures = torch.rand(3, 10, 10, 4)
    together = network.step(network.represent(pictures), torch.tensor([0, 1, 2]))
    alone = network.step(network.represent(pictures[1:2]), torch.tensor([1]))
    assert torch.allclose(alone[0], together[1], atol=1e-5)


def test_a_constant_state_is_no_division_by_zero() -> None:
    x = torch.full((2, 3), 7.0, requires_grad=True)
    states = rescaled(x)
    assert states.tolist() == [[0.0] * 3] * 2
    states.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_a_learner_of_pictures_learns_its_batch() -> None:
    settings = small(hidden_size=4, jumps=2, normalization="batch")
    learner = build_learner(
        settings,
        Observations(MINATAR),
        DiscreteActions(Discrete(ACTIONS)),
        np.random.default_rng(0),
        "cpu",
        8,
    )
    assert isinstance(learner, TorchLearner)
    observations, batch, values = some_batch(
        np.random.default_rng(1), settings, inputs=400, actions=ACTIONS
    )
    losses = [learner.update(observations, batch, values, 0.01).losses for _ in range(30)]
    for name in ("policy_loss", "value_loss", "reward_loss"):
        assert losses[-1][name] < losses[0][name]


def test_a_learner_reads_bytes_as_searches_do() -> None:
    settings = small(hidden_size=4, jumps=2, ssl="consistency")
    observations = Observations(ATARI)
    _, batch, values = some_batch(
        np.random.default_rng(1), settings, inputs=observations.width, actions=ACTIONS
    )
    B = len(batch.starts)
    stored = np.random.default_rng(2).integers(256, size=(3, B, observations.width))
    stored = stored.astype(np.uint8)
    losses = []
    for seen in (stored, observations.read(stored)):
        learner = build_learner(
            settings,
            observations,
            DiscreteActions(Discrete(ACTIONS)),
            np.random.default_rng(0),
            "cpu",
            8,
        )
        losses.append(learner.update(seen, batch, values, 0.01).losses)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize(
    ("space", "kind"),
    [(Box(-1, 1, (7,)), "mlp"), (Discrete(5), "mlp"), (MINATAR, "minatar"), (ATARI, "atari")],
)
def test_the_network_fits_the_observation(space: gymnasium.Space[Any], kind: str) -> None:
    assert network_kind(small(), Observations(space)) == kind
    assert network_kind(small(network="mlp"), Observations(space)) == "mlp"


def test_observations_are_stored_as_small_as_they_are() -> None:
    pictures = Observations(ATARI)
    stored = pictures.stored([ATARI.sample() for _ in range(2)])
    assert stored.dtype == np.uint8
    assert stored.shape == (2, 84 * 84 * 4)
    assert pictures.read(stored) == pytest.approx(stored / 255)
    bits = Observations(MINATAR)
    read = bits.read(bits.stored([np.ones((10, 10, 4), bool)]))
    assert read.dtype == np.float32
    assert set(read.ravel().tolist()) == {1.0}
    discrete = Observations(Discrete(3, start=5))
    assert discrete.read(discrete.stored([5, 7])).tolist() == [[1, 0, 0], [0, 0, 1]]
    vector = Observations(Box(-1, 1, (2,), np.float64))
    assert vector.stored([[0.5, 1.0]]).dtype == np.float32
    with pytest.raises(AgentRefused, match="box or a discrete"):
        Observations(gymnasium.spaces.MultiBinary(3))


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_both_optimizers_take_torchs_steps(name: str) -> None:
    settings = small(
        optimizer=name, weight_decay=0.1, betas=(0.8, 0.9), max_grad_norm=None, adam_eps=1e-3
    )
    start = torch.linspace(-1, 1, 7)
    module = nn.Linear(7, 1, bias=False)
    module.weight.data = start.clone().view(1, 7)
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    parameters = [start.clone().requires_grad_()]
    if name == "sgd":
        theirs: torch.optim.Optimizer = torch.optim.SGD(
            parameters, 0.1, momentum=0.8, weight_decay=0.1
        )
    else:
        theirs = kinds[name](parameters, 0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)
    compiled = start.numpy().copy()
    optimizer = Optimizer(settings, compiled)
    vector = Vector(module)
    on_device = DeviceOptimizer(settings, vector)
    for step in range(5):
        gradients = torch.sin(torch.arange(7.0) + step)
        parameters[0].grad = gradients.clone()
        theirs.step()
        vector.gradients.copy_(gradients)
        norms = optimizer.step(gradients.numpy().copy(), 0.1), on_device.step(0.1)
        assert norms == pytest.approx([gradients.norm().item()] * 2)
    expected = parameters[0].detach().numpy()
    assert compiled == pytest.approx(expected, abs=1e-6)
    assert module.weight.detach().numpy()[0] == pytest.approx(expected, abs=1e-6)


def test_what_pictures_are_not_is_refused() -> None:
    for options, space in (
        ({"grayscale": True}, Box(0, 255, (4, 84, 84, 3), np.uint8)),
        ({"framestack": 3}, ATARI),
        ({"framestack": 4}, Box(-1, 1, (4,))),
    ):
        with pytest.raises(AgentRefused, match="environment file's atari"):
            check_spaces(small(**options), space, Discrete(2))
    check_spaces(small(grayscale=True, framestack=4), ATARI, Discrete(2))


@pytest.mark.parametrize("head", ["policy", "value", "reward"])
def test_a_head_that_nothing_trains_is_warned_of(head: str) -> None:
    with pytest.warns(UserWarning, match=f"the {head} of a head that nothing trains"):
        warn_of_untrained_heads(small(**{f"{head}_loss_weight": 0.0}))


def test_flags_of_the_original_are_known() -> None:
    flags = (
        "grayscale framestack num_envs batch_size_per_worker buffer_size target_update_interval "
        "replay_ratio prioritized input_priorities priority_exponent priority_weight jumps "
        "multistep discount num_simulations eval_simulations c1 dirichlet_alpha visit_temp "
        "value_loss_weight policy_loss_weight reward_loss_weight contrastive_loss_weight "
        "entropy_loss_weight no_nce use_all_targets grad_scale_factor dynamics_blocks "
        "hidden_size film no_search_value_targets local_target_net reanalyze num_reanalyze_envs "
        "evaluation_episodes evaluation_interval seed savedir"
    )
    known = {field.name for field in msgspec.structs.fields(MuZeroSettings)}
    assert set(flags.split()) <= known


def test_dense_networks_need_no_torch() -> None:
    program = (
        "import sys, agents;"
        "import agents.muzero.dense_learner, agents.muzero.building;"
        "agents.agent_type('MuZero');"
        "sys.exit('torch' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0


def test_one_vector_holds_convolutions_as_they_lie_in_memory() -> None:
    network = network_for(ATARI, "atari")
    before = {name: one.clone() for name, one in network.state_dict().items()}
    vector = Vector(network)
    for name, one in network.state_dict().items():
        assert torch.equal(one, before[name])
    (first, *_) = (one for one in network.parameters() if one.dim() == 4)
    assert first.is_contiguous(memory_format=torch.channels_last)
    vector.values.zero_()
    vector.gradients.fill_(1)
    assert not first.any()
    assert first.grad is not None
    assert bool((first.grad == 1).all())
