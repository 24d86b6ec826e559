"""What a run of no length costs for `scheduling.py`, by schedule.py and by other ways."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scheduling_cost import ROOT, Cost, Project, best, cost_of

_LOOP = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from experiment import processor
processor.settle()
from experiment.configuration import read_experiment
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.run import Options, run_index
experiment = read_experiment(Path({env!r}), Path({agent!r}))
folder = ResultFolder(Path({results!r}), Manifest.of(experiment, 0))
folder.create()
for index in range({count}):
    run_index(experiment, folder, index, Options())
"""
_SUBMITIT_RUNS = """
import submitit, subprocess, sys
executor = submitit.AutoExecutor({folder!r}, cluster="local")
executor.update_parameters(timeout_min=60)
def train(index):
    subprocess.run({main!r} + ["--index", str(index)], check=True, stdout=subprocess.DEVNULL)
jobs = executor.map_array(train, range({count}))
for job in jobs:
    job.result()
"""
_HYDRA = """
import subprocess
import hydra
from omegaconf import DictConfig

@hydra.main(version_base=None, config_name=None)
def train(config: DictConfig) -> None:
    subprocess.run({main!r} + ["--index", str(config.index)], check=True, stdout=subprocess.DEVNULL)

train()
"""


def measure_run(folder: Path, repeats: int) -> None:
    """Prints what a run costs by each way."""
    ways: dict[str, tuple[int, Callable[[Project, int], list[Any]]]] = {
        "a bare loop in one process": (200, _loop),
        "schedule.py": (200, lambda project, count: project.schedule("--runs", count)),
        "GNU parallel -j2 main.py": (20, _gnu_parallel),
        "submitit, local": (10, _submitit_runs),
        "Hydra's submitit launcher, local": (10, _hydra_runs),
    }
    print("\nOne run of no length, start of the programs included:\n")
    print("| | runs | CPU ms a run, best | median | wall ms a run, best |\n|---|---|---|---|---|")
    for name, (count, command) in ways.items():

        def measure(
            name: str = name,
            count: int = count,
            command: Callable[[Project, int], list[Any]] = command,
        ) -> Cost:
            place = folder / "run"
            shutil.rmtree(place, ignore_errors=True)
            project = Project(place, {"scheduler": "local", "cores": 2})
            cost = cost_of(command(project, count), cwd=place)
            records = len(list(place.rglob("*_data_*.json")))
            if records != count:
                raise RuntimeError(f"{name}: {records} records of {count}")
            return cost

        try:
            least, median = best(measure, repeats)
        except (RuntimeError, FileNotFoundError, LookupError) as error:
            print(f"| {name} | | not measured: {str(error).splitlines()[-1][:80]} | | |")
            continue
        print(
            f"| {name} | {count} | {1000 * least.cpu / count:.1f} "
            f"| {1000 * median.cpu / count:.1f} | {1000 * least.wall / count:.1f} |",
            flush=True,
        )


def _main_command(project: Project) -> list[str]:
    words = [sys.executable, ROOT / "main.py", "--env-json", project.folder / "environment.json"]
    words += ["--agent-json", project.folder / "agent.json", "--save-dir", project.folder / "out"]
    return [str(word) for word in words]


def _loop(project: Project, count: int) -> list[Any]:
    script = _LOOP.format(
        root=str(ROOT),
        env=str(project.folder / "environment.json"),
        agent=str(project.folder / "agent.json"),
        results=str(project.results),
        count=count,
    )
    return [sys.executable, "-c", script]


def _gnu_parallel(project: Project, count: int) -> list[Any]:
    if shutil.which("parallel") is None:
        raise LookupError("GNU parallel is not installed")
    indices = [str(index) for index in range(count)]
    return ["parallel", "-j2", *_main_command(project), "--index", "{}", ":::", *indices]


def _submitit_runs(project: Project, count: int) -> list[Any]:
    script = _SUBMITIT_RUNS.format(
        folder=str(project.folder / "submitit"), main=_main_command(project), count=count
    )
    return [sys.executable, "-c", script]


def _hydra_runs(project: Project, count: int) -> list[Any]:
    from peer_environments import NotInstalledError, python_of

    try:
        python = python_of("hydra")
    except NotInstalledError as error:
        raise LookupError(str(error)) from None
    program = project.folder / "app.py"
    program.write_text(_HYDRA.format(main=_main_command(project)))
    indices = ",".join(map(str, range(count)))
    return [python, program, "-m", "hydra/launcher=submitit_local", f"+index={indices}"]
