"""A result of a stage is made once, by one process at a time, and is there whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.encoders.training import TrainingStopped
from agents.world_models.cache import VERSIONS, Cache, FileCheckpoint
from experiment.run_files import RunFiles

ROOT = Path(__file__).resolve().parents[2]


def cache(path: Path, said: list[str] | None = None) -> Cache:
    return Cache(RunFiles(path, "run"), (said if said is not None else []).append)


def never() -> bool:
    return False


def writes(text: str, made: list[str]) -> Any:
    def build(part: Path) -> Mapping[str, Any]:
        made.append(text)
        (part / "content").write_text(text)
        return {"text": text}

    return build


def test_what_depends_on_the_same_is_made_once(tmp_path: Path) -> None:
    made: list[str] = []
    one = cache(tmp_path)
    first = one.result("stage", {"a": 1, "b": [2]}, writes("x", made), never)
    again = cache(tmp_path).result("stage", {"b": [2], "a": 1}, writes("y", made), never)
    other = one.result("stage", {"a": 2, "b": [2]}, writes("z", made), never)
    assert first is not None and again is not None and other is not None
    assert made == ["x", "z"]
    assert (first.made, again.made, other.made) == (True, False, True)
    assert (again.path / "content").read_text() == "x"
    assert again.facts == {"text": "x"}
    assert one.found(first.key) == again


def test_a_stage_of_another_version_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    for version in (1, 1, 2):
        monkeypatch.setitem(VERSIONS, "latents", version)
        cache(tmp_path).result("latents", {"a": 1}, writes(str(version), made), never)
    assert made == ["1", "2"]


def test_what_was_left_half_made_is_gone_on_with_and_never_taken_for_a_result(
    tmp_path: Path,
) -> None:
    def stops(part: Path) -> Mapping[str, Any]:
        FileCheckpoint(part).save({"weights": torch.ones(2)})
        raise TrainingStopped

    def ends(part: Path) -> Mapping[str, Any]:
        saved = FileCheckpoint(part).load()
        assert saved is not None
        return {"sum": float(saved["weights"].sum())}

    one = cache(tmp_path)
    assert one.result("stage", {}, stops, never) is None
    (part,) = (tmp_path / "shared").iterdir()
    assert part.name.startswith(".stage-")
    result = cache(tmp_path).result("stage", {}, ends, never)
    assert result is not None and result.facts == {"sum": 2.0}
    assert [path.name for path in result.path.iterdir()] == ["stage.json"]
    assert [path.name for path in (tmp_path / "shared").iterdir()] == [result.key]


def test_an_error_leaves_no_result(tmp_path: Path) -> None:
    def fails(part: Path) -> Mapping[str, Any]:
        (part / "content").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        cache(tmp_path).result("stage", {}, fails, never)
    assert not any(path.name.startswith("stage") for path in (tmp_path / "shared").iterdir())


PROGRAM = """
import sys, time
from pathlib import Path
from agents.world_models.cache import Cache
from experiment.run_files import RunFiles

def build(part):
    print("builds", flush=True)
    (part / "content").write_text("theirs")
    time.sleep({seconds})
    return {{}}

Cache(RunFiles(Path(sys.argv[1]), "other"), print).result("stage", {{}}, build, lambda: False)
"""


def started(path: Path, seconds: float) -> subprocess.Popen[str]:
    program = PROGRAM.format(seconds=seconds)
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "builds\n"
    return process


def test_another_process_that_makes_it_is_waited_for(tmp_path: Path) -> None:
    other, made, said = started(tmp_path, 1.0), list[str](), list[str]()
    # whoever is asked to leave does not wait
    assert cache(tmp_path).result("stage", {}, writes("mine", made), lambda: True) is None
    result = cache(tmp_path, said).result("stage", {}, writes("mine", made), never)
    other.communicate(timeout=60)
    assert result is not None and not result.made and not made
    assert (result.path / "content").read_text() == "theirs"
    assert len(said) == 1 and "waits for" in said[0] and f"process {other.pid}" in said[0]


def test_one_that_was_killed_at_it_is_not_waited_for(tmp_path: Path) -> None:
    other = started(tmp_path, 60.0)
    other.kill()
    other.communicate()
    made: list[str] = []
    result = cache(tmp_path).result("stage", {}, writes("mine", made), never)
    assert result is not None and made == ["mine"]
