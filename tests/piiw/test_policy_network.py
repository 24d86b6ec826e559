"""The policy network is that of Mnih et al. (2013), and its two forward passes are one function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from agents.piiw.network import Architecture, PolicyNetwork
from agents.piiw.single import SinglePass

ACTIONS = 5
PICTURE = (44, 52, 3)


def network(picture: tuple[int, int, int] | None = PICTURE, **named: Any) -> PolicyNetwork:
    inputs = 7 if picture is None else int(np.prod(picture))
    scale = named.pop("input_scale", 1.0)
    init = named.pop("init", "torch")
    architecture = Architecture(picture, inputs, 12, ACTIONS, **named)
    return PolicyNetwork(architecture, init, np.random.default_rng(3), input_scale=scale)


def observations(one: PolicyNetwork, batch: int = 6) -> np.ndarray:
    rng = np.random.default_rng(8)
    picture = one.architecture.picture
    if picture is None:
        return rng.normal(size=(batch, one.architecture.inputs)).astype(np.float32)
    return rng.integers(256, size=(batch, *picture)).astype(np.uint8)


def textbook(one: PolicyNetwork, x: Tensor) -> Tensor:
    """The logits by torch's modules, in the order in which torch keeps channels."""
    height, width, channels = PICTURE
    modules: list[Any] = [
        nn.Conv2d(channels, 16, 8, 4),
        nn.Conv2d(16, 32, 4, 2),
        nn.Linear(one.architecture.convolved, one.architecture.units),
        nn.Linear(one.architecture.units, ACTIONS),
    ]
    names = ("conv1", "conv2", "fc", "policy")
    rows, columns = (((side - 8) // 4 - 3) // 2 + 1 for side in (height, width))
    with torch.no_grad():
        for module, name in zip(modules, names, strict=True):
            weight = one.parameters[f"{name}.weight"]
            if name.startswith("conv"):
                weight = weight.permute(3, 2, 0, 1)
            elif name == "fc":  # channels first
                maps = weight.reshape(rows, columns, 32, -1).permute(2, 0, 1, 3)
                weight = maps.reshape(weight.shape).T
            else:
                weight = weight.T
            module.weight.copy_(weight)
            module.bias.copy_(one.parameters[f"{name}.bias"])
        x = functional.relu(modules[1](functional.relu(modules[0](x.permute(0, 3, 1, 2)))))
        logits: Tensor = modules[3](functional.relu(modules[2](x.flatten(1))))
        return logits


def test_logits_are_those_of_the_published_network() -> None:
    one = network(input_scale=1 / 255)
    x = torch.from_numpy(observations(one))
    torch.testing.assert_close(
        one.forward(x).logits.detach(), textbook(one, x.float() / 255), rtol=1e-4, atol=1e-5
    )


def test_the_size_of_the_network_on_atari() -> None:
    shapes = Architecture((84, 84, 4), 84 * 84 * 4, 256, 6).shapes
    assert shapes["conv1.weight"] == (8, 8, 4, 16)
    assert shapes["conv2.weight"] == (4, 4, 16, 32)
    assert shapes["fc.weight"] == (9 * 9 * 32, 256)
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 677_686


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(20, 60),
    width=st.integers(20, 60),
    channels=st.integers(1, 4),
    values=st.sampled_from([0, 1, 9]),
    normalised=st.booleans(),
    scale=st.sampled_from([1.0, 1 / 255]),
)
def test_one_observation_gives_what_a_batch_gives(
    height: int, width: int, channels: int, values: int, normalised: bool, scale: float
) -> None:
    one = network(
        (height, width, channels), values=values, normalised=normalised, input_scale=scale
    )
    check_single(one)


def test_one_vector_gives_what_a_batch_gives() -> None:
    for normalised in (False, True):
        check_single(network(None, values=3, normalised=normalised))


def check_single(one: PolicyNetwork) -> None:
    single, x = SinglePass(one), observations(one)
    single(x[0])
    with torch.no_grad():  # the pass has to notice that parameters and statistics change
        one.values.add_(0.01 * torch.randn(one.values.shape, generator=torch.Generator()))
        one.forward(torch.from_numpy(x), training=True)
        one.version += 1
        batch = one.forward(torch.from_numpy(x))
    for i in range(len(x)):
        got = single(x[i])
        expected = [batch.logits[i], batch.hidden[i]]
        expected += [] if batch.value is None else [batch.value[i]]
        for mine, theirs in zip(got, expected, strict=False):
            np.testing.assert_allclose(mine, theirs.numpy(), rtol=2e-4, atol=2e-4)
        assert np.array_equal(got.hidden > 1e-3, batch.hidden[i].numpy() > 1e-3)


def test_channels_may_come_first_in_memory() -> None:
    one = network()
    single, x = SinglePass(one), observations(one)[0]
    expected = [part.copy() for part in single(x)]
    turned = np.ascontiguousarray(x.transpose(2, 0, 1)).transpose(1, 2, 0)
    for mine, theirs in zip(single(turned), expected, strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("init", ["torch", "glorot"])
def test_initial_weights_have_the_spread_that_they_are_named_for(init: str) -> None:
    weights = network((84, 84, 3), init=init)
    fc, bias = weights.array("fc.weight"), weights.array("fc.bias")
    bound = 1 / np.sqrt(2592) if init == "torch" else np.sqrt(6 / (2592 + 12))
    assert bound * 0.99 < np.abs(fc).max() <= bound
    assert abs(fc.mean()) < bound / 50
    assert (np.abs(bias).max() > 0) == (init == "torch")
    kernel = weights.array("conv2.weight")
    bound = 1 / 16 if init == "torch" else np.sqrt(6 / (16 * (16 + 32)))
    assert bound * 0.99 < np.abs(kernel).max() <= bound


def test_what_is_learned_can_be_taken_to_another_network() -> None:
    one, other = network(values=2, normalised=True), network(values=2, normalised=True)
    x = torch.from_numpy(observations(one))
    with torch.no_grad():
        one.values.mul_(1.3)
        one.forward(x, training=True)
    other.set_params(one.learned_params())
    assert torch.equal(other.forward(x).logits, one.forward(x).logits)
    with pytest.raises(ValueError, match=r"policy\.weight has shape \[12, 5\], not \[12, 4\]"):
        PolicyNetwork(
            Architecture(PICTURE, int(np.prod(PICTURE)), 12, 4), "torch", np.random.default_rng(0)
        ).set_params(one.learned_params())
