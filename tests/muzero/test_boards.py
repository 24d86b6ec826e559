"""The network for board games, what it is told of actions, and boards that look alike."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from batches import small, some_batch
from gymnasium.spaces import Box, Discrete

from agents.base import AgentRefused
from agents.muzero.action_planes import planes_of
from agents.muzero.actions import DiscreteActions
from agents.muzero.board import BoardNetwork
from agents.muzero.building import build_learner, network_kind
from agents.muzero.lines import Lines, lines_of
from agents.muzero.observations import Observations
from agents.muzero.schedules import temperatures
from agents.muzero.symmetries import Symmetries, symmetries_of
from agents.muzero.torch_learner import TorchLearner

CONNECT4: gymnasium.Space[Any] = Box(0, 1, (6, 7, 2), np.bool_)
TICTACTOE: gymnasium.Space[Any] = Box(0, 1, (3, 3, 2), np.bool_)


def board(**options: Any) -> BoardNetwork:
    torch.manual_seed(0)
    wanted = {
        "line": 4,
        "channels": 4,
        "blocks": 1,
        "hidden": 8,
        "reward_bins": 3,
        "value_bins": 3,
        "normalization": "batch",
    }
    return BoardNetwork((6, 7, 2), 7, **(wanted | options)).eval()  # type: ignore[arg-type]


def learner_for(space: gymnasium.Space[Any], actions: int, **options: Any) -> TorchLearner:
    settings = small(network="board", hidden_size=4, **options)
    observations, rng = Observations(space), np.random.default_rng(0)
    learner = build_learner(
        settings, observations, DiscreteActions(Discrete(actions)), rng, "cpu", 8
    )
    assert isinstance(learner, TorchLearner)
    return learner


# -- lines


def test_connect_four_has_69_lines_and_tic_tac_toe_8() -> None:
    four, three = lines_of(6, 7, 4), lines_of(3, 3, 3)
    assert len(four) == 69
    assert len(three) == 8
    assert set(four.sum(1)) == {4}
    assert len(np.unique(four, axis=0)) == 69
    assert (three @ np.eye(3).ravel()).max() == 3  # a diagonal is one


def test_a_board_too_small_for_a_line_is_refused() -> None:
    with pytest.raises(AgentRefused, match="line_length 4: no line of 4 cells on a board of 3 x 3"):
        learner_for(TICTACTOE, 9)


def test_a_line_reads_the_sum_of_its_cells_and_tells_each_of_them() -> None:
    lines = Lines(lines_of(3, 3, 3), 1, 1)
    layer = lines.get_submodule("_weight")
    with torch.no_grad():
        layer.weight.fill_(1)  # type: ignore[operator]
        layer.bias.fill_(-2)  # type: ignore[operator]
    cells = torch.zeros(1, 1, 3, 3)
    cells[0, 0, 1] = 1  # the row in the middle is full
    features = lines(cells)
    assert features.sum().item() == 1
    assert lines.told(features, cells.shape[2:])[0, 0].tolist() == [[0] * 3, [1] * 3, [0] * 3]


# -- what the network is told of actions


def test_a_column_is_a_column_of_ones_and_a_cell_is_a_one() -> None:
    columns, cells, others = planes_of((6, 7), 7), planes_of((3, 3), 9), planes_of((3, 3), 4)
    assert columns.shape == (7, 1, 6, 7)
    assert columns[2, 0].sum(0).tolist() == [0, 0, 6, 0, 0, 0, 0]
    assert cells.shape == (9, 1, 3, 3)
    assert np.argwhere(cells[5, 0]).tolist() == [[1, 2]]
    assert others.shape == (4, 4, 3, 3)
    assert others[1].reshape(4, -1).sum(1).tolist() == [0, 9, 0, 0]


def test_a_move_changes_what_is_near_to_its_column() -> None:
    network = board()
    states = network.represent(torch.zeros(2, 6, 7, 2))
    left, right = network.step(states, torch.tensor([0, 6]))
    assert left.shape == (4, 6, 7)
    assert torch.equal(left[:, :, 3], right[:, :, 3])
    assert not torch.equal(left[:, :, 0], right[:, :, 0])


# -- the network


def test_every_cell_keeps_its_place_and_heads_begin_with_nothing_to_say() -> None:
    network = board()
    states = network.represent(torch.rand(3, 6, 7, 2))
    assert states.shape == (3, 4, 6, 7)
    logits, values = network.predict(states)
    assert (logits.shape, values.shape) == ((3, 7), (3, 3))
    assert [one.abs().max().item() for one in (logits, values, network.rewards(states))] == [0] * 3


@pytest.mark.parametrize("cell", [(0, 0), (5, 6), (2, 3)])
def test_rewards_see_every_cell(cell: tuple[int, int]) -> None:
    network = board(normalization="none", channels=8)
    outputs = network.get_submodule("_reward._outputs")
    with torch.no_grad():
        outputs.weight.normal_()  # type: ignore[operator]
    boards = torch.ones(2, 6, 7, 2)
    boards[1, cell[0], cell[1]] = -9
    rewards = network.rewards(network.represent(boards))
    assert not torch.allclose(rewards[0], rewards[1])


@pytest.mark.parametrize("autocast", [False, True])
def test_it_learns_its_batch(autocast: bool) -> None:
    learner = learner_for(CONNECT4, 7, jumps=2, autocast=autocast)
    settings = learner.settings
    observations, batch, values = some_batch(
        np.random.default_rng(1), settings, inputs=84, actions=7
    )
    losses = [learner.update(observations, batch, values, 0.01).losses for _ in range(30)]
    for name in ("policy_loss", "value_loss", "reward_loss"):
        assert losses[-1][name] < losses[0][name]
    assert {array.dtype for array in learner.learned_params().values()} <= {
        np.dtype(np.float32),
        np.dtype(np.int64),
    }
    learner.renew_target()
    of_searches = learner.online.values(observations[0])
    learner.online.precision = "bfloat16" if autocast else "float32"
    expected = learner.online.values(observations[0])
    assert np.array_equal(learner.target.values(observations[0]), expected)
    assert np.array_equal(expected, of_searches) is not autocast


def test_it_is_chosen_by_name_alone() -> None:
    assert network_kind(small(), Observations(CONNECT4)) == "minatar"
    assert network_kind(small(network="board"), Observations(CONNECT4)) == "board"
    with pytest.raises(AgentRefused, match='network "board" needs pictures of 2 pixels'):
        network_kind(small(network="board"), Observations(Box(0, 1, (84,))))


# -- symmetries


@pytest.mark.parametrize(
    ("picture", "actions", "square", "count"),
    [((6, 7, 2), 7, False, 2), ((3, 3, 2), 9, False, 2), ((3, 3, 2), 9, True, 8)],
)
def test_a_move_and_its_board_are_turned_alike(
    picture: tuple[int, int, int], actions: int, square: bool, count: int
) -> None:
    found = Symmetries(picture, actions, square=square)
    assert len(np.unique(found.observations, axis=0)) == count
    planes = planes_of(picture[:2], actions)[:, 0]
    for whence, policy, renamed in zip(
        found.observations, found.actions, found.renamed, strict=True
    ):
        for action in range(actions):
            seen = np.repeat(planes[action][..., None], picture[2], 2).ravel()[whence]
            turned = seen.reshape(picture)[..., 0]
            assert np.array_equal(turned, planes[renamed[action]])
            assert np.eye(actions)[action][policy].argmax() == renamed[action]


def test_each_sequence_of_a_batch_is_in_one_symmetry_from_beginning_to_end() -> None:
    settings = small(jumps=2)
    rng = np.random.default_rng(0)
    _, batch, _ = some_batch(rng, settings, inputs=84, actions=7)
    B = len(batch.starts)
    boards = rng.integers(2, size=(3, B, 6, 7, 2)).astype(np.float32)
    seen, drawn = Symmetries((6, 7, 2), 7, square=False).drawn(boards.reshape(3, B, 84), batch, rng)
    mirrored = (drawn.actions != batch.actions).any(1)
    assert 0 < mirrored.sum() < B
    for b in range(B):
        flip = slice(None, None, -1 if mirrored[b] else 1)
        assert np.array_equal(seen.reshape(boards.shape)[:, b], boards[:, b, :, flip])
        assert np.array_equal(drawn.policies[b], batch.policies[b][:, flip])
        expected = 6 - batch.actions[b] if mirrored[b] else batch.actions[b]
        assert np.array_equal(drawn.actions[b], expected)


@pytest.mark.parametrize(
    ("space", "actions", "kind", "message"),
    [
        (CONNECT4, 7, "square", "needs square boards, an action for each cell"),
        (CONNECT4, 5, "mirror", "needs boards, an action for each of their columns or cells"),
        (Box(0, 1, (84,)), 7, "mirror", "needs boards"),
    ],
)
def test_symmetries_that_are_not_there_are_refused(
    space: gymnasium.Space[Any], actions: int, kind: str, message: str
) -> None:
    chosen = small(symmetries=kind)
    with pytest.raises(AgentRefused, match=message):
        symmetries_of(chosen, Observations(space), DiscreteActions(Discrete(actions)))


# -- openings


def test_after_the_opening_the_most_visited_move_is_done() -> None:
    settings = small(opening_moves=4, visit_temp=((0.0, 1.0), (0.5, 0.25)))
    assert np.array_equal(temperatures(settings, 0.1, [0, 3, 4, 20]), [1, 1, 0, 0])
    assert np.array_equal(temperatures(settings, 0.9, [3, 4]), [0.25, 0])
    assert temperatures(small(visit_temp=0.5), 0.1, [0, 99]) == 0.5
