"""Board games of two: their rules, who plays them how well, and what an agent sees of them."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.errors import EnvironmentRefused
from envs.factory import make
from envs.own.board_games import BoardGame, Connect4, TicTacToe
from envs.own.board_players import (
    PerfectPlayer,
    Player,
    RandomPlayer,
    RolloutPlayer,
    RulePlayer,
    outcome,
)
from envs.own.board_rules import Connect4 as Connect4Rules
from envs.own.board_rules import Position, Rules
from envs.own.board_rules import TicTacToe as TicTacToeRules
from envs.registration import register
from envs.settings import EnvironmentSettings

GAMES: list[type[BoardGame]] = [TicTacToe, Connect4]
RULES: dict[type[Rules], int] = {TicTacToeRules: 3, Connect4Rules: 4}
MIDDLE = (3, 2, 1, 0, 1, 2, 3)


def lines(board: np.ndarray, length: int) -> bool:
    """Whether bool [rows, columns] has so many in a line, looked for cell by cell."""
    rows, columns = board.shape
    for row, column, (down, right) in itertools.product(
        range(rows), range(columns), [(0, 1), (1, 0), (1, 1), (1, -1)]
    ):
        cells = [(row + i * down, column + i * right) for i in range(length)]
        if all(0 <= r < rows and 0 <= c < columns and board[r, c] for r, c in cells):
            return True
    return False


@pytest.mark.parametrize("rules", RULES)
@settings(max_examples=15)
@given(draws=st.data())
def test_rules_are_those_of_the_board(rules: type[Rules], draws: Any) -> None:
    """Random games, each position compared with its picture."""
    position: Position = (0, 0)
    while True:
        mine, theirs = position
        occupied = mine | theirs
        board = rules.board(position)
        assert not board.all(axis=2).any()
        free = np.logical_not(board.any(axis=2))
        assert (occupied == rules.full) == (not free.any())
        for stones, side in ((mine, 0), (theirs, 1)):
            assert rules.won(stones) == lines(board[:, :, side], RULES[rules])
        allowed = free.ravel() if rules is TicTacToeRules else free.any(axis=0)
        assert np.array_equal(rules.mask(occupied), allowed)
        assert rules.moves(occupied) == tuple(np.flatnonzero(allowed))
        assert np.array_equal(rules.flat(position), board.transpose(2, 1, 0).ravel())
        if rules.won(theirs) or occupied == rules.full:
            return
        move = draws.draw(st.sampled_from(rules.moves(occupied)))
        after = rules.board((theirs, mine | rules.stone(move, occupied)))
        changed = np.argwhere(after[:, :, ::-1] != board)
        if rules is TicTacToeRules:
            assert changed.tolist() == [[move // 3, move % 3, 0]]
        else:
            assert changed.tolist() == [[free[:, move].sum() - 1, move, 0]]
        position = (theirs, mine | rules.stone(move, occupied))


@pytest.mark.parametrize("rules", RULES)
def test_every_line_wins_and_none_goes_around_the_edge(rules: type[Rules]) -> None:
    length, found = RULES[rules], 0
    cells = range(64)
    stones = {1 << cell for cell in cells if 1 << cell & rules.full}
    for start, step in itertools.product(cells, (1, 2, 3, 4, 7, 8, 9)):
        line = sum(1 << start + i * step for i in range(length))
        if line & ~rules.full:
            continue
        expected = lines(rules.board((line, 0))[:, :, 0], length)
        assert rules.won(line) == expected
        found += expected
        assert all(not rules.won(line & ~stone) for stone in stones if stone & line)
    # 3 rows, 3 columns, 2 diagonals; 24 across, 21 up, 12 each way aslant
    assert found == (8 if rules is TicTacToeRules else 69)


def play(rules: type[Rules], first: Player, second: Player, rng: np.random.Generator) -> int:
    """1 where the first wins, -1 where the second does, 0 for a draw."""
    position, players = (0, 0), itertools.cycle([(first, 1), (second, -1)])
    while position[0] | position[1] != rules.full:
        player, sign = next(players)
        move = player.move(position, rng)
        mine, theirs = position
        assert move in rules.moves(mine | theirs)
        mine |= rules.stone(move, mine | theirs)
        if rules.won(mine):
            return sign
        position = (theirs, mine)
    return 0


def results(rules: type[Rules], one: Player, other: Player, games: int) -> list[int]:
    """Of `one`, who begins every second game."""
    rng = np.random.default_rng(0)
    return [
        play(rules, one, other, rng) if game % 2 else -play(rules, other, one, rng)
        for game in range(games)
    ]


def test_the_optimal_player_never_loses_and_draws_itself() -> None:
    optimal = PerfectPlayer(TicTacToeRules)
    against_random = results(TicTacToeRules, optimal, RandomPlayer(TicTacToeRules), 500)
    assert min(against_random) == 0
    assert sum(against_random) > 400
    assert set(results(TicTacToeRules, optimal, optimal, 50)) == {0}
    rule = RulePlayer(TicTacToeRules, (1, 2, 1, 2, 0, 2, 1, 2, 1))
    assert min(results(TicTacToeRules, optimal, rule, 200)) == 0


def test_tic_tac_toe_is_a_draw_from_the_start() -> None:
    assert outcome(TicTacToeRules, 0, 0) == 0
    assert outcome(TicTacToeRules, 0b000_000_011, 0b000_110_000) == 1  # one of three is missing


def test_the_optimal_player_plays_every_best_move() -> None:
    rng = np.random.default_rng(0)
    opened = {PerfectPlayer(TicTacToeRules).move((0, 0), rng) for _ in range(200)}
    assert opened == set(range(9))


@pytest.mark.parametrize(
    ("position", "best"),
    [
        ([3, 2, 3, 2, 3, 2], 3),  # three above one another, and it is the first player's turn
        ([2, 2, 3, 3, 4], None),  # open at both ends: every answer loses, one end is blocked
        ([0, 3, 0, 3, 0], 0),  # three of the other's, to be blocked
    ],
)
def test_mate_in_one_is_seen(position: list[int], best: int | None) -> None:
    mine = theirs = 0
    for move in position:
        mine, theirs = theirs, mine | Connect4Rules.stone(move, mine | theirs)
    rng = np.random.default_rng(0)
    rule, rollouts = RulePlayer(Connect4Rules, MIDDLE), RolloutPlayer(Connect4Rules, 300)
    players: list[Player] = [rule, rollouts]
    for player in players:
        move = player.move((mine, theirs), rng)
        assert move == best or (best is None and move in (1, 5))


def test_the_rule_player_does_not_build_what_the_other_wins_on() -> None:
    rule, anybody = RulePlayer(Connect4Rules, MIDDLE), RandomPlayer(Connect4Rules)
    rng, rules, kept = np.random.default_rng(0), Connect4Rules, 0
    for _ in range(40):
        position: Position = (0, 0)
        players: list[Player] = [anybody, rule]
        for player in itertools.cycle(players):
            mine, theirs = position
            occupied = mine | theirs
            if rules.won(theirs) or occupied == rules.full:
                break
            move = player.move(position, rng)
            after = occupied | rules.stone(move, occupied)
            urgent = rules.wins(mine, occupied) or rules.wins(theirs, occupied)
            if player is rule and not urgent:
                lost = [
                    bool(rules.wins(theirs, occupied | rules.stone(other, occupied)))
                    for other in rules.moves(occupied)
                ]
                assert all(lost) or not rules.wins(theirs, after)
                kept += any(lost)
            position = (theirs, mine | rules.stone(move, occupied))
    assert kept > 5


def test_searching_players_beat_those_that_do_not() -> None:
    rollouts = RolloutPlayer(Connect4Rules, 100)
    rule, anybody = RulePlayer(Connect4Rules, MIDDLE), RandomPlayer(Connect4Rules)
    assert sum(results(Connect4Rules, rollouts, anybody, 10)) >= 9
    assert sum(results(Connect4Rules, rule, anybody, 60)) >= 50


# -- as environments


@pytest.mark.parametrize("observation", ["board", "flat", "colours"])
@pytest.mark.parametrize(("name", "opponent"), [
    ("TicTacToe", "self"), ("TicTacToe", "random"), ("TicTacToe", "rule"),
    ("TicTacToe", "optimal"), ("Connect4", "self"), ("Connect4", "mcts"),
])  # fmt: skip
def test_it_keeps_to_gymnasium_s_interface(name: str, opponent: str, observation: str) -> None:
    register()
    kwargs: dict[str, Any] = {"rollouts": 5} if opponent == "mcts" else {}
    env = gymnasium.make(f"sweep/{name}-v1", opponent=opponent, observation=observation, **kwargs)
    check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("game", GAMES)
def test_self_play_is_seen_from_the_side_to_move(game: Any) -> None:
    env = game(opponent="self")
    assert env.players == 2
    observation, info = env.reset(seed=0)
    before = observation
    while True:
        action = env.action_space.sample(mask=info["action_mask"])
        observation, reward, terminated, _, info = env.step(action)
        # what was the other's is mine now, and the other way round
        assert (observation[:, :, 0] == before[:, :, 1]).all()
        assert (observation[:, :, 1] != before[:, :, 0]).sum() == 1
        if terminated:
            assert reward == float(lines(observation[:, :, 1], 3 + (game is Connect4)))
            return
        assert reward == 0.0
        before = observation


@pytest.mark.parametrize("game", GAMES)
def test_by_colours_a_move_changes_one_cell_and_the_turn(game: Any) -> None:
    env = game(opponent="self", observation="colours")
    before, info = env.reset(seed=0)
    assert not before.any()
    terminated, moves = False, 0
    while not terminated:
        action = env.action_space.sample(mask=info["action_mask"])
        observation, _, terminated, _, info = env.step(action)
        stones, new = observation[:-1].reshape(2, -1), (observation - before)[:-1].reshape(2, -1)
        assert new[moves % 2].sum() == new.sum() == 1
        moves += 1
        assert observation[-1] == moves % 2
        assert stones.sum(axis=1).tolist() == [(moves + 1) // 2, moves // 2]
        before = observation


@pytest.mark.parametrize("game", GAMES)
def test_by_colours_who_began_is_known_where_the_other_player_moves_itself(game: Any) -> None:
    for begins, first in (("agent", True), ("opponent", False)):
        env = game(opponent="random", begins=begins, observation="colours")
        observation, _ = env.reset(seed=1)
        assert observation[-1] == (not first)
        assert observation[:-1].sum() == (not first)


def test_who_wins_is_paid_and_ends_the_game() -> None:
    env = TicTacToe(opponent="self")
    env.reset(seed=0)
    for action in (0, 3, 1, 4):
        assert env.step(action)[1:3] == (0.0, False)
    assert env.step(2)[1:3] == (1.0, True)


def test_a_full_board_is_a_draw() -> None:
    env = TicTacToe(opponent="self")
    env.reset(seed=0)
    steps = [env.step(action)[1:3] for action in (0, 1, 2, 4, 3, 5, 7, 6, 8)]
    assert steps == [(0.0, False)] * 8 + [(0.0, True)]


@pytest.mark.parametrize("opponent", ["self", "rule"])
def test_a_move_that_is_not_allowed_loses(opponent: Any) -> None:
    env = Connect4(opponent=opponent, begins="agent" if opponent == "rule" else "either")
    _, info = env.reset(seed=0)
    while info["action_mask"][3]:
        _, reward, terminated, _, info = env.step(3)
        assert (reward, terminated) == (0.0, False)
    assert env.step(3)[1:3] == (-1.0, True)


def test_an_opponent_that_wins_costs_one() -> None:
    """Whoever lets the rule player have three in a line of four loses to it."""
    env = TicTacToe(opponent="rule", begins="agent")
    _, info = env.reset(seed=0)
    rewards = []
    for seed in range(40):
        _, info = env.reset(seed=seed)
        env.action_space.seed(seed)
        over = False
        while not over:
            observation, reward, over, _, info = env.step(
                env.action_space.sample(mask=info["action_mask"])
            )
        rewards.append(reward)
        if reward == -1:
            assert lines(observation[:, :, 1], 3)
    assert rewards.count(-1.0) > 20


@pytest.mark.parametrize(
    ("begins", "stones"), [("agent", {0}), ("opponent", {1}), ("either", {0, 1})]
)
def test_who_begins_can_be_chosen(begins: Any, stones: set[int]) -> None:
    env = Connect4(opponent="rule", begins=begins)
    assert {int(env.reset(seed=seed)[0].sum()) for seed in range(20)} == stones


def test_equal_seeds_give_equal_opponents() -> None:
    games = []
    for _ in range(2):
        env = Connect4(opponent="mcts", rollouts=20)
        _, info = env.reset(seed=5)
        game: list[Any] = []
        over = False
        while not over:
            action = int(np.flatnonzero(info["action_mask"])[0])
            observation, reward, over, _, info = env.step(action)
            game.append((observation.tobytes(), reward))
        games.append(game)
    assert games[0] == games[1]


@pytest.mark.parametrize("game", GAMES)
def test_pictures_have_the_stones(game: Any) -> None:
    """Red is who began, whoever's turn it is."""
    env = game(render_mode="rgb_array", opponent="self")
    env.reset(seed=0)
    empty = env.render()
    env.step(0)
    one = env.render()
    env.step(1)
    two = env.render()
    red, blue = ([200, 60, 50], [60, 100, 180])
    assert not (empty == red).all(axis=2).any()
    assert (one == red).all(axis=2).sum() > 500
    assert not (one == blue).all(axis=2).any()
    assert (two == blue).all(axis=2).sum() == (two == red).all(axis=2).sum()
    column = 400 // env.rules.columns
    assert (one == red).all(axis=2)[:, column:].sum() == 0
    env.close()


@pytest.mark.parametrize(
    ("kwargs", "problem"),
    [
        ({"opponent": "perfect"}, "opponent is one of .*'optimal'.*, not 'perfect'"),
        ({"begins": "me"}, "begins is one of"),
        ({"observation": "rgb"}, "observation is one of"),
        ({"rollouts": 5}, "TicTacToe-v1 does not take it"),
    ],
)
def test_what_there_is_not_is_refused(kwargs: dict[str, Any], problem: str) -> None:
    file = EnvironmentSettings(env_name="sweep/TicTacToe-v1", total_timesteps=10, kwargs=kwargs)
    with pytest.raises(EnvironmentRefused, match=problem):
        make(file)
