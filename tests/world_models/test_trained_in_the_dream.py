"""What controllers that know the dream alone are worth, with the configuration that is shipped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from left_runs import train
from sweep_runs import ROOT, build, new_folder

from experiment.configuration import read_experiment

CONFIG = ROOT / "config"


@pytest.mark.slow
def test_what_is_learned_in_the_dream_holds_in_the_game_unless_the_dream_is_without_danger(
    tmp_path: Path,
) -> None:
    files = read_experiment(
        CONFIG / "environment" / "TakeCover-v1.json",
        CONFIG / "agent" / "WorldModel_take_cover_dream.json",
    ).files
    experiment = build(files["agent"], **files["environment"])
    folder = new_folder(tmp_path, experiment)
    dreamt, played = [], []
    for index in (0, 3):  # at temperatures 0.1 and 1.5
        results, _ = train(experiment, index, [], path=tmp_path)
        played.append(float(np.mean(results["eval_episode_rewards"][-1])))
        summary = folder.files(folder.run(index)).run / "world_model.json"
        dreamt.append(json.loads(summary.read_text())["metrics"]["dream_return"])
    # who does nothing survives 52 of 200 steps
    assert dreamt[0] > 170
    assert played[0] < 120
    assert dreamt[1] > 120
    assert played[1] > 130
