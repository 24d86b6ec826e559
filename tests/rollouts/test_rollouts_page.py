"""The examples of docs/rollouts.md run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rollout_cases import a_folder

from agents.rollouts.reading import Rollouts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "rollouts.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    a_folder(Path("rollouts/car"), 12, 5)
    reading, writing = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(reading + writing, {})
    assert Rollouts("rollouts/copy").content_hash == Rollouts("rollouts/car").content_hash
    assert Path("rollouts/copy/rollouts-00000-of-00001.h5").exists()
