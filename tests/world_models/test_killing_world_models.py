"""Killed or asked to stop at random moments, a run ends as if it had not been disturbed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from disturbances import disturb
from small_models import QUICK
from sweep_runs import command, comparable, read_run, the_record, write_files

#: Seconds of every stage, so that each is met.
LONGER: dict[str, Any] = {
    "encoder_updates": [1500],
    "sequence_updates": [300],
    "rollouts": [400],
    "workers": [2],
}


@pytest.mark.slow
def test_killed_and_stopped_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    agent = {"agent_name": "WorldModel", "parameters": QUICK | LONGER}
    fields = {"env_name": "CartPole-v1", "total_timesteps": 14_000, "steps_per_episode": 60}
    files = write_files(tmp_path, agent, eval_interval_timesteps=7_000, **fields)

    def start(place: str) -> subprocess.Popen[str]:
        words = command(*files, "--save-dir", tmp_path / place, "--checkpoint-minutes", 0.01)
        return subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)

    disturb(start, 1 / 2)
    run = read_run(the_record(tmp_path / "left"))
    assert comparable(run) == comparable(read_run(the_record(tmp_path / "whole")))
    shared = [path.name for path in (tmp_path / "left").rglob("files/shared/*")]
    assert len(shared) == 4 and not any(name.startswith(".") for name in shared)
