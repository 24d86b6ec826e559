"""Actions as models read them."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.base import AgentRefused
from agents.encoders.actions import ActionCode

RACING = gymnasium.spaces.Box(np.array([-1, 0, 0]), np.array([1, 1, 1]), dtype=np.float32)


def test_boxes_are_scaled_to_between_minus_1_and_1() -> None:
    code = ActionCode(RACING)
    assert code.size == 3
    actions = np.array([[-1, 0, 1], [0, 0.5, 0.25]], np.float32)
    assert code.encode(actions).tolist() == [[-1, -1, 1], [0, 0, -0.5]]
    np.testing.assert_array_equal(code.decode(code.encode(actions)), actions)


def test_discrete_actions_are_one_hot_and_the_greatest_score_is_done() -> None:
    code = ActionCode(gymnasium.spaces.Discrete(3, start=1))
    assert code.encode(np.array([[1, 3]])).tolist() == [[[1, 0, 0], [0, 0, 1]]]
    assert code.decode(np.array([[0.2, 0.9, 0.1]])).tolist() == [2]


@pytest.mark.parametrize(
    "space",
    [
        RACING,
        gymnasium.spaces.Box(-3, 5, (2, 2), np.float32),
        gymnasium.spaces.Box(0, 0, (1,), np.float32),
        gymnasium.spaces.Discrete(4, start=-2),
    ],
)
@given(seed=st.integers(0, 2**32))
def test_models_read_what_outputs_of_controllers_do(
    space: gymnasium.Space[object], seed: int
) -> None:
    code = ActionCode(space)
    outputs = np.random.default_rng(seed).normal(size=(5, code.size)).astype(np.float32)
    actions = code.decode(outputs)
    assert all(action in space for action in actions)
    if not (isinstance(space, gymnasium.spaces.Box) and (space.high == space.low).all()):
        read = code.code(torch.from_numpy(outputs)).numpy()
        np.testing.assert_allclose(code.encode(actions), read, atol=1e-6)


def test_whole_numbers_in_a_box_are_rounded() -> None:
    code = ActionCode(gymnasium.spaces.Box(0, 4, (1,), np.int64))
    assert code.decode(np.array([[-1.0], [0.2], [1.0]])).tolist() == [[0], [2], [4]]


def test_a_box_without_bounds_is_refused() -> None:
    with pytest.raises(AgentRefused, match="bounds"):
        ActionCode(gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float32))
