"""The grid worlds: their shortest ways and numbers of states, their rules, their pictures."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from envs.own.beacon import MoveToBeacon
from envs.own.key_door import Corridor, Maze0, Maze1, Maze2, Maze3, Maze20, Maze32, MazeL, MazeR
from envs.registration import register

GRIDS = [
    *(f"KeyDoor{name}" for name in ("Corridor", "Maze0", "Maze1", "Maze2", "Maze3")),
    *(f"KeyDoor{name}" for name in ("MazeR", "MazeL", "Maze20", "Maze32")),
    "MoveToBeacon",
]


def search(env: Any) -> tuple[int, int]:
    """Breadth first: (moves to the first reward of 1, states that an episode goes on from)."""
    env.reset(seed=0)
    frontier, seen, moves, shortest = [env._state], {env._state}, 0, -1
    while frontier:
        moves += 1
        following = []
        for state in frontier:
            for action in range(env.action_space.n):
                env._state = state
                _, reward, terminated, _, _ = env.step(action)
                if reward == 1 and shortest < 0:
                    shortest = moves
                if not terminated and env._state not in seen:
                    seen.add(env._state)
                    following.append(env._state)
        frontier = following
    return shortest, len(seen)


@pytest.mark.parametrize(
    ("kind", "shortest", "states"),
    [
        (Corridor, 13, 14),
        (Maze0, 21, 126),
        (Maze1, 21, 118),
        (Maze2, 21, 112),
        (Maze3, 27, 106),
        (MazeR, 25, 106),
        (MazeL, 15, 106),
        (Maze20, 36, 582),
        (Maze32, 62, 1608),
    ],
)
def test_shortest_way_and_number_of_states(kind: Any, shortest: int, states: int) -> None:
    assert search(kind(observation="compact")) == (shortest, states)


def test_where_the_things_of_the_large_mazes_are() -> None:
    for maze, hero, key, door in (
        (Maze20(), (5, 2), (13, 15), (15, 2)),
        (Maze32(), (7, 5), (23, 26), (27, 5)),
    ):
        assert (maze._start, maze._key, maze._door) == (hero, key, door)


@pytest.mark.parametrize("observation", ["rgb", "compact", "basic"])
@pytest.mark.parametrize("name", GRIDS)
def test_gymnasium_finds_nothing_wrong(name: str, observation: str) -> None:
    register()
    env = gymnasium.make(f"sweep/{name}-v1", observation=observation)
    assert env.spec is not None
    assert env.spec.max_episode_steps == 200
    check_env(env.unwrapped, skip_render_check=True)


class TestRules:
    def test_a_wall_of_a_maze_ends_the_episode(self) -> None:
        env = Maze0(observation="compact")
        env.reset()
        _, reward, terminated, truncated, _ = env.step(env.action_names.index("WEST"))
        assert (reward, terminated, truncated) == (-1.0, True, False)

    def test_a_wall_of_the_corridor_stops_a_move(self) -> None:
        env = Corridor(observation="compact")
        env.reset()
        steps = [env.step(0) for _ in range(3)]
        # nor does the door open without the key
        assert [step[1:3] for step in steps] == [(0.0, False)] * 3
        assert env._state == (1, 4, 0)

    @pytest.mark.parametrize("key_reward", [0.0, 1.0])
    def test_the_key_pays_once_and_the_door_with_it_ends(self, key_reward: float) -> None:
        env = Corridor(observation="compact", key_reward=key_reward)
        env.reset()
        rewards = [env.step(1)[1] for _ in range(6)]
        assert rewards == [0, 0, 0, 0, 0, key_reward]
        assert env.step(1)[1] == 0
        steps = [env.step(0) for _ in range(7)]
        assert [step[1] for step in steps] == [0] * 6 + [1]
        assert steps[-1][2]

    def test_north_is_up(self) -> None:
        env = Maze0(observation="compact")
        env.reset()
        ways = []
        for name in ("NORTH", "NOOP"):
            env.step(env.action_names.index(name))
            ways.append(env._state)
        assert ways == [(1, 7, 0), (1, 7, 0)]

    def test_the_beacon_is_anywhere_but_under_the_hero(self) -> None:
        env = MoveToBeacon(observation="compact")
        env.reset(seed=0)
        starts = set()
        for _ in range(2000):
            env.reset()
            starts.add(env._state)
        assert {state[:2] for state in starts} == {(5, 5)}
        goals = {state[2:] for state in starts}
        assert len(goals) == 99
        assert (5, 5) not in goals

    def test_the_beacon_pays_and_ends(self) -> None:
        env = MoveToBeacon(observation="compact")
        env.reset(seed=0)
        env._state = (5, 5, 6, 5)
        assert env.step(env.action_names.index("NORTH"))[1:3] == (0.0, False)
        env._state = (5, 5, 6, 5)
        assert env.step(env.action_names.index("EAST"))[1:3] == (1.0, True)


class TestPictures:
    def test_the_picture_is_the_map_resized_by_area(self) -> None:
        cv2 = pytest.importorskip("cv2")
        for kind in (Maze3, Maze20, Maze32, MoveToBeacon):
            env = kind()
            picture, _ = env.reset(seed=3)
            colours = env._colours[env._shown()].astype(np.uint8)
            other = cv2.resize(colours, (84, 84), interpolation=cv2.INTER_AREA)
            assert np.abs(picture.astype(int) - other).max() <= 1

    def test_colours(self) -> None:
        picture, _ = Maze0().reset()

        def at(x: int, y: int) -> tuple[int, ...]:
            return tuple(picture[int((y + 0.5) * 8.4), int((x + 0.5) * 8.4)].tolist())

        assert at(0, 0) == (155, 155, 155)
        assert at(1, 1) == (0, 255, 0)
        assert at(8, 1) == (255, 0, 0)
        assert at(1, 8) == (0, 0, 255)
        assert at(5, 5) == (0, 0, 0)

    def test_drawing_to_an_array(self) -> None:
        env = MazeR(render_mode="rgb_array")
        env.reset()
        picture = env.render()
        assert picture is not None
        assert picture.shape == (400, 400, 3)
        assert picture[60, 60].tolist() == [0, 255, 0]
        env.close()

    def test_drawing_to_a_window(self) -> None:
        env = MoveToBeacon(render_mode="human")
        env.reset(seed=0)
        env.step(0)
        env.close()


def test_basic_atoms_say_what_each_cell_shows() -> None:
    env = Maze0(observation="basic")
    observation, _ = env.reset()
    atoms = env.basic_atoms()
    assert np.flatnonzero(observation).tolist() == atoms.tolist()
    assert (atoms // len(env.kinds)).tolist() == list(range(100))
    kinds = [env.kinds[kind] for kind in atoms % len(env.kinds)]
    assert "".join(kinds) == "".join(env.map.split())
    env._state = (1, 1, 1)  # with the key, on the door: neither is to be seen
    kinds = [env.kinds[kind] for kind in env.basic_atoms() % len(env.kinds)]
    assert kinds[11] == "H"
    assert not {"K", "D"} & set(kinds)
