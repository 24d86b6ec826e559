"""A pilot on a real Slurm: one small job, which leaves when its minutes are over."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from slurm_cluster import SlurmCluster, wait_until
from sweep_runs import LINEAR_AC
from sweeps import SlurmSweep

from experiment.scheduling import submission


def test_a_pilot_is_one_small_job_that_saves_and_proposes(
    slurm: SlurmCluster, tmp_path: Path
) -> None:
    sweep = SlurmSweep(
        tmp_path, LINEAR_AC, {"time": 60, "memPerCpu": "400M"}, total_timesteps=10**9
    )
    said = sweep.schedule("--pilot", "--pilot-minutes", 0.15)
    assert "sends 2 runs in 1 job" in said
    assert re.search(r"pilot: \d+ is (queued|running)", said)
    assert "for the 36 missing runs" in said
    assert "runs are saved and go on in the next job" in said
    lines = dict(re.findall(r'^  "(\w+)": (.*),$', said, re.MULTILINE))
    assert lines.keys() == {"cores", "sequential", "time", "memPerCpu"}
    assert (lines["sequential"], lines["time"]) == ("1", '"03:00:00"')
    (job,) = sweep.jobs()
    # not FAILED, and not back in the queue
    wait_until(lambda: slurm.sacct_state(job) == "COMPLETED")
    assert len(list(submission.all_of(sweep.results))) == 1
    assert "0 failed, 36 missing" in sweep.schedule("--status")
    assert "time of a job    1:00:00" in sweep.schedule("--usage")


def test_a_pilot_that_nobody_waited_for_is_waited_for(slurm: SlurmCluster, tmp_path: Path) -> None:
    sweep = SlurmSweep(tmp_path, LINEAR_AC, {"time": 60}, total_timesteps=10**9)
    slurm.stop_slurmd()  # so that it has to queue
    minutes = ("--pilot", "--pilot-minutes", 0.1)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(sweep.schedule, *minutes)
        wait_until(lambda: bool(sweep.jobs()))
        second = threads.submit(sweep.schedule, *minutes)
        (sent,) = submission.all_of(sweep.results)
        time.sleep(1)
        slurm.start_slurmd()
        assert f"waits for the pilot {sent.name}, which is under way" in second.result()
    assert second.result().splitlines()[-4:] == first.result().splitlines()[-4:]
    assert len(sweep.jobs()) == 1
