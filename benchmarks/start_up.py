"""What a run costs beside its training: from nothing, and in a job that is under way.

    python benchmarks/start_up.py [--repeats 10] [--runs 300]

Every run is of linearAC on sweep/PendulumContinuous-v1, a single timestep without evaluation, and
leaves its record. CPU seconds are user + system of a process and its descendants. One repeat is, in
turns:

* `python -c "import numpy, gymnasium"`;
* `python main.py --index N`;
* `python main.py --indices` of 50 runs and of 50 + RUNS, whose difference is RUNS further runs;
* the same of a job as schedule.py starts it, with one slot and each run a group of its own.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiment.bootstrap import ROOT
from experiment.configuration import read_experiment
from experiment.folder import ResultFolder, folder_of
from experiment.manifest import Manifest
from experiment.scheduling import submission
from experiment.scheduling.cluster import check_cluster
from experiment.scheduling.submission import Chunk, Submission

ENVIRONMENT = {
    "env_name": "sweep/PendulumContinuous-v1",
    "total_timesteps": 1,
    "eval_episodes": 0,
}
AGENT = {"agent_name": "linearAC", "parameters": {"critic_lr": [0.1, 0.3], "actor_lr": [0.1, 0.3]}}
FEW = 50


def cpu_seconds(*arguments: object) -> float:
    """Of Python with these arguments."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, *map(str, arguments)]
    # as on a user's machine: source is compiled once
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Repeat:
    """What is measured in a scratch folder."""

    def __init__(self, folder: Path, runs: int) -> None:
        self.folder, self.runs = folder, runs
        self.files = [folder / "environment.json", folder / "agent.json"]
        for file, content in zip(self.files, (ENVIRONMENT, AGENT), strict=True):
            file.write_text(json.dumps(content))

    def seconds(self) -> tuple[float, float, float, float]:
        """CPU seconds of: the imports, a run from nothing, a further one of main.py, of a job."""
        imports = cpu_seconds("-c", "import numpy, gymnasium")
        cold = self._main("cold", "--index", 7)
        sequence = self._main("many", "--indices", f"0-{FEW + self.runs - 1}")
        sequence -= self._main("few", "--indices", f"0-{FEW - 1}")
        job = self._job(FEW + self.runs) - self._job(FEW)
        return imports, cold, sequence / self.runs, job / self.runs

    def _main(self, name: str, *choice: object) -> float:
        files = ("--env-json", self.files[0], "--agent-json", self.files[1])
        return cpu_seconds("main.py", *files, "--save-dir", self.folder / name, *choice)

    def _job(self, runs: int) -> float:
        sent = self._submission(runs)
        return cpu_seconds("-m", "experiment.scheduling.job", sent.folder, 0)

    def _submission(self, runs: int) -> Submission:
        experiment = read_experiment(*self.files)
        base = self.folder / f"job-{runs}"
        path = base / folder_of(experiment, None)
        ResultFolder(path, Manifest.of(experiment, 0)).create()
        cluster = {"scheduler": "local", "cores": 1}
        sent = Submission(
            name=submission.new_name(),
            scheduler="local",
            created=time.time(),
            host=submission.this_host(),
            executable=str(ROOT / "main.py"),
            base_path=str(base),
            results=str(path),
            save_dir=None,
            seed_offset=0,
            batch=1,
            device="cpu",
            cluster=check_cluster(cluster, "cluster"),
            tasks=[f"0-{runs - 1}"],
            chunks=[Chunk(0, 1, slots=1, cores=1, gpus=0, memory=None, seconds=None)],
        )
        submission.write(sent, {"environment": ENVIRONMENT, "agent": AGENT})
        return sent


def row(name: str, seconds: Sequence[float], imports: Sequence[float]) -> str:
    """Best and median, and as a multiple of the imports."""
    figures = [
        f"{1000 * measure(seconds):.1f} | {measure(seconds) / measure(imports):.2f}"
        for measure in (min, statistics.median)
    ]
    return f"| {name} | {' | '.join(figures)} |"


@click.command()
@click.option("--repeats", default=10, show_default=True)
@click.option("--runs", default=300, show_default=True, help="Further runs.")
def main(repeats: int, runs: int) -> None:
    """Prints a Markdown table."""
    measured = []
    for number in range(repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            seconds = Repeat(Path(folder), runs if number else 1).seconds()
        if number:  # the first one fills the caches
            measured.append(seconds)
    imports, cold, sequence, job = zip(*measured, strict=True)
    print("| | CPU ms, best | ratio | CPU ms, median | ratio |")
    print("|---|---|---|---|---|")
    print(row("`import numpy, gymnasium`", imports, imports))
    print(row("a run, from nothing to its record: `main.py --index`", cold, imports))
    print(row("a further run of `main.py --indices`", sequence, imports))
    print(row("a further run of a job", job, imports))


if __name__ == "__main__":
    main()
