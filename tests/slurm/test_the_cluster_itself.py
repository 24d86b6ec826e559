"""What the other tests take for granted of the cluster, and what Slurm does to a task."""

from __future__ import annotations

import contextlib
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import slurm_cluster
import submitit
from slurm_cluster import SlurmCluster, require_slurm, wait_until

HERE = Path(__file__).parent
WITNESSES = {"task", "child", "distant child"}


def executor(folder: Path) -> submitit.AutoExecutor:
    """As a sweep would submit: steps of srun, one file for both outputs."""
    made = submitit.AutoExecutor(folder, cluster="slurm")
    made.update_parameters(
        cpus_per_task=1, timeout_min=5, slurm_use_srun=True, stderr_to_stdout=True
    )
    return made


def witness(slurm: SlurmCluster, file: Path, *options: object) -> str:
    """A job whose task notes its signals, once it runs."""
    file.touch()
    job = slurm.submit(f"srun {sys.executable} {HERE}/signal_witness.py {file}", *options)
    wait_until(lambda: file.read_text().count("begins") == len(WITNESSES))
    return job


def those_who_got(name: str, file: Path) -> set[str]:
    """Who of the witness's processes noted a signal."""
    notes = [line.rpartition(" ") for line in file.read_text().splitlines()]
    return {who for who, _, what in notes if what == name}


def test_an_array_of_submitit_completes(slurm: SlurmCluster, tmp_path: Path) -> None:
    jobs = executor(tmp_path).map_array(math.sqrt, [0.0, 1.0, 4.0, 9.0, 16.0])
    assert [job.result() for job in jobs] == [0.0, 1.0, 2.0, 3.0, 4.0]
    array = jobs[0].job_id.partition("_")[0]
    assert [job.job_id for job in jobs] == [f"{array}_{task}" for task in range(5)]
    wait_until(lambda: {slurm.sacct_state(job.job_id) for job in jobs} == {"COMPLETED"})
    assert slurm.run("squeue", "-h") == ""


def test_a_raising_function_is_a_failed_job(slurm: SlurmCluster, tmp_path: Path) -> None:
    job = executor(tmp_path).submit(math.sqrt, -1.0)
    assert isinstance(job.exception(), submitit.core.utils.FailedJobError)
    wait_until(lambda: slurm.sacct_state(job.job_id) == "FAILED")
    assert "ValueError" in (job.stdout() or "")


def test_the_warning_before_the_time_limit_reaches_the_task_and_all_below_it(
    slurm: SlurmCluster, tmp_path: Path
) -> None:
    file = tmp_path / "signals"
    job = witness(slurm, file, "--time=1", "--signal=USR1@30")
    wait_until(lambda: those_who_got("SIGUSR1", file) == WITNESSES)
    assert slurm.state(job) == "RUNNING"
    assert those_who_got("SIGTERM", file) == set()


def test_a_cancelled_task_is_asked_and_then_killed(slurm: SlurmCluster, tmp_path: Path) -> None:
    file = tmp_path / "signals"
    job = witness(slurm, file)
    slurm.run("scancel", job)
    wait_until(lambda: those_who_got("SIGTERM", file) == WITNESSES)
    # all of them ignore it for KillWait seconds
    told = slurm.job(job)
    assert (told["JobState"], told["Restarts"], told["Reason"]) == ("COMPLETING", "0", "None")
    wait_until(lambda: slurm.state(job) == "CANCELLED")
    wait_until(lambda: slurm.sacct_state(job) == "CANCELLED by 0")


def test_a_requeued_task_is_asked_killed_and_begins_again(
    slurm: SlurmCluster, tmp_path: Path
) -> None:
    file = tmp_path / "signals"
    array = witness(slurm, file, "--array=3")
    slurm.run("scontrol", "requeue", f"{array}_3")
    wait_until(lambda: those_who_got("SIGTERM", file) == WITNESSES)
    # unlike a cancelled one it counts a restart, from the first signal on
    told = slurm.job(f"{array}_3")
    assert (told["JobState"], told["Restarts"]) == ("COMPLETING", "1")
    wait_until(lambda: slurm.state(f"{array}_3") == "PENDING")
    assert slurm.job(f"{array}_3")["Reason"] == "BeginTime"
    slurm.begin_at_once(f"{array}_3")
    wait_until(lambda: "task begins, restarts: 1" in file.read_text())
    assert "task begins, restarts: none" in file.read_text()


def test_a_requeued_task_begins_again_by_itself(slurm: SlurmCluster) -> None:
    job = slurm.submit("exec sleep 600")
    wait_until(lambda: slurm.state(job) == "RUNNING")
    slurm.run("scontrol", "requeue", job)
    wait_until(lambda: slurm.state(job) == "PENDING")
    wait_until(lambda: slurm.state(job) == "RUNNING", 30)


def test_a_job_outlives_a_restart_of_the_daemons(slurm: SlurmCluster, tmp_path: Path) -> None:
    file = tmp_path / "signals"
    job = witness(slurm, file)
    slurm.stop_slurmd()
    slurm.stop_slurmctld()
    slurm.start_slurmctld()
    assert slurm.state(job) == "RUNNING"
    slurm.start_slurmd()
    slurm.run("scancel", "--signal=USR2", job)
    wait_until(lambda: those_who_got("SIGUSR2", file) == WITNESSES)
    assert slurm.state(job) == "RUNNING"


def test_a_job_beyond_its_memory_fails_and_says_why(slurm: SlurmCluster, tmp_path: Path) -> None:
    code = "import time; kept = bytearray(b'x') * 300_000_000; time.sleep(60)"
    output = tmp_path / "output"
    job = slurm.submit(f'srun {sys.executable} -c "{code}"', "--mem=100", f"--output={output}")
    wait_until(lambda: slurm.sacct_state(job) == "FAILED")
    # OUT_OF_MEMORY is what the kernel's control groups tell, which a test cannot presume
    assert slurm.sacct_states(job)[f"{job}.0"] == "CANCELLED by 0"
    assert "Exceeded job memory limit" in output.read_text()


def test_four_jobs_run_at_once_whatever_the_machine_has(slurm: SlurmCluster) -> None:
    array = slurm.submit("exec sleep 600", "--array=0-4")
    wait_until(lambda: slurm.run("squeue", "-h", "-o", "%t").split().count("R") == 4)
    assert slurm.state(f"{array}_4") == "PENDING"


def test_an_index_beyond_the_largest_array_is_refused(slurm: SlurmCluster) -> None:
    slurm.submit("true", "--array=20")
    with pytest.raises(RuntimeError, match="Invalid job array specification"):
        slurm.submit("true", "--array=21")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.usefixtures("slurm")  # where this is skipped, so is that
def test_a_cluster_ends_with_its_process_however_that_ends(number: int) -> None:
    program = (
        "from slurm_cluster import *\n"
        "import time\n"
        "cluster = SlurmCluster()\n"
        "cluster.start()\n"
        "job = cluster.submit('trap : TERM; setsid sleep 600')\n"
        "wait_until(lambda: cluster.state(job) == 'RUNNING')\n"
        "print(cluster.folder, flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=HERE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    # the five daemons, the keeper, the script
    assert len(those_that_mention(folder)) >= 7
    process.send_signal(number)
    process.communicate()
    wait_until(lambda: not folder.exists() and not those_that_mention(folder))


def those_that_mention(folder: Path) -> set[int]:
    """The processes that belong to a cluster, by their command or environment."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            if str(folder).encode() in told:
                found.add(int(entry.name))
    return found


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_without_slurm_the_tests_are_skipped_but_fail_where_all_must_run(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(slurm_cluster, "missing_parts", lambda: ["slurmctld"])
    with pytest.raises(outcome, match="a Slurm cluster needs slurmctld"):
        require_slurm()
