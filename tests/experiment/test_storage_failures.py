"""A full disk or a forbidden place costs a sentence, never a result."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweep_runs import (
    LINEAR_AC,
    RANDOM,
    ROOT,
    build,
    comparable,
    new_folder,
    read_run,
    run_main,
    the_record,
    write_files,
)

from experiment.errors import StorageError
from experiment.folder import ResultFolder
from experiment.run import Options, Outcome, run_index

#: main.py in a process whose files may not grow beyond a size.
LIMITED = """
import resource, runpy, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
sys.argv = {arguments!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_limited(size: int, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = LIMITED.format(size=size, arguments=[str(ROOT / "main.py"), *arguments])
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_a_record_that_cannot_be_written_is_written_later(tmp_path: Path) -> None:
    whole = write_files(tmp_path, total_timesteps=6000, steps_per_episode=2)
    assert run_main(*whole, "--save-dir", tmp_path / "whole", cwd=tmp_path).returncode == 0
    expected = read_run(the_record(tmp_path / "whole"))

    folder = the_record(tmp_path / "whole").parent
    limited = tmp_path / "limited" / folder.name
    limited.mkdir(parents=True)
    for file in [*folder.glob("*.diff"), folder / "experiment.json"]:
        shutil.copy(file, limited)
    size = 12_000
    assert the_record(tmp_path / "whole").stat().st_size > size
    arguments = (*whole, "--save-dir", str(tmp_path / "limited"))
    done = run_limited(size, *arguments, "--checkpoint-minutes", "0.0001", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "no checkpoint: " in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {limited}/")
    assert "cannot be written: File too large; the record is not written. Free some space" in last
    assert "Traceback" not in done.stderr
    assert not list(limited.rglob("*.tmp"))
    assert not list(limited.glob("*_data_*"))

    assert run_main(*arguments, cwd=tmp_path).returncode == 0
    assert comparable(read_run(the_record(limited))) == comparable(expected)
    assert not any((limited / "running").iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no small disk can be made: {error}")
    if done.returncode != 0:
        pytest.skip(f"no small disk can be mounted: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_on_a_full_disk_the_training_is_kept_and_ends_right(
    small_disk: Path, tmp_path: Path
) -> None:
    files = write_files(tmp_path, total_timesteps=6000, steps_per_episode=2)
    expected_folder = tmp_path / "whole"
    assert run_main(*files, "--save-dir", expected_folder, cwd=tmp_path).returncode == 0
    shutil.copytree(
        the_record(expected_folder).parent,
        small_disk / the_record(expected_folder).parent.name,
        ignore=shutil.ignore_patterns("*_data_*"),
    )
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - 20_000))
    arguments = (*files, "--save-dir", small_disk)
    done = run_main(*arguments, "--checkpoint-minutes", "0.0005", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(small_disk.rglob("*.tmp"))

    filler.unlink()
    assert run_main(*arguments, cwd=tmp_path).returncode == 0
    assert comparable(read_run(the_record(small_disk))) == comparable(
        read_run(the_record(expected_folder))
    )


def test_a_finished_training_is_kept_as_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = build(LINEAR_AC)
    run_index(experiment, new_folder(tmp_path / "whole", experiment), 4, Options())
    folder = new_folder(tmp_path / "folder", experiment)

    def fail(*arguments: object) -> None:
        raise StorageError("record.json: cannot be written: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ResultFolder, "write", fail)
        with pytest.raises(StorageError, match="The finished training is kept as a checkpoint"):
            run_index(experiment, folder, 4, Options())
    assert run_index(experiment, folder, 4, Options()) is Outcome.COMPLETED
    assert comparable(read_run(the_record(tmp_path / "folder", 4))) == comparable(
        read_run(the_record(tmp_path / "whole", 4))
    )


def test_a_record_that_cannot_be_written_in_the_middle_of_a_lunar_landing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This environment cannot be saved within an episode, and the last one is cut by the end."""
    experiment = build(RANDOM, env_name="LunarLander-v3", total_timesteps=30, eval_episodes=0)
    folder = new_folder(tmp_path, experiment)

    def fail(*arguments: object) -> None:
        raise StorageError("record.json: cannot be written: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ResultFolder, "write", fail)
        with pytest.raises(StorageError, match="it goes on from its last checkpoint"):
            run_index(experiment, folder, 0, Options())
    assert run_index(experiment, folder, 0, Options()) is Outcome.COMPLETED
    assert read_run(the_record(tmp_path))["last_episode_unfinished"]


@pytest.mark.parametrize("place", ["environment.json/below", "/proc/below", "x" * 300])
def test_a_place_that_cannot_be_written_to_is_refused_before_training(
    place: str, tmp_path: Path
) -> None:
    files = write_files(tmp_path)
    save_dir = place if place.startswith("/") else str(tmp_path / place)
    done = run_main(*files, "--save-dir", save_dir, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: --save-dir: {save_dir}")


def test_a_damaged_manifest_is_an_error_and_stays(tmp_path: Path) -> None:
    files = write_files(tmp_path, total_timesteps=5, eval_episodes=0)
    arguments = (*files, "--save-dir", tmp_path / "out")
    assert run_main(*arguments, cwd=tmp_path).returncode == 0
    (manifest,) = (tmp_path / "out").rglob("experiment.json")
    content = json.loads(manifest.read_text())
    damages = [
        b"",
        b"[]",
        b"{}",
        json.dumps(content | {"format": 99}).encode(),
        json.dumps(content | {"problem": []}).encode(),
        json.dumps(content | {"grid": content["grid"] | {"size": 7}}).encode(),
        json.dumps(
            content | {"grid": {"size": 1, "constants": {}, "axes": [{"names": [], "draws": []}]}}
        ).encode(),
    ]
    for damage in damages:
        manifest.write_bytes(damage)
        done = run_main(*arguments, cwd=tmp_path)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"error: {manifest}: ")
        assert manifest.read_bytes() == damage
