"""IRIS learns Catch in minutes of one core, and knows what it imagines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from left_runs import train
from sweep_runs import ROOT, build, new_folder

from experiment.configuration import read_experiment

CONFIG = ROOT / "config"

KINDS: dict[str, dict[str, Any]] = {
    "transformer": {},
    "dummy": {"world_model": ["dummy"]},
    "delta": {
        "tokenizer_delta": [True],
        "tokenizer_frame_channels": [32],
        "world_model_frame_channels": [[16, 32]],
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_catch_is_learned_in_imagination(kind: str, tmp_path: Path) -> None:
    files = read_experiment(
        CONFIG / "environment" / "Catch-v1.json", CONFIG / "agent" / "IRIS_catch.json"
    ).files
    agent = files["agent"]
    agent["parameters"] |= KINDS[kind]
    experiment = build(agent, **files["environment"])
    folder = new_folder(tmp_path, experiment)
    train(experiment, 0, [], path=tmp_path)
    script = ROOT / "benchmarks" / "catch.py"
    output = tmp_path / "figures.json"
    run = folder.files(folder.run(0)).run
    command: list[str | Path] = [sys.executable, script, run, "-o", output]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "*" not in done.stdout
    (found,) = json.loads(output.read_text()).values()
    assert found["episodes"] >= 90
