"""What is an axis of a sweep, in which order its values stand, and on which scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from learning_curve_data import Tree, write_tree
from sensitivity_data import grid, sweep

from plotting.data_file import read_experiment
from plotting.hyperparameters import Axis, varied_axes


def _axes(folder: Path, settings: list[Tree], **agent: Any) -> tuple[Axis, ...]:
    tree = sweep(settings, lambda params, run: 1.0)
    tree["experiment"]["agent"].update(agent)
    return varied_axes(read_experiment(write_tree(folder, tree)))


def _axis(values: list[Any]) -> Axis:
    return Axis("x", tuple(values), tuple(range(len(values))))


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.01, 0.1], "log"),
        ([1, 10], "log"),
        ([0.001, 0.003, 0.3], "log"),
        ([1, 9], "category"),  # less than a factor of 10
        ([0.0, 0.01, 0.1], "category"),  # 0 has no logarithm
        ([-1.0, 100.0], "category"),
        (["relu", "tanh"], "category"),
        ([False, True], "category"),
        ([[64, 64], [256]], "category"),
        ([None, 0.1, 1.0], "category"),
        (list(range(4, 30)), "linear"),  # too many to stand side by side
        ([k / 100 for k in range(1, 100)], "linear"),  # many, and evenly spaced as they are
        ([10 ** (k / 10) for k in range(30)], "log"),
    ],
)
def test_the_scale_of_an_axis(values: list[Any], scale: str) -> None:
    assert _axis(values).scale == scale


def test_categories_stand_side_by_side_and_numbers_where_they_are() -> None:
    assert _axis(["relu", "tanh", "elu"]).places == [0, 1, 2]
    assert _axis([0.1, 0.2, 0.9]).places == [0, 1, 2]
    assert _axis([0.01, 0.1, 0.3]).places == [0.01, 0.1, 0.3]


def test_only_what_varies_is_an_axis_in_the_order_of_the_agent_file(tmp_path: Path) -> None:
    settings = grid({"lr": [0.1, 0.2], "gamma": [0.9], "decay": [0.5, 0.6]})
    assert [axis.name for axis in _axes(tmp_path, settings)] == ["lr", "decay"]
    (tmp_path / "b").mkdir()
    unlisted = _axes(tmp_path / "b", settings, parameters={"decay": [0.5, 0.6]})
    assert [axis.name for axis in unlisted] == ["decay", "lr"]


def test_numbers_ascend_and_other_values_keep_the_order_of_the_sweep(tmp_path: Path) -> None:
    settings = grid({"lr": [0.3, 0.1, 0.2], "kind": ["tanh", "relu"], "flag": [True, False]})
    lr, kind, flag = _axes(tmp_path, settings)
    assert lr.values == (0.1, 0.2, 0.3)
    assert lr.position == (2, 0, 1) * 4
    assert kind.values == ("tanh", "relu")
    assert flag.values == (True, False)


def test_one_is_one_point_zero_but_not_true(tmp_path: Path) -> None:
    first, second = _axes(tmp_path, [{"a": 1, "b": 1}, {"a": 1.0, "b": True}, {"a": 2, "b": 1}])
    assert first.position == (0, 0, 1)
    assert second.position == (0, 1, 0)


def test_a_zip_group_is_one_axis(tmp_path: Path) -> None:
    pairs = [(4, 16), (8, 8), (16, 4)]
    settings = [{"tilings": t, "bins": b, "lr": lr} for t, b in pairs for lr in (0.1, 0.2)]
    group = {"tilings": [4, 8, 16], "bins": [16, 8, 4]}
    lr, both = _axes(tmp_path, settings, parameters={"lr": [0.1, 0.2]}, zip=[group])
    assert lr.name == "lr"
    assert both.name == "tilings, bins"
    assert both.values == ([4, 16], [8, 8], [16, 4])
    assert both.position == (0, 0, 1, 1, 2, 2)
