"""How many files a sweep makes on Slurm, as docs/scheduling.md says for quotas."""

from __future__ import annotations

from pathlib import Path

from slurm_cluster import SlurmCluster, wait_until
from sweeps import SlurmSweep


def test_the_page_counts_right(slurm: SlurmCluster, tmp_path: Path) -> None:
    sweep = SlurmSweep(tmp_path, {"agent_name": "random"}, total_timesteps=200, eval_episodes=0)
    runs, jobs, arrays = 24, 3, 1
    assert f"sends {runs} runs in {jobs} jobs" in sweep.schedule("--runs", runs, "--wait")
    wait_until(lambda: not slurm.run("squeue", "-h"))
    # a link takes a place in a quota as well
    places = [path for path in sweep.results.rglob("*") if not path.is_dir()]
    made = [path.name for path in places if path.suffix != ".diff"]
    assert len(made) == runs + 5 * jobs + 4 + 2 * arrays + 1, made
