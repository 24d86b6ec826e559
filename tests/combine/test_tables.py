"""combine.py --to parquet, and results in Python: the same numbers as everywhere, up to date."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_sweep import RecordedSweep
from test_combine_command import _combine_then

from experiment.arrow_arrays import column, numbers
from experiment.errors import ConfigError
from experiment.results import load
from experiment.table_columns import arrow_type
from experiment.tables import CURVES, RUNS, Tabled, write_tables
from plotting.data_file import read_curve, read_experiment

TOTAL = 1000


def content(index: int, **fields: Any) -> dict[str, Any]:
    """What a run of some episodes measured."""
    generator = np.random.default_rng(index)
    lengths = generator.integers(20, 90, 16).tolist()
    measured = {
        "total_timesteps": TOTAL,
        "rewards": generator.normal(size=16).round(3).tolist(),
        "train_episode_steps": lengths,
        "last_episode_unfinished": True,
        "timesteps_at_eval": [0, 400, 1000],
        "eval_episode_rewards": generator.normal(size=(3, 2)).tolist(),
        "metrics": {"mean_reward": {"timestep": [500, 1000], "value": [1.5, index]}},
        "train_time": 2.5,
        "eval_time": 1.0,
        "total_train_episodes": 16,
    }
    return measured | fields


def add(sweep: RecordedSweep, *indices: int, **fields: Any) -> None:
    for index in indices:
        sweep.add(index, **content(index, **fields))


def shard(sweep: RecordedSweep, *indices: int) -> None:
    for index in indices:
        sweep.shard(index, **content(index))


def tables(sweep: RecordedSweep, into: Path | None = None) -> Tabled:
    return write_tables(sweep.path, into or sweep.path, lambda done, total: None)


def written(folder: Path) -> tuple[bytes, bytes]:
    return (folder / RUNS).read_bytes(), (folder / CURVES).read_bytes()


def test_a_row_a_run_and_a_row_a_point(sweep: RecordedSweep) -> None:
    add(sweep, 0, 7)
    add(sweep, 4, status="diverged", diverged={"timestep": 640, "what": "the critic's loss"})
    assert tables(sweep).runs == 3
    runs = pd.read_parquet(sweep.path / RUNS)
    assert runs["index"].tolist() == [0, 7, 4]
    assert runs["seed"].tolist() == [100, 101, 100]
    assert runs["critic_lr"].tolist() == [0.01, 0.1, 0.1]
    assert runs["actor_lr"].tolist() == [0.005, 0.005, 0.1]
    assert runs["scaled"].dtype == bool
    assert runs["tilings"].dtype == np.int64
    assert runs["status"].tolist() == ["completed", "completed", "diverged"]
    assert runs["diverged_at"].tolist()[2] == 640
    assert runs["wall_time"].tolist() == [3.5] * 3
    curves = pd.read_parquet(sweep.path / CURVES)
    assert curves.groupby(["index", "curve"]).size().tolist() == [3, 2, 100] * 3


def test_scores_and_curves_are_those_that_are_drawn(sweep: RecordedSweep) -> None:
    add(sweep, *range(9))
    tables(sweep)
    sweep.merge()
    runs = pd.read_parquet(sweep.path / RUNS).set_index("index")
    curves = pd.read_parquet(sweep.path / CURVES)
    experiment = read_experiment(sweep.data)
    for setting in experiment.settings:
        for run in setting.runs:
            index = run.number * 6 + setting.number
            for kind in run.kinds:
                drawn = read_curve(run, kind, experiment.total_timesteps, 100)
                own = curves[(curves["index"] == index) & (curves["curve"] == kind)]
                np.testing.assert_array_equal(own["timestep"], drawn.timestep)
                np.testing.assert_array_equal(own["value"], drawn.value)
                scores = [runs[f"{kind}_{part}"][index] for part in ("mean", "final")]
                np.testing.assert_array_equal(scores, [drawn.mean, drawn.final])


INDICES = st.lists(st.integers(0, 13), max_size=4, unique=True)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(INDICES, INDICES, st.booleans()), min_size=1, max_size=4))
def test_any_partition_into_calls_gives_the_bytes_of_one_call(
    parts: list[tuple[list[int], list[int], bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as elsewhere:
        sweep = RecordedSweep(Path(folder))
        add(sweep, 7)
        for files, lines, prune in parts:
            add(sweep, *files)
            shard(sweep, *lines)
            if prune:
                sweep.prune()
            tables(sweep)
        tables(sweep, Path(elsewhere))
        assert written(sweep.path) == written(Path(elsewhere))
        again = tables(sweep)
        assert (again.new, again.untouched) == (0, True)


def test_only_new_records_are_parsed(sweep: RecordedSweep) -> None:
    add(sweep, 0, 1, 7)
    assert tables(sweep).new == 3
    add(sweep, 2)
    shard(sweep, 8)
    assert tables(sweep).new == 2
    (sweep.path / CURVES).write_bytes((sweep.path / CURVES).read_bytes())
    assert tables(sweep).new == 5


def test_numbers_that_are_not_finite_are_unknown(sweep: RecordedSweep) -> None:
    add(sweep, 0, rewards=["nan", *[1.0] * 15])
    tables(sweep)
    assert pd.read_parquet(sweep.path / RUNS)["train_mean"].isna().tolist() == [True]


def test_what_is_no_record_is_left_out_and_said(
    sweep: RecordedSweep, combine: Callable[..., Result]
) -> None:
    add(sweep, 0, 1)
    sweep.record(1).write_bytes(sweep.encoded(1)[:-9])
    add(sweep, 2, metrics=[1])
    result = combine(sweep.path, "--to", "parquet")
    assert result.exit_code == 1
    assert re.search(r"curves\.parquet: 1 run of 1 setting \(1 new\), \d", result.stdout)
    assert f"left out: {sweep.record(1)}" in result.stderr
    assert f"left out: {sweep.record(2)}" in result.stderr
    for options in (("--prune",), ("--output", "x")):
        assert combine(sweep.path, "--to", "parquet", *options).exit_code == 2


def test_runs_without_curves_have_rows(sweep: RecordedSweep) -> None:
    sweep.add(0)
    tables(sweep)
    assert pd.read_parquet(sweep.path / RUNS)["train_mean"].isna().tolist() == [True]
    assert len(pd.read_parquet(sweep.path / CURVES)) == 0
    sweep.add(1)
    assert tables(sweep).new == 1


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False], "bool"),
        ([1, 2, None], "int64"),
        ([1, 0.5], "double"),
        (["a", None], "string"),
        ([[1, 2]], "string"),
        ([True, 0.5], "string"),
        ([None], "string"),
    ],
)
def test_a_hyperparameter_has_the_type_of_its_values(values: list[Any], kind: str) -> None:
    assert str(arrow_type(values)) == kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None, -3, 2**40], pa.int64()),
        ([0.5, None, -1.0], pa.float64()),
        ([True, None, False] * 5, pa.bool_()),
        (["", None, "Grüße", "b"], pa.string()),
        ([None], pa.string()),
        ([], pa.float64()),
    ],
)
def test_columns_are_those_that_arrow_makes(values: list[Any], kind: Any) -> None:
    made = column(values, kind)
    made.validate(full=True)
    assert made.equals(pa.array(values, kind))


def test_unknown_numbers_are_unknown_in_a_column() -> None:
    assert numbers(np.array([1.0, np.nan])).to_pylist() == [1.0, None]
    assert numbers(np.arange(6).reshape(3, 2)[:, 1]).to_pylist() == [1, 3, 5]


def test_tables_are_made_without_pandas(sweep: RecordedSweep) -> None:
    add(sweep, 0, 1)
    modules = _combine_then("print(*sys.modules)", str(sweep.path), "--to", "parquet").split()
    assert "pyarrow" in modules
    assert {"pandas", "torch", "matplotlib"}.isdisjoint(modules)


def test_loading_is_one_line_and_up_to_date(sweep: RecordedSweep) -> None:
    add(sweep, 0, 1, 7)
    runs = load(sweep.path)
    assert runs["index"].tolist() == [0, 1, 7]
    assert "tilings" not in runs
    assert runs.attrs["constants"]["tilings"] == 16
    shard(sweep, 6, 3)
    sweep.prune()
    runs = load(str(sweep.path), "runs")
    assert runs["index"].tolist() == [0, 6, 1, 7, 3]
    means = runs.groupby("critic_lr")["train_mean"].mean()
    assert list(means.index) == [0.01, 0.1]


def test_points_and_episodes_carry_their_hyperparameters(sweep: RecordedSweep) -> None:
    add(sweep, 0, 1)
    curves = load(sweep.path, "curves")
    assert len(curves) == 2 * (100 + 3 + 2)
    episodes = load(sweep.path, "episodes")
    assert len(episodes) == 32
    for table in (curves, episodes):
        by_index = table.groupby("index")["critic_lr"].unique()
        assert [list(values) for values in by_index] == [[0.01], [0.1]]
    one = episodes[episodes["index"] == 1]
    assert one["return"].tolist() == content(1)["rewards"]
    assert one["timestep"].tolist() == np.cumsum(content(1)["train_episode_steps"]).tolist()
    assert one["finished"].tolist() == [True] * 15 + [False]


def test_a_folder_that_cannot_be_written_to_is_read(
    sweep: RecordedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiment import results
    from experiment.errors import StorageError

    add(sweep, 0, 1)

    def refused(folder: Path, into: Path, show: Any) -> Tabled:
        if into == sweep.path:
            raise StorageError("read-only")
        return write_tables(folder, into, show)

    monkeypatch.setattr(results, "write_tables", refused)
    assert load(sweep.path)["index"].tolist() == [0, 1]
    assert not (sweep.path / RUNS).exists()


def test_no_such_level_and_no_such_folder(sweep: RecordedSweep) -> None:
    with pytest.raises(ConfigError, match="did you mean 'episodes'"):
        load(sweep.path, "episode")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no such folder"):
        load(sweep.path / "nowhere")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_does_not_grow_with_the_records(sweep: RecordedSweep) -> None:
    rewards = [0.123456789012345 * n for n in range(16_000)]
    peaks = []
    for count in (30, 130):
        for index in range(count):
            if not sweep.record(index).exists():
                record = sweep.encoded(index, **content(index, rewards=rewards))
                sweep.record(index).write_bytes(record)
        (sweep.path / RUNS).unlink(missing_ok=True)
        script = "print(open('/proc/self/status').read())"
        status = _combine_then(script, str(sweep.path), "--to", "parquet")
        peaks += [int(peak) for peak in re.findall(r"VmHWM:\s*(\d+) kB", status)]
    assert len(peaks) == 2
    assert peaks[1] < peaks[0] + 25_000
