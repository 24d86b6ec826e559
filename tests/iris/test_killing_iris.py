"""Killed or asked to stop at random moments, a run of IRIS ends as if it had not been disturbed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from disturbances import disturb
from small_runs import FIELDS, agent_file
from sweep_runs import command, comparable, read_run, the_record, write_files


@pytest.mark.slow
def test_killed_and_stopped_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    longer = {"tokenizer_steps": [20], "world_model_steps": [30], "dataset_capacity": [200]}
    fields = FIELDS | {"total_timesteps": 1_200, "eval_interval_timesteps": 500}
    files = write_files(tmp_path, agent_file(longer), **fields)

    def start(place: str) -> subprocess.Popen[str]:
        words = command(*files, "--save-dir", tmp_path / place, "--checkpoint-minutes", 0.01)
        return subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)

    disturb(start, 1 / 3)
    run = read_run(the_record(tmp_path / "left"))
    assert comparable(run) == comparable(read_run(the_record(tmp_path / "whole")))
    networks = [next((tmp_path / place).rglob("networks.pt")) for place in ("left", "whole")]
    assert networks[0].read_bytes() == networks[1].read_bytes()
