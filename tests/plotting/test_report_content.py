"""What a report says is what the figures say, and what the folder holds."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learning_curve_data import flat_run, make_run, make_tree, write_tree
from report_folder import ReportFolder
from sensitivity_data import grid, sweep

from plotting import second_stage
from plotting.curve_summary import summarize as curve_of
from plotting.data_file import read_experiment
from plotting.html_report.content import content
from plotting.html_report.packed import ALPHABET, pack
from plotting.html_report.sources import open_source
from plotting.importance_summary import name_of
from plotting.importance_summary import summarize as importance_of
from plotting.metric import Metric
from plotting.second_stage import Finalist
from plotting.sensitivity_summary import summarize as sensitivity_of


def report(*paths: Path, runs: int | None = None, metric: str | None = None) -> dict[str, Any]:
    return content([open_source(path, runs) for path in paths], metric)


def only(path: Path, **options: Any) -> dict[str, Any]:
    (found,) = report(path, **options)["experiments"]
    assert isinstance(found, dict)
    return found


def unpacked(packed: list[Any] | str) -> list[float]:
    """What assets/packed.js makes of it."""
    if isinstance(packed, str):
        octets = np.frombuffer(base64.b64decode(packed), np.uint8).reshape(-1, 3)
        padded = np.pad(octets, ((0, 0), (0, 1)))
        return [float(value) for value in np.frombuffer(padded.tobytes(), ">f4")]
    low, step, text = packed
    codes = [64 * ALPHABET.index(a) + ALPHABET.index(b) for a, b in zip(text[::2], text[1::2])]  # noqa: B905
    return [math.nan if code == 4095 else low + code * step for code in codes]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """12 settings x 4 seeds; one setting has a diverged run."""
    settings = grid({"lr": [0.01, 0.1, 1.0], "trace": [0.0, 0.9], "kind": ["a", "b"]})

    def score(params: Mapping[str, Any], run: int) -> float | None:
        if params == settings[3] and run == 2:
            return None
        return float(-10 * abs(math.log10(params["lr"]) + 1) + 2 * params["trace"] + run)

    return write_tree(tmp_path, sweep(settings, score, seeds=4))


numbers = st.floats(-1e12, 1e12) | st.just(math.nan)


@given(st.lists(numbers, max_size=40))
def test_packed_numbers_are_as_fine_as_a_screen(values: list[float]) -> None:
    read = unpacked(pack(values))
    known = [value for value in values if not math.isnan(value)]
    tail = max(len(known) // 10, len(known) > 2)
    most = sorted(known)[tail : len(known) - tail]  # without its far outliers
    fine = (most[-1] - most[0]) / 400 if most else 0.0
    assert [math.isnan(value) for value in read] == [math.isnan(value) for value in values]
    for value, exact in zip(read, values, strict=True):
        if not math.isnan(exact):
            assert abs(value - exact) <= max(fine, abs(exact) * 2**-15) + 1e-37


def test_importance_is_that_of_its_figure(data: Path) -> None:
    shown = only(data)["metrics"]["train-mean"]["importance"]
    expected = importance_of(read_experiment(data), "", Metric("train", "mean"))
    assert [effect[0] for effect in shown["effects"]] == list(map(name_of, expected.drawn))
    assert {effect[0] for effect in shown["effects"]} >= {"lr", "trace", "kind"}
    for (_, names, *numbers), effect in zip(shown["effects"], expected.drawn, strict=True):
        assert names == len(effect.names)
        exact = (effect.share, effect.low, effect.high, effect.by_chance)
        assert numbers == [pytest.approx(number, rel=1e-5) for number in exact]


def test_scores_are_those_of_the_sensitivity_figure(data: Path) -> None:
    found, experiment = only(data), read_experiment(data)
    for name, suffix in (("eval-mean", "mean"), ("eval-final", "final")):
        figure = sensitivity_of(experiment, "", Metric("eval", suffix))  # type: ignore[arg-type]
        page = found["metrics"][name]
        for column in ("mean", "low", "high"):
            exact = [getattr(score, column) for score in figure.scores]
            assert page[column] == [float(f"{each:.6g}") for each in exact]
        assert page["rank"][0] == figure.best
        assert page["panels"] == [[panel.at_best, panel.tuned] for panel in figure.panels]


@pytest.mark.parametrize("kind", ["eval", "train", "reward"])
def test_curves_are_those_of_the_learning_curve_figure(data: Path, kind: Any) -> None:
    found, experiment = only(data), read_experiment(data)
    metric = Metric(kind, "mean")
    for position, setting in enumerate(experiment.settings):
        figure = curve_of(experiment, "", metric, 100, setting.number)
        line = found["curves"][kind]["lines"][str(position)]
        for name in ("mean", "low", "high"):
            assert unpacked(line[name]) == pytest.approx(getattr(figure, name), rel=1e-3)
        assert found["curves"][kind]["fine"] == figure.timestep.tolist()
        for packed, seed in zip(line["seeds"], figure.seeds, strict=True):
            assert unpacked(packed) == pytest.approx(seed.curve.value, rel=1e-3)


def test_settings_with_diverged_runs_rank_last(data: Path) -> None:
    found = only(data)
    assert found["metrics"]["eval-mean"]["rank"][-1] == 3
    assert found["diverged"] == [0, 0, 0, 1, *[0] * 8]
    assert found["standing"]["counts"] == {"completed": 47, "diverged": 1, "missing": 0}


def test_a_run_that_others_have_is_missing(tmp_path: Path) -> None:
    tree = make_tree({0: [flat_run(0, 1.0), flat_run(1, 2.0)], 1: [flat_run(0, 3.0)]})
    found = only(write_tree(tmp_path, tree))
    assert found["standing"]["counts"] == {"completed": 3, "diverged": 0, "missing": 1}
    assert found["missing"] == [0, 1]


def test_an_experiment_without_a_score_has_a_page_all_the_same(tmp_path: Path) -> None:
    tree = make_tree({0: [make_run(0, status="diverged")]})
    found = only(write_tree(tmp_path, tree))
    assert found["metrics"] == {}
    assert found["standing"]["counts"]["diverged"] == 1


def test_one_setting_alone_has_no_panels(tmp_path: Path) -> None:
    found = only(write_tree(tmp_path, make_tree({0: [flat_run(0, 1.0), flat_run(1, 2.0)]})))
    assert found["axes"] == []
    assert "panels" not in found["metrics"]["eval-mean"]
    assert found["seedsKind"] == "no selection"


def test_far_outliers_leave_the_others_exact(tmp_path: Path) -> None:
    runs = [flat_run(number, value) for number, value in enumerate([-1e9, -200.0, -201.0, -202.5])]
    found = only(write_tree(tmp_path, make_tree({0: runs})))
    scores = unpacked(found["metrics"]["eval-mean"]["runs"][0])
    assert scores == pytest.approx([-1e9, -200.0, -201.0, -202.5], rel=1e-4)


# -- results folders


def test_records_are_combined_on_the_way(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path)
    folder.add(0, 1, 2, 3)
    found = only(folder.path)
    assert (folder.path / "data.json").exists()
    assert found["standing"]["counts"] == {
        **dict.fromkeys(["diverged", "running", "queued", "failed", "missing"], 0),
        "completed": 4,
    }
    assert found["about"]["grid"] == 6


def test_what_was_meant_may_be_said(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path)
    folder.add(0, 1, 2, 3)
    standing = only(folder.path, runs=2)["standing"]
    assert (standing["wanted"], standing["counts"]["missing"]) == (12, 8)
    assert standing["missing"] == {"not begun": 8}


def test_failures_are_counted_with_an_example_log(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path)
    folder.add(0, 1, 2)
    folder.send("0-5", {4: "MemoryError: no room", 5: "MemoryError: no room"})
    standing = only(folder.path)["standing"]
    assert standing["counts"]["failed"] == 2
    assert standing["missing"] == {"not begun": 1}
    (trouble,) = standing["troubles"]
    assert (trouble["error"], trouble["indices"]) == ("MemoryError: no room", "4-5")
    assert trouble["log"] == ["2026-01-01 00:00:00 index 4: MemoryError: no room"]


def test_damaged_records_are_named(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path)
    folder.add(0, 1)
    torn = folder.record(1)
    torn.write_bytes(torn.read_bytes()[:-40])
    standing = only(folder.path)["standing"]
    assert [file for file, _ in standing["setAside"]] == [torn.name]
    assert standing["counts"]["missing"] == 1


def test_a_folder_that_cannot_be_written_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiment import merge
    from experiment.errors import StorageError

    folder = ReportFolder(tmp_path)
    folder.add(0, 1)
    combine = merge.merge

    def full(path: Path, output: Path | None, show: Any) -> Any:
        if output is None:
            raise StorageError("the disk is full")
        return combine(path, output, show)

    monkeypatch.setattr(merge, "merge", full)
    assert only(folder.path)["standing"]["counts"]["completed"] == 2
    assert not (folder.path / "data.json").exists()


def test_commands_go_on_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = ReportFolder(Path("results/mine"))
    folder.add(0, 1, 2, 3, 4, 5, 6)
    commands = dict(only(folder.path)["commands"])
    train = commands["Train what is missing, here"].split()
    assert train[:2] == ["python", "main.py"]
    assert " ".join(train[-8:]) == "--runs 2 --seed-offset 100 --batch auto --save-dir mine"
    replay = commands["Do one run again and compare it, to the last bit"]
    assert replay.replace("{index}", "0") == f"python main.py --replay {folder.record(0)}"


def test_scores_on_fresh_seeds_are_called_so(tmp_path: Path) -> None:
    first = read_experiment(write_tree(tmp_path / "first", make_tree({0: [flat_run(0, 1.0)]})))
    params = first.settings[0].agent_params
    stage = second_stage.plan(first, "eval-mean", [Finalist(0, params, 1.0, None, None, 1)], 2)
    fresh = flat_run(0, 1.0) | {"random_seed": stage.seed_offset}
    second = write_tree(tmp_path / "second", make_tree({0: [fresh]}))
    assert only(second)["seedsKind"] == "no selection"
    second_stage.write(second.parent, second_stage.files(first, stage))
    assert only(second)["seedsKind"] == "fresh"
    assert "Fresh seeds" in only(second)["metrics"]["eval-mean"]["chosen"]
