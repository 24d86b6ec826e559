"""Zip groups, random draws and constraints: all addressed by index like plain lists."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from sweep_runs import ROOT, build

from agents.base import AgentSettings
from experiment.agent_file import build_grid
from experiment.grid import Grid


class Optimizer(AgentSettings, frozen=True, kw_only=True):
    """Hyperparameters whose values are lists and objects."""

    betas: tuple[float, float] = (0.9, 0.999)
    hidden: list[int] = msgspec.field(default_factory=lambda: [32])
    schedule: dict[str, float] = msgspec.field(default_factory=dict)
    lr: float = 0.1


def grid_of(**keys: Any) -> Grid:
    return build_grid({"agent_name": "optimizer", **keys}, Optimizer, "agent.json")


def linear(**keys: Any) -> Grid:
    return build({"agent_name": "linearAC", **keys}).grid


def drawn(samples: int = 30, seed: int = 0, **parameters: Any) -> list[dict[str, Any]]:
    grid = linear(random={"samples": samples, "seed": seed, "parameters": parameters})
    return [{n: grid.setting(i)[n] for n in parameters} for i in range(grid.size)]


def test_a_list_or_object_inside_a_list_is_one_value() -> None:
    grid = grid_of(
        parameters={
            "betas": [[0.9, 0.999], [0.8, 0.9]],
            "hidden": [[64], [32, 32], []],
            "schedule": [{}, {"half": 100}],
        }
    )
    assert grid.size == 12
    last = grid.setting(11)
    assert (last["betas"], last["hidden"], last["schedule"]) == ([0.8, 0.9], [], {"half": 100.0})


def test_a_bare_value_is_a_list_of_one() -> None:
    grid = grid_of(parameters={"lr": 0.5, "betas": [0.8, 0.9], "hidden": [16, 16]})
    assert grid.size == 1
    expected = {"betas": [0.8, 0.9], "hidden": [16, 16], "schedule": {}, "lr": 0.5}
    assert grid.setting(0) == expected


def test_what_is_left_out_has_its_default() -> None:
    assert grid_of().setting(0) == {
        "betas": [0.9, 0.999],
        "hidden": [32],
        "schedule": {},
        "lr": 0.1,
    }


def test_numbers_become_their_declared_types() -> None:
    value = grid_of(parameters={"lr": [1]}).setting(0)["lr"]
    assert (value, type(value)) == (1.0, float)


def test_a_zip_group_is_one_axis_after_the_lists() -> None:
    grid = linear(
        parameters={"critic_lr": [0.1, 0.2]},
        zip=[{"tilings": [8, 16], "bins": [16, 8]}, {"decay": [0.0, 0.5, 0.9]}],
    )
    assert grid.size == 2 * 2 * 3
    rows = [(grid.setting(i)["critic_lr"], grid.setting(i)["tilings"]) for i in range(4)]
    assert rows == [(0.1, 8), (0.2, 8), (0.1, 16), (0.2, 16)]
    settings = [grid.setting(i) for i in range(grid.size)]
    assert all(s["tilings"] * s["bins"] == 128 for s in settings)
    assert grid.setting(4)["decay"] == 0.5
    assert linear(zip={"tilings": [8, 16], "bins": [16, 8]}).size == 2


def test_draws_of_every_kind_keep_to_their_range() -> None:
    rows = drawn(
        samples=300,
        critic_lr={"log_uniform": [1e-4, 1]},
        decay={"uniform": [0.2, 0.6]},
        tilings={"integer": [1, 4]},
        scaled={"choice": [True, False]},
    )
    assert all(1e-4 <= row["critic_lr"] <= 1 and 0.2 <= row["decay"] <= 0.6 for row in rows)
    assert {row["tilings"] for row in rows} == {1, 2, 3, 4}
    assert {row["scaled"] for row in rows} == {True, False}
    assert all(type(row["tilings"]) is int for row in rows)
    logs = [math.log10(row["critic_lr"]) for row in rows]
    assert abs(sum(logs) / len(logs) + 2) < 0.25
    assert sum(log < -3 for log in logs) > 40


def test_draws_are_the_same_in_another_process() -> None:
    program = (
        "import json; from experiment.draws import Draws;"
        "print(json.dumps(list(Draws({'a': {'log_uniform': [1e-5, 1]}, 'b': {'uniform': [0, 1]}},"
        " 20, 7))))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len({tuple(row) for row in json.loads(outputs.pop())}) == 20


def test_the_draws_of_a_seed_are_for_ever() -> None:
    row = drawn(samples=1, critic_lr={"log_uniform": [1e-4, 1]}, tilings={"integer": [1, 100]})[0]
    assert row == {"critic_lr": 0.27769, "tilings": 10}


def test_each_hyperparameter_has_a_stream_of_its_own() -> None:
    rows = drawn(samples=400, critic_lr={"uniform": [0, 1]}, actor_lr={"uniform": [0, 1]})
    mean = sum((row["critic_lr"] - 0.5) * (row["actor_lr"] - 0.5) for row in rows) / len(rows)
    assert abs(mean * 12) < 0.2  # the correlation of two uniform variables
    assert drawn(seed=1, critic_lr={"uniform": [0, 1]}) != drawn(critic_lr={"uniform": [0, 1]})


@given(st.integers(1, 40), st.integers(0, 40), st.integers(-(2**63), 2**63 - 1))
def test_more_samples_keep_the_earlier_draws(samples: int, more: int, seed: int) -> None:
    draw = {"critic_lr": {"uniform": [0, 1]}, "tilings": {"integer": [1, 9]}}
    assert drawn(samples + more, seed, **draw)[:samples] == drawn(samples, seed, **draw)


def test_another_drawn_hyperparameter_moves_no_draw() -> None:
    alone = drawn(critic_lr={"uniform": [0, 1]})
    both = drawn(actor_lr={"log_uniform": [0.1, 1]}, critic_lr={"uniform": [0, 1]})
    assert [row["critic_lr"] for row in both] == [row["critic_lr"] for row in alone]


def test_a_trillion_draws_cost_nothing() -> None:
    grid = linear(
        parameters={"decay": [0.1, 0.2]},
        random={"samples": 10**12, "parameters": {"critic_lr": {"uniform": [0, 1]}}},
    )
    assert grid.size == 2 * 10**12
    assert 0 <= grid.setting(grid.size - 1)["critic_lr"] <= 1


def test_a_constraint_leaves_the_legal_settings_in_their_order() -> None:
    keys: dict[str, Any] = {
        "parameters": {
            "critic_lr": [0.1, 0.2, 0.3],
            "decay": [0.0, 0.5],
            "actor_lr": [0.1, 0.2, 0.3],
        }
    }
    free = linear(**keys)
    grid = linear(**keys, constraints=["actor_lr <= critic_lr", "actor_lr != 0.2"])
    names = ("critic_lr", "decay", "actor_lr")
    legal = [
        setting
        for setting in (free.setting(i) for i in range(free.size))
        if setting["actor_lr"] <= setting["critic_lr"] and setting["actor_lr"] != 0.2
    ]
    found = [grid.setting(i) for i in range(grid.size)]
    assert sorted([s[n] for n in names] for s in found) == sorted(
        [s[n] for n in names] for s in legal
    )
    # the joined axis stands where its first hyperparameter stood, so decay is slower
    assert [s["decay"] for s in found] == [0.0] * 4 + [0.5] * 4


def test_a_constraint_may_name_a_default_a_zip_group_and_a_draw() -> None:
    assert (
        linear(parameters={"critic_lr": [0.005, 0.1]}, constraints=["actor_lr < critic_lr"]).size
        == 1
    )
    grid = linear(
        zip={"tilings": [2, 4], "bins": [4, 2]},
        random={"samples": 50, "parameters": {"actor_lr": {"uniform": [0, 4]}}},
        constraints=["actor_lr <= tilings"],
    )
    assert 50 < grid.size < 100
    settings = [grid.setting(i) for i in range(grid.size)]
    assert all(s["actor_lr"] <= s["tilings"] and s["tilings"] * s["bins"] == 8 for s in settings)
    assert len({json.dumps(s, sort_keys=True) for s in settings}) == grid.size
