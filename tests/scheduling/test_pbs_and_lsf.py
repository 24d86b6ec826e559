"""PBS and LSF take a job of each task, run it, and tell how it ended."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_site import Site
from batch_submission import (
    AGENT,
    DEAF,
    ENVIRONMENT,
    FAILS,
    IN_TWO_GOES,
    MIB,
    ROOT,
    ends,
    happened,
    records,
    said,
    wait_for_the_end,
    wait_until,
    write_program,
)

from experiment.scheduling.backends import SchedulerError
from experiment.scheduling.events import Ended, Left, Started
from experiment.scheduling.report import _job_said
from experiment.scheduling.submission import read_jobs


@pytest.fixture(params=["pbs", "lsf"])
def site(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    here = Site(request.param, tmp_path, monkeypatch)
    yield here
    here.end()


# -- sending


def test_all_runs_of_a_submission_get_their_records(site: Site) -> None:
    sent = site.send(["0-1", "2", "3"])
    wait_for_the_end(site.scheduler, sent)
    assert records(sent) == [0, 1, 2, 3], list(said(sent))
    assert ends(site.scheduler, sent) == ["COMPLETED"] * 3
    assert _job_said(sent, 1) == ["0 runs failed, 0 are unfinished"]


def test_each_task_is_a_job_that_runs_know_by_its_number(site: Site) -> None:
    sent = site.send(["0", "1"])
    wait_for_the_end(site.scheduler, sent)
    jobs = read_jobs(sent).tasks
    assert [int(jobs[task].partition(".")[0]) for task in (0, 1)] == [1001, 1002]
    for task in (0, 1):
        started = happened(sent, task)[0]
        assert isinstance(started, Started)
        assert (started.job, started.attempt) == (jobs[task], 0)


def test_nothing_that_was_sent_is_lost_when_a_later_job_is_refused(site: Site) -> None:
    site.close()
    site.settings(max_queued=2, max_pending=2)
    sent = site.prepare(["0", "1", "2"])
    with pytest.raises(SchedulerError, match=r"(?i)refused: .*limit|threshold") as caught:
        site.scheduler.send(sent)
    assert str(caught.value).endswith("; 2 of 3 jobs were taken")
    assert list(read_jobs(sent).tasks) == [0, 1]
    assert site.queued(sent) == [(0, "queued"), (1, "queued")]


def test_a_refusal_is_one_sentence(site: Site) -> None:
    sent = site.prepare(["0"], partition="nowhere")
    with pytest.raises(SchedulerError) as caught:
        site.scheduler.send(sent)
    assert (
        str(caught.value)
        == {
            "pbs": "qsub refused: qsub: Unknown queue",
            "lsf": "bsub refused: nowhere: No such queue. Job not submitted.",
        }[site.name]
    )


def test_an_unknown_directive_is_refused(site: Site) -> None:
    with pytest.raises(SchedulerError, match=r"directive error: -Z 1|Illegal option: -Z"):
        site.send(["0"], directives={"Z": 1})


def test_an_answer_that_got_lost_is_found_again_by_the_name_of_the_job(site: Site) -> None:
    site.close()
    sent = site.send(["0", "1"])
    (sent.folder / "jobs.json").unlink()
    assert site.queued(sent) == [(0, "queued"), (1, "queued")]
    other = site.send(["2"])
    found, count = site.scheduler.queued([other])
    assert (list(found), count) == ([(other.name, 0)], 3)


def test_where_the_scheduler_is_not_is_said(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent = site.prepare(["0"])
    monkeypatch.setenv("PATH", str(tmp_path / "nothing here"))
    for ask in (site.limits, lambda: site.scheduler.queued([sent])):
        with pytest.raises(SchedulerError, match="no such command; is this host a login node"):
            ask()
    assert site.scheduler.accounted([sent]) == {}


def test_schedule_py_finishes_a_sweep(site: Site) -> None:
    cluster = {"scheduler": site.name, "time": 10, "cores": 2}
    files: dict[str, Any] = {"environment": ENVIRONMENT, "agent": AGENT, "cluster": cluster}
    for name, content in files.items():
        (site.base / f"{name}.json").write_text(json.dumps(content))
    agent, environment = site.base / "agent.json", site.base / "environment.json"
    words = [site.base / "cluster.json", "main.py", ROOT, environment, site.base, agent]
    options = ["--runs", "3", "--yes", "--wait"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "schedule.py"), *map(str, words), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list(site.base.rglob("*_data_*.json"))) == 3


# -- how jobs end


def test_a_job_whose_runs_fail_has_failed(site: Site) -> None:
    sent = site.send(["0"], program=write_program(site.base, FAILS))
    wait_for_the_end(site.scheduler, sent)
    assert ends(site.scheduler, sent) == ["FAILED"]
    (ended,) = [event for event in happened(sent, 0) if isinstance(event, Ended)]
    assert (ended.ended, ended.error) == ("failed", "no such thing")


def test_a_job_that_waits_says_why_and_can_be_taken_back(site: Site) -> None:
    site.close()
    sent = site.send(["0"])
    (job,) = site.scheduler.queued([sent])[0].values()
    assert (
        job.reason
        == {
            "pbs": "Not Running: Insufficient amount of resource: ncpus (R: 8 A: 2 T: 64)",
            "lsf": "New job is waiting for scheduling",
        }[site.name]
    )
    site.scheduler.cancel([job])
    assert site.queued(sent) == []
    assert ends(site.scheduler, sent) == ["CANCELLED"]


def test_a_job_that_runs_saves_when_it_is_taken_back_and_stays_away(site: Site) -> None:
    site.settings(kill_delay=60)
    sent = site.send(["0"], program=write_program(site.base, IN_TWO_GOES))
    wait_until((site.base / "ready").exists, "it runs")
    assert site.queued(sent) == [(0, "running")]
    jobs = list(site.scheduler.queued([sent])[0].values())
    site.scheduler.cancel(jobs)
    wait_for_the_end(site.scheduler, sent)
    assert ends(site.scheduler, sent) == ["CANCELLED"]
    *_, ended, left = happened(sent, 0)
    assert isinstance(ended, Ended) and ended.ended == "saved"
    assert isinstance(left, Left) and (left.why, left.unfinished) in {("SIGTERM", 1), ("SIGINT", 1)}
    site.scheduler.cancel(jobs)  # ended meanwhile, which is no mistake
    time.sleep(0.3)
    assert site.queued(sent) == []


def test_a_job_that_does_not_leave_in_time_is_a_time_out(site: Site) -> None:
    seconds = {"pbs": 2, "lsf": 60}[site.name]
    site.settings(kill_delay=0.5, minute=2.0)
    program = write_program(site.base, DEAF)
    sent = site.send(["0"], program=program, chunk={"seconds": seconds}, saveBefore=0)
    wait_for_the_end(site.scheduler, sent)
    assert ends(site.scheduler, sent) == ["TIMEOUT"]


def test_tasks_that_may_not_run_together_run_one_after_another(site: Site) -> None:
    sent = site.send(["0", "1", "2"], chunk={"parallel": 1})
    wait_for_the_end(site.scheduler, sent)
    assert records(sent) == [0, 1, 2], list(said(sent))
    times = [event.time for task in range(3) for event in happened(sent, task)]
    assert times == sorted(times)


# -- scripts

_FIELDS = {
    "account": "def-someone",
    "memPerCpu": "2G",
    "mail": {"user": "someone@example.org", "type": "BEGIN,FAIL"},
    "modules": ["python/3.11"],
    "setup": ["source .venv/bin/activate"],
    "environment": {"WHERE": "a b"},
    "python": "python",
    "threadsPerRun": 2,
    "cores": 8,
}
_CHUNK = {"cores": 8, "slots": 4, "memory": 2048 * MIB, "gpus": 2, "seconds": 26 * 3600 + 61}


def directives(site: Site, **fields: Any) -> list[str]:
    sent = site.prepare(["0"], chunk=_CHUNK, **_FIELDS | fields)
    (script,) = site.scheduler.scripts(sent).values()
    lines = script.replace(sent.name, "NAME").replace(str(sent.folder), "FOLDER").splitlines()
    return [line for line in lines if line.startswith(("#PBS", "#BSUB"))]


def test_what_a_job_asks_of_pbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site("pbs", tmp_path, monkeypatch)
    name, *lines = directives(
        site,
        partition="gpu@pbs-m1.example.org",
        constraint="scratch_local=10gb:cl_adan=True",
        directives={"P": "a project", "l": "place=excl", "r": "n", "V": True},
    )
    assert name.startswith("#PBS -N s")
    assert lines == [
        "#PBS -S /bin/bash",
        "#PBS -l select=1:ncpus=8:mem=16384mb:ngpus=2:scratch_local=10gb:cl_adan=True",
        "#PBS -l walltime=26:01:01",
        "#PBS -A def-someone",
        "#PBS -q gpu@pbs-m1.example.org",
        "#PBS -j oe",
        lines[6],
        "#PBS -M someone@example.org",
        "#PBS -m ab",
        '#PBS -P "a project"',
        "#PBS -l place=excl",
        "#PBS -r n",
        "#PBS -V",
    ]
    assert lines[6].endswith("/jobs/NAME/job-0.out")


def test_what_a_job_asks_of_lsf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site("lsf", tmp_path, monkeypatch)
    lines = directives(
        site,
        partition="gpuv100",
        gpus=2,
        gpuType="TeslaV100-32GB",
        constraint="gpu32gb && model==EPYC",
        directives={"app": "a profile", "R": "rusage[tmp=4GB]", "x": True},
    )
    assert lines == [
        "#BSUB -J NAME-0",
        "#BSUB -n 8",
        '#BSUB -R "select[gpu32gb && model==EPYC] span[hosts=1] rusage[mem=2048MB/task]"',
        "#BSUB -gpu num=2/host:mode=shared:j_exclusive=yes:gmodel=TeslaV100-32GB",
        "#BSUB -W 26:02",
        "#BSUB -P def-someone",
        "#BSUB -q gpuv100",
        "#BSUB -Q 75",
        "#BSUB -r",
        lines[9],
        "#BSUB -u someone@example.org",
        "#BSUB -B",
        "#BSUB -Ne",
        '#BSUB -app "a profile"',
        '#BSUB -R "rusage[tmp=4GB]"',
        "#BSUB -x",
    ]
    assert lines[9].endswith("/jobs/NAME/job-0.out")


@pytest.mark.parametrize(
    ("events", "pbs", "lsf"),
    [
        ("NONE", "-m n", []),
        ("END", "-m e", ["-N"]),
        ("FAIL", "-m a", ["-Ne"]),
        ("END,FAIL", "-m ae", ["-N"]),
        ("ALL", "-m abe", ["-B", "-N"]),
    ],
)
def test_when_mail_is_sent(
    events: str, pbs: str, lsf: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = {"user": "someone@example.org", "type": events}
    assert directives(Site("pbs", tmp_path / "a", monkeypatch), mail=mail)[-1] == f"#PBS {pbs}"
    lines = directives(Site("lsf", tmp_path / "b", monkeypatch), mail=mail)
    after = lines.index("#BSUB -u someone@example.org") + 1
    assert lines[after:] == [f"#BSUB {option}" for option in lsf]


def test_before_its_runs_a_job_sets_up_what_the_cluster_file_says(site: Site) -> None:
    sent = site.prepare(["0"], **_FIELDS)
    (script,) = site.scheduler.scripts(sent).values()
    lines = [line for line in script.splitlines() if not line.startswith("#")]
    assert lines[:8] == [
        f"cd {site.base} || exit",
        "export OMP_NUM_THREADS=2",
        "export MKL_NUM_THREADS=2",
        "export OPENBLAS_NUM_THREADS=2",
        "module load python/3.11",
        "export WHERE='a b'",
        f"export PYTHONPATH={ROOT}${{PYTHONPATH:+:$PYTHONPATH}}",
        "source .venv/bin/activate",
    ]
    command = f"python -m experiment.scheduling.job {sent.folder} 0 </dev/null"
    assert command in (line.removeprefix("exec ") for line in lines[6:])


def test_scripts_can_be_handed_over_by_oneself(site: Site, tmp_path: Path) -> None:
    site.close()
    sent = site.prepare(["0", "1"])
    for name, script in site.scheduler.scripts(sent).items():
        path = tmp_path / name
        path.write_text(script)
        command = {"pbs": f"qsub {path}", "lsf": f"LSB_NTRIES=1 bsub < {path}"}[site.name]
        subprocess.run(["/bin/sh", "-c", command], check=True)
    assert [task for task, _ in site.queued(sent)] == [0, 1], "known by their names"
    site.open()
    wait_for_the_end(site.scheduler, sent)
    assert records(sent) == [0, 1], list(said(sent))


# -- what schedule.py pays for that


def test_psij_is_imported_by_nobody_who_does_not_send() -> None:
    modules = "experiment.scheduling.backends.pbs, experiment.scheduling.backends.lsf"
    program = f"import sys, {modules}; print('psij' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_psij_leaves_nothing_behind(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    own = site.base / ".psij"
    monkeypatch.setattr("psij.JobExecutorConfig.DEFAULT_WORK_DIRECTORY", own)
    site.close()
    sent = site.send(["0"])
    assert not own.exists()
    names = {path.name for path in sent.folder.iterdir()}
    assert names == {"submission.json", "environment.json", "agent.json", "jobs.json"}
