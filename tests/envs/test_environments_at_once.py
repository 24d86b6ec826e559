"""Environments stepped at once are, bit for bit, the environments stepped one by one."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import envs
from envs.lockstep import FEWEST_AT_ONCE, AtOnce, Lockstep, OneByOne, in_lockstep

AT_ONCE = [
    f"sweep/{name}-v1"
    for name in (
        "PendulumContinuous",
        "PendulumDiscrete",
        "PendulumContinuing",
        "MountainCarContinuous",
        "MountainCarDiscrete",
        "AcrobotContinuous",
        "AcrobotDiscrete",
    )
]
FIELDS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "short episodes": {"steps_per_episode": 7},
    "endless": {"steps_per_episode": None},
    "constant rewards": {
        "steps_per_episode": 50,
        "overwrite_rewards": True,
        "rewards": {"timestep": -0.1, "goal": 3.0},
    },
    "shifted rewards": {
        "steps_per_episode": 300,
        "overwrite_rewards": True,
        "rewards": {"shift": 0.3, "gamma": 0.97},
    },
}
#: Near the goal, where there is one, so that episodes end.
STARTS = {
    "sweep/MountainCarContinuous-v1": [0.3, 0.04],
    "sweep/MountainCarDiscrete-v1": [0.3, 0.04],
    "sweep/AcrobotContinuous-v1": [1.5, 0.0, 1.5, 0.0],
    "sweep/AcrobotDiscrete-v1": [1.5, 0.0, 1.5, 0.0],
}


def make(name: str, members: int, **fields: Any) -> list[envs.wrappers.Problem]:
    file = {"env_name": name, "total_timesteps": 1000, "eval_episodes": 0} | fields
    settings = msgspec.convert(file, envs.EnvironmentSettings)
    return [envs.make(settings) for _ in range(members)]


def draw_actions(problem: Any, rng: np.random.Generator, members: int) -> np.ndarray:
    """Also beyond the bounds, and often the same for a while, which swings things up."""
    if problem.action_space.shape == ():
        return rng.integers(problem.action_space.n, size=members)
    return rng.normal(0, 2, (members, 1)).astype(np.float32 if rng.random() < 0.5 else np.float64)


def trajectory(
    group: Lockstep,
    problem: Any,
    members: list[int],
    steps: int,
    subset: Callable[[int], list[int]],
) -> list[list[Any]]:
    """What happens to each member of a group whose slot i is member members[i]. What a member
    meets depends on its number and the time alone."""
    seen: list[list[Any]] = [[] for _ in members]
    group.reset({slot: 10 + member for slot, member in enumerate(members)})
    for slot in range(len(members)):
        seen[slot].append(np.array(group.observations[slot]).tobytes())
    for t in range(steps):
        numbers = draw_actions(problem, np.random.default_rng([1, t // 9]), 40)
        actions = numbers[members]
        stepping = set(subset(t))
        slots = [slot for slot, member in enumerate(members) if member in stepping]
        if not slots:
            continue
        group.step(actions, slots)
        for slot in slots:
            seen[slot].append(
                (
                    np.array(group.observations[slot]).tobytes(),
                    float(group.rewards[slot]),
                    bool(group.terminated[slot]),
                    bool(group.truncated[slot]),
                    slot in group.ended,
                )
            )
        for slot in set(range(len(members))) - set(slots):
            assert group.rewards[slot] == 0 and slot not in group.ended
        group.reset(dict.fromkeys(group.ended))
        for slot in group.ended:
            seen[slot].append(np.array(group.observations[slot]).tobytes())
    return seen


@pytest.mark.parametrize("name", AT_ONCE)
@pytest.mark.parametrize("case", FIELDS)
def test_long_trajectories_are_equal(name: str, case: str) -> None:
    members = list(range(17))
    seen = []
    for kind in (OneByOne, AtOnce):
        problems = make(name, len(members), **FIELDS[case])
        seen.append(trajectory(kind(problems), problems[0], members, 1500, lambda t: members))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", AT_ONCE)
@given(data=st.data())
def test_any_members_in_any_order_stepping_when_they_please(name: str, data: Any) -> None:
    members = data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=40, unique=True))
    pauses = data.draw(st.dictionaries(st.integers(0, 29), st.sets(st.sampled_from(members))))
    limit = data.draw(st.integers(1, 40))
    start = data.draw(st.sampled_from([[], STARTS[name]])) if name in STARTS else []

    def subset(t: int) -> list[int]:
        return [member for member in range(40) if member not in pauses.get(t, ())]

    alone = {}
    for member in members:
        (problem,) = make(name, 1, steps_per_episode=limit, start_state=start)
        (alone[member],) = trajectory(OneByOne([problem]), problem, [member], 30, subset)
    problems = make(name, len(members), steps_per_episode=limit, start_state=start)
    together = trajectory(AtOnce(problems), problems[0], members, 30, subset)
    assert dict(zip(members, together, strict=True)) == alone


@pytest.mark.parametrize("name", STARTS)
def test_episodes_terminate_at_different_times(name: str) -> None:
    members = list(range(11))
    problems = make(name, len(members), start_state=STARTS[name])
    seen = trajectory(AtOnce(problems), problems[0], members, 300, lambda t: members)
    ends = [tuple(t for t, entry in enumerate(one) if entry[2] is True) for one in seen]
    assert len(set(ends)) > 3


@pytest.mark.parametrize("name", AT_ONCE)
@pytest.mark.parametrize("to_at_once", [False, True])
def test_a_member_may_leave_one_group_for_another_anywhere(name: str, to_at_once: bool) -> None:
    members = list(range(12))
    problems = make(name, 12, steps_per_episode=25)
    rng = np.random.default_rng(0)
    actions = [draw_actions(problems[0], rng, 12) for _ in range(90)]

    def play(group: Lockstep, actions: list[Any]) -> list[Any]:
        seen = []
        for chosen in actions:
            group.step(chosen, members)
            seen.append([np.array(one).tolist() for one in group.observations])
            group.reset(dict.fromkeys(group.ended))
        return seen

    first = (OneByOne if to_at_once else AtOnce)(problems)
    first.reset(dict.fromkeys(members, 3))
    play(first, actions[:40])
    saved = []
    for slot in members:
        first.settle(slot)
        saved.append((envs.save_state(problems[slot]), np.array(first.observations[slot])))
    saved = pickle.loads(pickle.dumps(saved))
    expected = play(first, actions[40:])

    others = make(name, 12, steps_per_episode=25)
    second = (AtOnce if to_at_once else OneByOne)(others)
    for slot, (state, observation) in enumerate(saved):
        envs.restore_state(others[slot], state)
        second.take_up(slot, observation)
    assert play(second, actions[40:]) == expected


def test_what_was_handed_out_is_not_written_to() -> None:
    problems = make("sweep/PendulumContinuous-v1", 12, steps_per_episode=1)
    for group in (AtOnce(problems), OneByOne(problems)):
        group.reset(dict.fromkeys(range(12), 1))
        group.step(np.ones((12, 1)), range(12))
        handed_out = group.observations
        before = np.array(handed_out)
        group.reset(dict.fromkeys(group.ended))
        np.testing.assert_array_equal(np.array(handed_out), before)
        assert (np.array(group.observations) != before).any()


@pytest.mark.parametrize(
    ("name", "members", "kind"),
    [
        *((name, FEWEST_AT_ONCE, AtOnce) for name in AT_ONCE),
        ("sweep/PendulumContinuous-v1", FEWEST_AT_ONCE - 1, OneByOne),
        ("sweep/PuddleWorld-v1", 20, OneByOne),
        ("CartPole-v1", 20, OneByOne),
        ("MountainCar-v0", 20, OneByOne),
    ],
)
def test_what_can_be_stepped_at_once_is(name: str, members: int, kind: type) -> None:
    assert type(in_lockstep(make(name, members))) is kind


def test_what_is_drawn_or_wrapped_is_stepped_one_by_one() -> None:
    settings = envs.EnvironmentSettings(
        env_name="sweep/PendulumContinuous-v1", total_timesteps=10, eval_episodes=0
    )
    drawn = [envs.make(settings, render_mode="rgb_array") for _ in range(20)]
    assert type(in_lockstep(drawn)) is OneByOne
    import gymnasium

    from envs.wrappers import Problem

    wrapped = [Problem(gymnasium.Wrapper(envs.make(settings).env)) for _ in range(20)]
    assert type(in_lockstep(wrapped)) is OneByOne


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 8, 9, 15, 17, 33, 1001])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_sine_and_cosine_of_numpy_are_those_of_python(name: str, length: int) -> None:
    ours, theirs = getattr(np, name), getattr(math, name)
    values = np.random.default_rng(length).uniform(-40, 40, (length, 3))
    for chosen in (values[:, 0], np.ascontiguousarray(values[:, 0]), values[::-1, 1], values[0]):
        assert ours(chosen).tolist() == [theirs(value) for value in chosen.tolist()]
