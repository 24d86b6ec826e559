"""Features are what a naive reading of their definition gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.base import AgentRefused
from agents.planning.evaluation import Atoms
from agents.planning.features import make_features
from agents.planning.features.b_prost import BProst
from agents.planning.features.basic import CHANGING, AtariBasic, background
from agents.planning.features.dynamic import dynamic_atom_count, dynamic_atoms
from agents.planning.features.pixels import Pixels
from envs.settings import EnvironmentSettings
from envs.simulator import Simulator, make_simulator

NO_BACKGROUND = np.full((210, 160), CHANGING, dtype=np.uint8)
ATARI = {
    "frame_skip": 15,
    "noop_max": 0,
    "repeat_action_probability": 0.0,
    "max_pool": False,
    "resize": "linear",
}


class Showing:
    """Stands where a simulator stands, with one screen."""

    def __init__(self, screen: np.ndarray) -> None:
        self._screen = screen

    def screen(self) -> np.ndarray:
        return self._screen

    def observation(self) -> np.ndarray:
        return self._screen


def screen_of(seed: int, things: int) -> np.ndarray:
    """Rectangles of a few colours."""
    rng = np.random.default_rng(seed)
    screen = np.zeros((210, 160), dtype=np.uint8)
    for _ in range(things):
        y, x = rng.integers(210), rng.integers(160)
        high, wide = rng.integers(1, 40, 2)
        screen[y : y + high, x : x + wide] = 2 * rng.integers(128)
    return screen


def basic_by_hand(screen: np.ndarray, behind: np.ndarray) -> set[int]:
    return {
        (int(y) // 15 * 16 + int(x) // 10) * 128 + int(screen[y, x]) // 2
        for y, x in np.argwhere(screen != behind)
    }


def b_prost_by_hand(now: set[int], before: set[int]) -> tuple[set[Any], set[Any], set[Any]]:
    """BASIC, B-PROS and B-PROT as sets of tuples."""
    space, time = set(), set()
    for one in now:
        tile, colour = divmod(one, 128)
        for other in now:
            place, second = divmod(other, 128)
            apart = (place // 16 - tile // 16, place % 16 - tile % 16)
            opposite = (-apart[0], -apart[1])
            space.add(max((apart, colour, second), (opposite, second, colour)))
        for other in before:
            place, first = divmod(other, 128)
            apart = (tile // 16 - place // 16, tile % 16 - place % 16)
            time.add((apart, first, colour))
    return now, space, time


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), things=st.integers(0, 12), still=st.integers(0, 6))
def test_basic_is_the_colours_of_each_tile(seed: int, things: int, still: int) -> None:
    screen, behind = screen_of(seed, things), NO_BACKGROUND.copy()
    behind[: still * 35] = screen_of(seed, things // 2)[: still * 35]
    atoms = AtariBasic(behind).atoms(Showing(screen), None)  # type: ignore[arg-type]
    assert atoms.dtype == np.int32 and (np.diff(atoms) > 0).all()
    assert set(atoms.tolist()) == basic_by_hand(screen, behind)


def test_counts_are_those_of_the_papers() -> None:
    features = BProst(NO_BACKGROUND)
    assert AtariBasic(NO_BACKGROUND).atom_count == 28_672
    assert features.atom_count == 20_598_848


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), things=st.integers(0, 3))
def test_b_prost_adds_pairs_in_space_and_over_a_step(seed: int, things: int) -> None:
    features = BProst(screen_of(seed, 1))
    before, now = screen_of(seed + 1, things), screen_of(seed + 2, things)
    parent = features.atoms(Showing(before), None)  # type: ignore[arg-type]
    atoms: Atoms = features.atoms(Showing(now), parent)  # type: ignore[arg-type]
    basic, space, time = b_prost_by_hand(
        basic_by_hand(now, screen_of(seed, 1)), basic_by_hand(before, screen_of(seed, 1))
    )
    assert len(set(atoms.tolist())) == len(atoms) == len(basic) + len(space) + len(time)
    names = [features.name(int(atom)) for atom in atoms]
    assert sum(" then " in name for name in names) == len(time)
    in_one_tile = sum(apart == (0, 0) for apart, *_ in space)
    assert sum("two colours in one tile" in name for name in names) == in_one_tile
    for apart, first, second in time:
        expected = f"colour {2 * first} then {2 * second} at [{apart[0]:+d}, {apart[1]:+d}]"
        assert expected in names


def test_b_prost_forgets_the_screen_before() -> None:
    features = BProst(NO_BACKGROUND)
    one, other = (Showing(screen_of(seed, 3)) for seed in (1, 2))
    first = features.atoms(one, None)  # type: ignore[arg-type]
    features.atoms(other, first)  # type: ignore[arg-type]
    assert features.atoms(one, None).tolist() == first.tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shape", "looked_at"), [((84, 84), None), ((4, 84, 84), -1), ((84, 84, 3), None)]
)
def test_pixels_are_those_of_the_newest_picture(shape: Any, looked_at: int | None) -> None:
    rng = np.random.default_rng(0)
    features = Pixels(gymnasium.spaces.Box(0, 255, shape, np.uint8))
    picture = rng.integers(256, size=shape).astype(np.uint8)
    atoms = features.atoms(Showing(picture), None)  # type: ignore[arg-type]
    seen = (picture if looked_at is None else picture[looked_at]).reshape(-1)
    assert len(set(atoms.tolist())) == len(seen)
    assert features.atom_count == len(seen) * 256
    for atom in atoms.tolist():
        assert seen[atom % len(seen)] == atom // len(seen)


def test_dynamic_features_have_an_atom_for_on_and_one_for_off() -> None:
    hidden = np.array([0.0, 2.5, -1.0, 0.1], dtype=np.float32)
    assert dynamic_atoms(hidden, two_sided=True).tolist() == [0, 3, 4, 7]
    assert dynamic_atoms(hidden, two_sided=False).tolist() == [1, 3]
    assert dynamic_atom_count(256, two_sided=True) == 512
    assert dynamic_atom_count(256, two_sided=False) == 256


@pytest.fixture(scope="module")
def pong() -> Iterator[Simulator]:
    file = {"env_name": "ALE/Pong-v5", "total_timesteps": 1, "eval_episodes": 0, "atari": ATARI}
    simulator = make_simulator(msgspec.convert(file, EnvironmentSettings))
    yield simulator
    simulator.close()


def test_the_background_is_what_random_actions_do_not_change(pong: Simulator) -> None:
    behind = background(pong, np.random.default_rng(0), 40)
    assert (background(pong, np.random.default_rng(0), 0) == CHANGING).all()
    moving = behind == CHANGING
    assert 0.001 < moving.mean() < 0.1
    # the walls of Pong are background, the paths of its paddles are not
    assert not moving[26:33].any() and moving[40:190, 140:144].any()
    pong.reset(1)
    pong.step(0)
    unseen = AtariBasic(NO_BACKGROUND).atoms(pong, None)
    seen = AtariBasic(behind).atoms(pong, None)
    assert set(seen.tolist()) < set(unseen.tolist()) and len(seen) < len(unseen) / 4


def test_ram_atoms_are_bytes_and_values(pong: Simulator) -> None:
    features = make_features("ram", pong, np.random.default_rng(0))
    pong.reset(0)
    atoms = features.atoms(pong, None)
    assert [atom % 256 for atom in atoms.tolist()] == pong.ram().tolist()
    assert [atom // 256 for atom in atoms.tolist()] == list(range(128))


def near_the_wall(simulator: Any) -> list[bool]:
    position, _ = simulator.observation()
    return [bool(position < -1.0), bool(position > 0.4)]


def everything(simulator: Any) -> list[int]:
    return [3, 5]


everything.atom_count = 4  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def car() -> Simulator:
    file = {"env_name": "MountainCar-v0", "total_timesteps": 1, "eval_episodes": 0}
    return make_simulator(msgspec.convert(file, EnvironmentSettings))


def test_features_of_ones_own(car: Simulator) -> None:
    features = make_features(f"{__name__}:near_the_wall", car, np.random.default_rng(0))
    assert features.atom_count == 2
    car.reset(0)
    assert features.atoms(car, None).tolist() == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("basic", "'basic' are not to be had here: this environment has none by name"),
        ("auto", "named 'module:function'"),
        ("nowhere:f", "'nowhere:f' cannot be loaded: No module named 'nowhere'"),
        (f"{__name__}:f", "cannot be loaded"),
        (f"{__name__}:ATARI", "is no function"),
        (f"{__name__}:everything", r"gave atoms that are not in 0 to 3"),
    ],
)
def test_features_that_are_not_to_be_had_are_refused(
    car: Simulator, name: str, message: str
) -> None:
    with pytest.raises(AgentRefused, match=message):
        make_features(name, car, np.random.default_rng(0))
