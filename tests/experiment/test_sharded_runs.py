"""Runs whose records share a file: found, done again, taken back, as those with own files."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweep_runs import RANDOM, build, comparable, new_folder, read_run, run_main, write_files

from experiment import record
from experiment.folder import ResultFolder
from experiment.replay import replay_record
from experiment.run import Options, Outcome, run_index
from experiment.scheduling import missing
from experiment.shard_writer import ShardWriter

EXPERIMENT = build(RANDOM, total_timesteps=40, eval_interval_timesteps=40, eval_episodes=1)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[ResultFolder]:
    yield sharding(new_folder(tmp_path / "sweep", EXPERIMENT))
    gc.unfreeze()


def sharding(folder: ResultFolder) -> ResultFolder:
    """The folder as another process with --shard has it."""
    other = ResultFolder(folder.path, folder.manifest)
    other.writer = ShardWriter(folder.path)
    return other


def shards(folder: ResultFolder) -> list[Path]:
    return sorted((folder.path / "shards").glob("*.jsonl"))


def run(folder: ResultFolder, index: int, *, force: bool = False) -> Outcome:
    return run_index(EXPERIMENT, folder, index, Options(force=force))


def test_a_line_is_the_file_that_would_have_been(folder: ResultFolder, tmp_path: Path) -> None:
    for index in range(3):
        assert run(folder, index) is Outcome.COMPLETED
    (shard,) = shards(folder)
    lines = shard.read_bytes().splitlines(keepends=True)
    in_files = new_folder(tmp_path / "files", EXPERIMENT)
    for index, line in enumerate(lines):
        run(in_files, index)
        expected = read_run(in_files.record_path(index))
        assert comparable(record.load(line)[2]) == comparable(expected)
        assert folder.where(folder.run(index)) == shard
    assert not list(folder.path.glob("*_data_*"))
    assert not list((folder.path / "running").iterdir())


def test_what_is_finished_is_left_alone_by_this_process_and_others(folder: ResultFolder) -> None:
    run(folder, 0)
    assert run(folder, 0) is Outcome.FINISHED_BEFORE
    other = sharding(folder)
    assert run(other, 0) is Outcome.FINISHED_BEFORE
    assert run(other, 1) is Outcome.COMPLETED
    assert run(new_folder(folder.path, EXPERIMENT), 1) is Outcome.FINISHED_BEFORE
    assert len(shards(folder)) == 2


def test_a_torn_line_is_a_run_that_is_missing(folder: ResultFolder) -> None:
    run(folder, 0)
    run(folder, 1)
    (shard,) = shards(folder)
    shard.write_bytes(shard.read_bytes()[:-100])
    again = sharding(folder)
    assert missing.records(again).whole == {0}
    assert run(again, 0) is Outcome.FINISHED_BEFORE
    assert run(again, 1) is Outcome.COMPLETED
    assert missing.records(again).whole == {0, 1}


def test_done_again_on_request_the_new_record_counts(folder: ResultFolder) -> None:
    run(folder, 0)
    assert run(sharding(folder), 0, force=True) is Outcome.COMPLETED
    assert len(shards(folder)) == 1
    assert folder.where(folder.run(0)) == folder.record_path(0)
    assert run(folder, 0, force=True) is Outcome.COMPLETED


def test_an_orphan_in_a_shard_is_taken_back_by_its_own_run(folder: ResultFolder) -> None:
    run(folder, 0)
    (shard,) = shards(folder)
    tree = shard.read_bytes()
    experiment, params, content = record.load(tree)
    shard.write_bytes(record.encode(experiment, 0, params, content | {"index": 5, "run_number": 5}))
    again = sharding(folder)
    assert missing.records(again).whole == set()
    assert run(again, 0) is Outcome.FINISHED_BEFORE
    assert missing.records(again).whole == {0}
    line = again.shards.find(0)
    assert line is not None
    assert record.load(again.shards.read(line))[2] == content


def test_a_record_in_a_shard_is_replayed(
    folder: ResultFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folder, 2)
    assert replay_record(folder.path, Options(), 2) == 0
    assert "reproduced to the last bit" in capsys.readouterr().out


def test_from_the_command_line(tmp_path: Path) -> None:
    files = write_files(tmp_path, RANDOM, total_timesteps=40)
    done = run_main(*files, "--runs", 2, "--shard", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (shard,) = tmp_path.rglob("*.jsonl")
    assert [json.loads(line)["seal"]["setting"] for line in shard.read_bytes().splitlines()] == [
        0,
        0,
    ]
    refused = run_main(*files, "--shard", "--record", "train_states", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--shard and --record exclude one another" in refused.stderr
