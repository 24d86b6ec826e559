"""Killed, rebooted, truncated, edited and gone on with: a sweep has every run once, and right."""

from __future__ import annotations

from pathlib import Path

from benchmarks.torture import SETTINGS_BEFORE, Score, torture


def test_a_tortured_sweep_loses_doubles_falsifies_and_repeats_nothing(tmp_path: Path) -> None:
    runs = 160 // SETTINGS_BEFORE
    score, damage = torture(tmp_path, runs, writers=4, truncated=0.05, seed=1)
    assert score == Score(lost=0, doubled=0, silently_wrong=0, needlessly_run_again=0)
    assert damage.killed >= 3
    assert damage.trees_killed >= 1
    assert damage.truncated >= 5
