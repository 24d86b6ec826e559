"""Killed, rebooted, truncated, edited and gone on with: a sweep has every run once, and right."""

from __future__ import annotations

import subprocess
import sys

from sweep_runs import ROOT


def test_a_tortured_sweep_loses_doubles_falsifies_and_repeats_nothing() -> None:
    options = ("--runs", "160", "--writers", "4", "--truncated", "0.05", "--seed", "1")
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "torture.py", *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (line.partition(":") for line in done.stdout.splitlines())
    score = {name.strip(): int(count) for name, _, count in lines}
    for wrong in ("lost", "doubled", "silently wrong", "needlessly run again"):
        assert score[wrong] == 0
    assert score["killed"] >= 3
    assert score["trees killed"] >= 1
    assert score["truncated"] >= 5
