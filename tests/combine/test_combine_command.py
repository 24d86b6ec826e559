"""combine.py: one line when it is done, one sentence when it is not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from recorded_sweep import RecordedSweep

Combine = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[2]


def test_a_line_says_what_was_done(sweep: RecordedSweep, combine: Combine) -> None:
    sweep.add(*range(11))
    result = combine(sweep.path)
    assert result.exit_code == 0
    line = r".*data\.json: 11 runs of 6 settings \(11 new\), [\d.]+ kB, \d+\.\d s\n"
    assert re.fullmatch(line, result.output)
    sweep.add(11)
    assert "12 runs of 6 settings (1 new)" in combine(sweep.path).output
    assert "(nothing new, left untouched)" in combine(sweep.path).output


def test_several_folders_are_combined_each_by_itself(
    sweep: RecordedSweep, combine: Combine, tmp_path: Path
) -> None:
    second = RecordedSweep(tmp_path / "second", gamma=0.5)
    sweep.add(0)
    second.add(1, 2)
    result = combine(sweep.path, tmp_path / "missing", second.path)
    assert result.exit_code == 2
    assert sweep.indices() == [0]
    assert second.indices() == [1, 2]


def test_another_place_has_an_index_of_its_own(
    sweep: RecordedSweep, combine: Combine, tmp_path: Path
) -> None:
    output = tmp_path / "all.json"
    sweep.add(0, 1)
    assert combine(sweep.path, "--output", output).exit_code == 0
    sweep.add(2)
    assert "(1 new)" in combine(sweep.path, "--output", output).output
    assert not sweep.data.exists()
    assert output.read_bytes() == sweep.merged_from_scratch()


def test_output_is_for_one_folder(sweep: RecordedSweep, combine: Combine, tmp_path: Path) -> None:
    result = combine(sweep.path, sweep.path, "--output", tmp_path / "all.json")
    assert result.exit_code == 2


@pytest.mark.parametrize(
    "name", ["experiment.json", "combine_report.json", "a_b_data_3.json", ".", "missing/all.json"]
)
def test_output_never_replaces_anything_else(
    sweep: RecordedSweep, combine: Combine, name: str
) -> None:
    sweep.add(0)
    result = combine(sweep.path, "--output", sweep.path / name)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: --output: ")
    assert result.stderr.count("\n") == 1


def test_no_record_yet(sweep: RecordedSweep, combine: Combine) -> None:
    result = combine(sweep.path)
    assert result.exit_code == 2
    assert result.stderr == f"error: {sweep.path}: there is no record yet\n"


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("swep", "no such folder"),
        (".", "no experiment.json in it"),
        ("sweep/running", "no experiment.json in it"),
        ("sweep/experiment.json", "not a folder"),
        ("some/where/else", "no such folder"),
    ],
)
def test_no_results_folder_names_the_nearest(
    sweep: RecordedSweep,
    combine: Combine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
    problem: str,
) -> None:
    (sweep.path / "running").mkdir()
    RecordedSweep(tmp_path / "zebra" / "crossing")
    monkeypatch.chdir(tmp_path)
    result = combine(asked)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {asked}: {problem}; did you mean ")
    if asked != "some/where/else":
        assert result.stderr.endswith("did you mean sweep?\n")


def test_no_results_folder_anywhere(combine: Combine, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    result = combine(tmp_path / "a" / "b")
    assert result.exit_code == 2
    assert "a results folder is where main.py wrote experiment.json" in result.stderr


def test_a_damaged_manifest_is_one_sentence(sweep: RecordedSweep, combine: Combine) -> None:
    (sweep.path / "experiment.json").write_bytes(b"{")
    result = combine(sweep.path)
    assert result.exit_code == 1
    assert "damaged" in result.stderr


def test_a_full_disk_leaves_the_file_as_it_was(sweep: RecordedSweep) -> None:
    """A limit on the size of files stands for the disk."""
    sweep.add(0, 1)
    sweep.merge()
    before = sweep.data.read_bytes()
    sweep.add(2, rewards=range(100_000))
    limited = (
        "import resource, sys; sys.argv = sys.argv[1:]; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); "
        "from combine import main; main()"
    )
    result = _python("-c", limited, "combine.py", str(sweep.path))
    assert result.returncode == 1
    assert result.stderr == f"error: {sweep.data}: cannot be written: File too large\n"
    assert sweep.data.read_bytes() == before
    assert not list(sweep.path.glob("*.tmp"))


def test_help_and_merging_import_nothing_heavy(sweep: RecordedSweep) -> None:
    sweep.add(0)
    heavy = {"torch", "gymnasium", "numba", "matplotlib", "rich", "scipy", "pandas", "numpy"}
    merging = _combine_then("print(*sys.modules)", str(sweep.path)).split()
    assert "experiment.merge" in merging
    assert heavy.isdisjoint(merging)
    helping = _combine_then("print(*sys.modules)", "--help").split()
    assert "combine" in helping
    assert (heavy | {"orjson", "experiment"}).isdisjoint(helping)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_does_not_grow_with_the_records(sweep: RecordedSweep) -> None:
    rewards = [0.123456789012345 * n for n in range(16_000)]
    for index in range(1000):
        sweep.record(index).write_bytes(sweep.encoded(index, rewards=rewards))
    assert sum(path.stat().st_size for path in sweep.path.iterdir()) > 290e6
    peaks = []
    for _ in ("from scratch", "mostly copied from the file before"):
        status = _combine_then("print(open('/proc/self/status').read())", str(sweep.path))
        peaks += [int(peak) for peak in re.findall(r"VmHWM:\s*(\d+) kB", status)]
        sweep.record(500).unlink(missing_ok=True)
    assert len(peaks) == 2
    assert max(peaks) < 60_000
    assert len(sweep.indices()) == 999


def _combine_then(code: str, *arguments: str) -> str:
    """What `code` prints at the end of a process that combined."""
    script = f"import sys\nfrom combine import main\ntry: main()\nexcept SystemExit: {code}"
    return _python("-c", script, *arguments).stdout


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
