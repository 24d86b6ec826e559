"""Kernels give the same bits as they stand and compiled, so which form runs is nobody's affair."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import gymnasium
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.linear import kernels
from agents.linear.actor_critic import LinearActorCritic
from agents.linear.expected_sarsa import ExpectedSarsa
from agents.linear.features import activate, tiles_for
from agents.linear.kernels import compiled, plain
from agents.linear.learner import LinearGroup
from agents.linear.policies import gaussian, gaussian_direction
from agents.linear.settings import ExpectedSarsaSettings, LinearACSettings

ROOT = Path(__file__).resolve().parents[2]
BOX = gymnasium.spaces.Box(np.array([-1, 0], np.float32), np.array([1, 5], np.float32))
STATES = gymnasium.spaces.Discrete(7, start=2)
CONTINUOUS = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
DISCRETE = gymnasium.spaces.Discrete(3, start=-1)

rates = st.sampled_from([0.0, 0.001, 0.3, 1.0, 7.0])
shared = {
    "decay": st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    "accumulate_trace": st.booleans(),
}
actor_critics = st.fixed_dictionaries(
    shared
    | {
        "critic_lr": rates,
        "actor_lr": rates,
        "avg_reward_lr": rates,
        "scaled": st.booleans(),
        "clip_stddev": st.sampled_from([1000.0, 2.0, 0.0]),
        "temperature": st.sampled_from([0.1, 1.0, 3.0]),
    }
)
sarsas = st.fixed_dictionaries(
    shared
    | {
        "lr": rates,
        "epsilon": st.floats(0.1, 1.0),
        "epsilon_decay": st.floats(0.5, 1.0),
        "epsilon_min": st.floats(0.0, 0.1),
    }
)
#: What members share: tiles of their own, or hashed into a small table.
shapes = st.fixed_dictionaries(
    {
        "tilings": st.integers(1, 5),
        "bins": st.integers(1, 4),
        "table_size": st.sampled_from([2**20, 11]),
    }
)


class Course:
    """A random course of observations, rewards and ends, lived through by a group."""

    def __init__(self, group: LinearGroup, space: Any, members: int, seed: int, size: float):
        self.group, self.space, self.slots = group, space, list(range(members))
        self.rng, self.size = np.random.default_rng(seed), size
        self.seen: list[bytes] = []

    def observations(self) -> list[Any]:
        if isinstance(self.space, gymnasium.spaces.Discrete):
            states = self.space.start + self.rng.integers(self.space.n, size=len(self.slots))
            return list(map(int, states))
        # now and then beyond the bounds
        spread = self.rng.uniform(-0.2, 1.2, (len(self.slots), *self.space.shape))
        return list(self.space.low + spread * (self.space.high - self.space.low))

    def see(self, *numbers: Any) -> None:
        for number in numbers:
            array = np.asarray(number, dtype=np.float64)
            self.seen.append(np.where(np.isnan(array), np.nan, array).tobytes())

    def live(self, steps: int) -> list[bytes]:
        """All that there is to see of the group, in bytes."""
        group, observations = self.group, self.observations()
        for _ in range(steps):
            actions = group.act(observations, self.slots, explore=True)
            self.see(actions)
            successors = self.observations()
            rewards = self.size * self.rng.normal(size=len(self.slots))
            terminated = self.rng.random(len(self.slots)) < 0.1
            truncated = ~terminated & (self.rng.random(len(self.slots)) < 0.1)
            ends = (terminated, truncated)
            group.observe(observations, actions, rewards, successors, *ends, self.slots)
            self.see(*(group.records[name] for name in group.records.dtype.names or ()))
            observations = successors
        group.begin_evaluation(0, np.random.default_rng(1))
        self.see(group.act(self.observations(), self.slots, explore=False))
        for slot in self.slots:
            self.see(*group.learned_params(slot).values(), *group.metrics(slot).values())
        return [*self.seen, repr(sorted(group.diverged.items())).encode()]


def assert_equal_in_both_forms(
    kind: Any, settings: list[Any], spaces: tuple[Any, Any], steps: int, seed: int, size: float
) -> None:
    courses = []
    for form in (plain, compiled):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("agents.linear.learner.form_for", lambda work, form=form: form)
            rngs = [np.random.default_rng(seed + slot) for slot in range(len(settings))]
            group = kind(settings, *spaces, gamma=0.97, rngs=rngs, device="cpu")
        courses.append(Course(group, spaces[0], len(settings), seed, size).live(steps))
    assert courses[0] == courses[1]


steps = st.integers(1, 30)
seeds = st.integers(0, 2**32)
#: of rewards; the last make everything diverge
sizes = st.sampled_from([1.0, 1.0, 1e3, 1e150, 1e307])
observation_spaces = st.sampled_from([BOX, STATES])


@pytest.mark.filterwarnings(
    "ignore:.*encountered in:RuntimeWarning"
)  # the metrics of what diverges
@given(
    st.lists(actor_critics, min_size=1, max_size=3),
    shapes,
    observation_spaces,
    st.sampled_from([CONTINUOUS, DISCRETE]),
    steps,
    seeds,
    sizes,
)
def test_the_actor_critic_has_the_same_bits_in_both_forms(
    members: list[dict[str, Any]],
    shape: dict[str, Any],
    observation_space: Any,
    action_space: Any,
    steps: int,
    seed: int,
    size: float,
) -> None:
    settings = [msgspec.convert(one | shape, LinearACSettings) for one in members]
    spaces = (observation_space, action_space)
    assert_equal_in_both_forms(LinearActorCritic, settings, spaces, steps, seed, size)


@given(st.lists(sarsas, min_size=1, max_size=3), shapes, observation_spaces, steps, seeds, sizes)
def test_expected_sarsa_has_the_same_bits_in_both_forms(
    members: list[dict[str, Any]],
    shape: dict[str, Any],
    observation_space: Any,
    steps: int,
    seed: int,
    size: float,
) -> None:
    settings = [msgspec.convert(one | shape, ExpectedSarsaSettings) for one in members]
    spaces = (observation_space, DISCRETE)
    assert_equal_in_both_forms(ExpectedSarsa, settings, spaces, steps, seed, size)


LARGEST = math.log(sys.float_info.max)


@pytest.mark.parametrize(
    "exponent",
    [LARGEST, math.nextafter(LARGEST, math.inf), 1e3, math.inf, math.nan, -750.0, -math.inf],
)
@pytest.mark.parametrize("form", [plain, compiled])
def test_a_standard_deviation_overflows_and_vanishes_without_an_error(
    form: Any, exponent: float
) -> None:
    parameters, gradient, step = np.zeros(2), np.zeros(3), np.zeros(3)
    active = np.array([0])
    form(gaussian)(np.array([[0.0, 1.0, exponent]]), active, math.inf, parameters)
    with np.errstate(over="ignore"):
        expected = np.exp(np.float64(exponent))
    assert parameters[1] == pytest.approx(expected, nan_ok=True)
    # where σ is 0 the gradient divides by it
    form(gaussian_direction)(np.array([1.0]), parameters, 0.5, True, gradient, step)
    assert gradient[1] == 0.0 or not np.isfinite(gradient[1]) or exponent == LARGEST


@pytest.mark.parametrize("form", [plain, compiled])
@pytest.mark.parametrize("table_size", [2**20, 11])
def test_a_nan_is_taken_for_the_lowest_value(form: Any, table_size: int) -> None:
    settings = LinearACSettings(tilings=3, bins=4, table_size=table_size)
    tiles = tiles_for(BOX, settings, agent="an agent")
    there, lowest = np.zeros((2, tiles.active), dtype=np.int64)
    form(activate)(np.array([math.nan, 3.0]), tiles.bounds, tiles.layout, there)
    form(activate)(np.array([-1.0, 3.0]), tiles.bounds, tiles.layout, lowest)
    assert there.tolist() == lowest.tolist()


def test_little_work_runs_as_it_stands_and_much_work_compiled() -> None:
    program = (
        "from agents.linear.kernels import compiled, form_for, plain, _WORTH_LOADING as worth\n"
        "assert form_for(0.6 * worth) is plain\n"
        "assert form_for(0.6 * worth) is compiled\n"  # together it is much
        "assert form_for(1) is compiled\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_what_is_compiled_already_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_work", defaultdict(float))
    monkeypatch.setitem(sys.modules, "numba", sys)
    assert kernels.form_for(1) is compiled
