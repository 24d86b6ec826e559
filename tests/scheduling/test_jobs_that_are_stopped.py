"""A job that is asked to stop, put back, or killed: every run is saved, and none is left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batch_submission import DEAF, ENVIRONMENT, happened, prepare, write_program
from brittle_jobs import ends, left, of_brittle, own_program, processes_with, run
from small_sweep import records_below
from sweep_runs import ROOT

from experiment.lock import JOB_VARIABLE
from experiment.scheduling import submission
from experiment.scheduling.events import Progressed, Started
from experiment.scheduling.job import Result, run_task
from experiment.scheduling.submission import Submission
from experiment.scheduling.task_log import lines_of

# xdist has a thread of its own, which the processes of a pool do without
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
    pytest.mark.usefixtures("this_process_is_a_node", "short_grace"),
]


# -- signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT])
def test_asked_to_stop_it_saves_every_run(tmp_path: Path, number: signal.Signals) -> None:
    long = ENVIRONMENT | {"total_timesteps": 100_000, "eval_episodes": 0}
    sent = of_brittle(tmp_path, ["slow"] * 4, problem=long)
    before = signal.getsignal(number)

    def ask(event: object) -> None:
        if isinstance(event, Progressed) and event.timestep > 0:
            os.kill(os.getpid(), number)

    result = run_task(sent, 0, ask)
    assert (result, result.exit_code) == (Result(0, 4, number.name), 75)
    assert signal.getsignal(number) is before
    assert left(sent).why == number.name
    running = sorted(path.suffix for path in Path(sent.results).glob("running/*"))
    assert running == [".checkpoint"] * 2
    assert sorted(ends(sent).values()) == [["saved"], ["saved"]]


def test_asked_to_stop_before_it_began_it_begins_nothing(tmp_path: Path) -> None:
    sent = of_brittle(tmp_path, ["well"] * 4)

    def ask(event: object) -> None:
        if isinstance(event, Started):
            os.kill(os.getpid(), signal.SIGTERM)

    assert run_task(sent, 0, ask) == Result(0, 4, "SIGTERM")
    assert records_below(tmp_path) == {}


def test_one_that_does_not_listen_is_killed_in_the_end(tmp_path: Path) -> None:
    sent = prepare(tmp_path, "local", ["0"], program=write_program(tmp_path, DEAF))

    def ask(event: object) -> None:
        if isinstance(event, Progressed):
            os.kill(os.getpid(), signal.SIGTERM)

    assert run_task(sent, 0, ask) == Result(0, 1, "SIGTERM")
    assert ends(sent) == {0: ["saved"]}


def test_signalled_together_with_its_runs_it_takes_none_for_killed(tmp_path: Path) -> None:
    program = own_program(tmp_path, 'touch "began $6"; exec sleep 1000')
    sent = prepare(tmp_path, "local", ["0-1"], program=f"'{program}'", chunk={"slots": 2})
    process = start(sent, start_new_session=True)
    wait_until(lambda: len(list(tmp_path.glob("began *"))) == 2, process)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 75
    assert ends(sent) == {0: ["saved"], 1: ["saved"]}


# -- requeued


def test_put_back_it_does_not_try_again_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = of_brittle(tmp_path, ["raises", "well", "killed"])
    assert run(sent) == Result(2, 0, None)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert run(sent) == Result(2, 0, None)
    assert ends(sent)[0] == ["failed"]
    # sent once more, it does
    monkeypatch.setenv("SLURM_RESTART_COUNT", "0")
    assert run(sent) == Result(2, 0, None)
    assert ends(sent)[0] == ["failed", "failed"]


# -- the job as a process


def start(sent: Submission, *more: object, **how: Any) -> subprocess.Popen[str]:
    """With the brittle agent."""
    program = (
        "import sys, agents, brittle_agent; agents.AGENTS |= brittle_agent.AGENTS;"
        "from experiment.scheduling.job import main; sys.exit(main(sys.argv[1:]))"
    )
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    environment = {**os.environ, "PYTHONPATH": path}
    del environment[JOB_VARIABLE]
    return subprocess.Popen(
        [sys.executable, "-c", program, str(sent.folder), "0", *map(str, more)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **how,
    )


def wait_until(true: Callable[[], object], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_killed_a_job_leaves_no_process_and_its_runs_go_on_later(tmp_path: Path) -> None:
    long = ENVIRONMENT | {"total_timesteps": 400, "eval_interval_timesteps": 100}
    sent = of_brittle(tmp_path / "killed", ["slow"] * 3, problem=long)
    process = start(sent, start_new_session=True)
    wait_until(lambda: len(list(Path(sent.results).glob("running/*.lock"))) == 2, process)
    time.sleep(0.3)
    process.kill()
    process.communicate()
    end = time.monotonic() + 30
    while processes_with(2, process.pid):
        assert time.monotonic() < end, "a process was left behind"
        time.sleep(0.01)
    left_over = sorted(path.suffix for path in Path(sent.results).glob("running/*"))
    assert left_over == [".checkpoint"] * 2

    assert run(sent).exit_code == 0
    whole = of_brittle(tmp_path / "whole", ["slow"] * 3, problem=long)
    assert run(whole).exit_code == 0
    assert records_below(tmp_path / "killed") == records_below(tmp_path / "whole")
    assert "resumes at timestep" in "".join(lines_of(sent.log_path(0), 0))


def test_killed_a_job_takes_programs_with_it(tmp_path: Path) -> None:
    program = own_program(tmp_path, 'touch "began $6"; exec sleep 1000')
    sent = prepare(tmp_path, "local", ["0-1"], program=f"'{program}'", chunk={"slots": 2})
    process = start(sent, start_new_session=True)
    wait_until(lambda: len(list(tmp_path.glob("began *"))) == 2, process)
    process.kill()
    process.communicate()
    end = time.monotonic() + 30
    while processes_with(2, process.pid):
        assert time.monotonic() < end, "a process was left behind"
        time.sleep(0.01)


def test_a_job_ends_when_its_parent_does(tmp_path: Path) -> None:
    sent = of_brittle(tmp_path, ["well"])
    process = start(sent, 1, 1, pass_fds=[1])
    process.communicate(timeout=60)
    assert process.returncode == 75  # process 1 is not its parent
    assert happened(sent, 0) == []


def test_what_cannot_be_run_at_all_is_said_in_a_sentence(tmp_path: Path) -> None:
    sent = of_brittle(tmp_path, ["well"])
    for arguments, sentence in (
        ([sent.folder, 4], f"error: {sent.folder}: has 1 tasks, no number 4\n"),
        ([tmp_path / "x", 0], f"error: {tmp_path}/x/submission.json: cannot be read: No such file"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "experiment.scheduling.job", *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr.startswith(sentence)
        assert done.returncode in (1, 2)
        assert len(done.stderr.splitlines()) == 1
    assert submission.read(sent.folder) == sent
