"""schedule.py --status DIR...: how experiments stand, for a person and for a program."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from small_sweep import SmallSweep
from sweep_runs import LINEAR_AC, ROOT, build, new_folder
from test_missing_runs import sealed

from experiment import record
from experiment.folder import ResultFolder
from experiment.scheduling import events, missing, submission
from experiment.scheduling.events import Ended
from experiment.scheduling.overview import standing_of
from experiment.scheduling.standing import sweep_in
from experiment.shard_writer import ShardWriter
from schedule import main


def status(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["--status", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def write(folder: ResultFolder, *indices: int, status: str = "completed") -> None:
    for index in indices:
        _, params, run = record.load(sealed(folder, index))
        files = dict(folder.manifest.files)
        setting = folder.run(index).setting
        data = record.encode(files, setting, params, run | {"status": status})
        folder.record_path(index).write_bytes(data)


def test_a_folder_and_a_sweep_say_the_same(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path)
    assert sweep.schedule("--runs", 3, "--shard").code == 0
    assert len(list((sweep.results / "shards").glob("*.jsonl"))) == 1
    code, said, _ = status(sweep.results)
    assert code == 0
    assert said == (f"{sweep.results}: 3 runs, 3 done, 0 running, 0 queued, 0 failed, 0 missing\n")
    (of_folder,) = json.loads(status(sweep.results, "--json")[1])
    (of_sweep,) = json.loads(sweep.schedule("--runs", 3, "--status", "--json").said)
    assert Path(of_sweep.pop("folder")).name == Path(of_folder.pop("folder")).name
    assert of_sweep == of_folder
    assert (of_folder["runs"], of_folder["done"], of_folder["diverged"]) == (3, 3, 0)


def test_diverged_runs_are_counted_wherever_they_are(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "sweep", build(LINEAR_AC))
    write(folder, 0, 1)
    write(folder, 2, 3, status="diverged")
    writer = ShardWriter(folder.path)
    writer.append(sealed(folder, 4))
    assert missing.records(folder).diverged == {2, 3}
    code, said, _ = status(folder.path)
    assert code == 0
    assert "5 runs, 5 done, 0 running, 0 queued, 0 failed, 0 missing" in said
    assert "  2 of the done diverged" in said


def test_speed_and_end_by_what_jobs_have_written(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path)
    sweep.schedule("--runs", 2)
    (sent,) = submission.all_of(sweep.results)
    found = sweep_in(sweep.results, 30)
    now = time.time()
    sent.events_path(0).unlink()
    writer = events.Writer(sent.events_path(0))
    # ten runs of 1000 steps in the last 100 seconds, each of 50
    for index in range(10):
        writer.write(Ended([index], "done", now - 50 * (index % 2), 50.0, 50.0, 1, timesteps=1000))
    writer.close()
    with found.folder.lock(found.folder.run(7)):
        found.look({}, {}, attempts=3, retry_failed=False)
        one = standing_of(found)
    assert (one.runs, one.done, one.running) == (30, 2, 1)
    assert one.steps_per_second == pytest.approx(100, rel=0.05)
    assert one.seconds_left == pytest.approx(280, rel=0.05)


def test_errors_are_grouped_with_an_example(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path)
    program = tmp_path / "fails.py"
    program.write_text("import sys\nsys.exit('no such thing')\n")
    sweep.program = program
    sweep.schedule("--runs", 3)
    code, said, _ = status(sweep.results)
    assert code == 0
    assert "3 runs, 0 done, 0 running, 0 queued, 3 failed, 0 missing" in said
    assert "  3 x failed: no such thing" in said
    (one,) = json.loads(status(sweep.results, "--json")[1])
    (error,) = one["errors"]
    assert (error["runs"], error["indices"], error["example"]) == (3, "0-2", 0)
    assert any("no such thing" in line for line in error["log"])


def test_watching_shows_what_changes(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / "sweep", build(LINEAR_AC))
    write(folder, 0)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from experiment.scheduling import status_command\n"
        "status_command._REDRAWN_SECONDS = 0.05\n"
        "from schedule import main; main(sys.argv[2:])"
    )
    command = [sys.executable, "-c", program, str(ROOT), "--status", str(folder.path)]
    watcher = subprocess.Popen(
        [*command, "--watch", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert watcher.stdout is not None
    try:
        assert json.loads(watcher.stdout.readline())[0]["done"] == 1
        write(folder, 1)
        assert json.loads(watcher.stdout.readline())[0]["done"] == 2
    finally:
        watcher.terminate()
        watcher.communicate()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nowhere"], "Missing argument 'EXECUTABLE'"),
        ([".", "nowhere"], "--status: nowhere: no such folder"),
        (["."], "no experiment.json in it"),
    ],
)
def test_other_words_are_refused(
    words: list[Any], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, complained = status(*words)
    assert code == 2
    assert complaint in complained
