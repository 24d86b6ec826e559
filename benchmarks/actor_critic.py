"""How fast SAC trains, environment and all, beside other libraries.

python benchmarks/actor_critic.py [--quick] [--size small] [--only sb3 --only own-1]

Whole training loops, a process and one thread each, in turns: stable-baselines3, sbx (jax), plain
torch modules in one file, and this project with one and with several members. All have the same
hyperparameters, one update an environment step, and the same environments in the same versions.
Random actions before the first update and compilation are not in the rates. The other libraries
are installed, once, into `.venv-peers`.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import click
from peer_environments import PEERS, TORCH, NotInstalledError, python_of
from sac_task import Task

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}
SIZES = {
    "small": Task(
        environment="Pendulum-v1",
        environment_file="config/environment/Pendulum-v1.json",
        width=64,
        batch=32,
        capacity=100_000,
        warm_up=1000,
        settle=200,
        seconds=4.0,
    ),
    "large": Task(
        environment="HalfCheetah-v5",
        environment_file="config/environment/HalfCheetah-v5.json",
        width=256,
        batch=256,
        capacity=1_000_000,
        warm_up=1000,
        settle=50,
        seconds=4.0,
    ),
}
OWN_MEMBERS = {"small": (1, 8, 32), "large": (1, 4)}
TITLES = {"sb3": "stable-baselines3", "sbx": "sbx (jax)", "plain": "plain torch modules"}
TIMEOUT = 900


@dataclass
class Contender:
    """One row.

    Attributes:
        command: a worker, to which the task is added.
        results: of each repeat; see `Stopwatch.print_result`.
    """

    name: str
    title: str
    command: list[str]
    members: int = 1
    results: list[dict[str, float]] = field(default_factory=list)

    def run(self, task: Task) -> str | None:
        """One repeat. Returns why it failed."""
        task = dataclasses.replace(task, members=self.members)
        command = [*self.command[:2], task.as_argument(), *self.command[2:]]
        environment = os.environ | ONE_THREAD
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode != 0:
            return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        self.results.append(json.loads(done.stdout.strip().splitlines()[-1]))
        return None

    def rates(self, clock: str) -> list[float]:
        """Member-steps a second of the clock, "cpu" or "wall"."""
        return [one["steps"] / one[clock] for one in self.results]

    def row(self, reference: Contender | None) -> str:
        """Of the table."""
        cells = [self.title]
        for clock in ("cpu", "wall"):
            rates = self.rates(clock)
            cells += [f"{max(rates):,.0f}", f"{statistics.median(rates):,.0f}"]
        ratio = "-"
        if reference is not None and reference.results:
            ratio = f"{max(self.rates('cpu')) / max(reference.rates('cpu')):.2f}"
        compiling = statistics.median(one["compile"] for one in self.results)
        return f"| {' | '.join([*cells, ratio, f'{compiling:.1f}'])} |"


def contenders_for(size: str, only: tuple[str, ...]) -> list[Contender]:
    """Those that can be had; who cannot is said."""
    folder = ROOT / "benchmarks"
    found = []
    for name in ("sb3", "sbx", "plain", *(f"own-{members}" for members in OWN_MEMBERS[size])):
        if only and name not in only:
            continue
        members = int(name[4:]) if name.startswith("own-") else 1
        python = sys.executable
        command = [str(folder / "sac_plain.py")]
        if name in PEERS:
            command = [str(folder / "sac_libraries.py"), name]
            try:
                python = str(python_of(name))
            except NotInstalledError as error:
                print(f"{TITLES[name]} could not be installed: {error}", flush=True)
                continue
        elif name.startswith("own-"):
            command = [str(folder / "sac_own.py")]
        title = TITLES.get(name, f"this project, {members} member{'s' * (members > 1)}")
        found.append(Contender(name, title, [python, *command], members))
    return found


def measure(size: str, contenders: list[Contender], repeats: int, task: Task) -> None:
    """All in turns, so that what else the machine does falls on all of them."""
    failed = set()
    for repeat in range(repeats):
        for contender in contenders:
            if contender.name in failed:
                continue
            problem = contender.run(dataclasses.replace(task, seed=repeat))
            label = f"{size}, repeat {repeat + 1}: {contender.title}"
            if problem is None:
                rate = contender.rates("cpu")[-1]
                print(f"{label}: {rate:,.0f} steps per CPU-second", flush=True)
            else:
                failed.add(contender.name)
                print(f"{label} failed: {problem}", flush=True)


def table(size: str, contenders: list[Contender], task: Task) -> str:
    """Markdown."""
    reference = next((one for one in contenders if one.name == "sb3"), None)
    lines = [
        f"{size}: {task.environment}, {task.width}x{task.width}, batch {task.batch}",
        "",
        "| SAC | steps/CPU-s, best | median | steps/s, best | median | x sb3 | compiling, s |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join(lines + [one.row(reference) for one in contenders if one.results])


@click.command(help=__doc__, context_settings={"max_content_width": 100})
@click.option("--size", type=click.Choice(list(SIZES)), multiple=True, help="[default: both]")
@click.option("--only", multiple=True, metavar="NAME", help="sb3, sbx, plain, own-1, own-8...")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Timed, of each.")
@click.option("--quick", is_flag=True, help="One repeat of a second each: does it run at all?")
def main(
    size: tuple[str, ...],
    only: tuple[str, ...],
    repeats: int,
    seconds: float | None,
    quick: bool,
) -> None:
    sizes = size or tuple(SIZES)
    names = {"sb3", "sbx", "plain"} | {f"own-{n}" for one in sizes for n in OWN_MEMBERS[one]}
    if unknown := set(only) - names:
        raise click.UsageError(f"--only {sorted(unknown)[0]}: there are {', '.join(sorted(names))}")
    if quick:
        repeats, seconds = 1, seconds or 1.0
    load, cores = os.getloadavg()[0], os.cpu_count()
    print(f"load of the machine before: {load:.1f} on {cores} cores", flush=True)
    tables = []
    for one in sizes:
        task = SIZES[one]
        task = dataclasses.replace(task, seconds=seconds or task.seconds)
        contenders = contenders_for(one, only)
        measure(one, contenders, repeats, task)
        tables.append(table(one, contenders, task))
    print("\n" + "\n\n".join(tables))
    print("\n" + ", ".join([TORCH, *itertools.chain(*PEERS.values())]))


if __name__ == "__main__":
    main()
