"""Everything that goes wrong with sweeps, at once, and what of the results is wrong afterwards.

python benchmarks/torture.py [--runs 2000] [--writers 8] [--truncated 0.05] [--seed 0]

A sweep of linearAC is run by schedule.py on this machine. Meanwhile processes of runs are killed
(SIGKILL) at random, and in the middle the whole tree is. Then records are truncated at random, a
value is appended to one list of the agent file, and a hyperparameter is added with its default.
Then schedule.py goes on (--adopt), again under fire, until nothing is missing, and combine.py
merges.

Prints how many runs were lost, doubled, silently wrong (beside an undisturbed sweep), and
needlessly run again. All four have to be 0.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

ENVIRONMENT = {
    "env_name": "sweep/PendulumContinuous-v1",
    "total_timesteps": 3000,
    "steps_per_episode": 200,
    "eval_interval_timesteps": 1000,
    "eval_episodes": 1,
}
BEFORE = {"critic_lr": [0.003, 0.01, 0.03, 0.1], "actor_lr": [0.001, 0.003, 0.01, 0.03, 0.1]}
AFTER = {
    "critic_lr": [0.003, 0.01, 0.03, 0.1, 0.3],  # moves every index from the fifth on
    "actor_lr": [0.001, 0.003, 0.01, 0.03, 0.1],
    "scaled": [False],  # its default
}
SETTINGS_BEFORE = 20

#: setting_id and seed
Identity = tuple[str, int]


@dataclass
class Score:
    """What is wrong afterwards, in runs."""

    lost: int = 0
    doubled: int = 0
    silently_wrong: int = 0
    needlessly_run_again: int = 0

    @property
    def perfect(self) -> bool:
        """Whether nothing is."""
        return not any(asdict(self).values())


@dataclass
class Damage:
    """What was done to the sweep."""

    killed: int = 0
    trees_killed: int = 0
    truncated: int = 0
    calls: int = 0


class Sweep:
    """The files of the sweep under `folder`, and calls of the programs."""

    def __init__(self, folder: Path, runs: int, writers: int) -> None:
        self.folder, self.runs = folder, runs
        self.damage = Damage()
        folder.mkdir(parents=True, exist_ok=True)
        self._write("cluster.json", {"scheduler": "local", "cores": writers})
        self._write("environment.json", ENVIRONMENT)
        self.set_parameters(BEFORE)

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps(content))

    def set_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Writes the agent file."""
        self._write("agent.json", {"agent_name": "linearAC", "parameters": parameters})

    def schedule(self, *options: str) -> subprocess.Popen[str]:
        """Starts schedule.py as the leader of a process group."""
        self.damage.calls += 1
        command = [
            *(sys.executable, ROOT / "schedule.py", self.folder / "cluster.json"),
            *(ROOT / "main.py", self.folder, self.folder / "environment.json", "torture"),
            *(self.folder / "agent.json", "--runs", str(self.runs), "--yes", *options),
        ]
        return subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    @property
    def results(self) -> Path:
        """The folder of the records."""
        return self.folder / "results" / "torture" / "sweep-PendulumContinuous-v1_linearAC"

    def records(self) -> list[Path]:
        """The files of the records."""
        return list(self.results.glob("*_data_*.json"))


# -- the fire


def children_of(pid: int) -> list[int]:
    """All processes below a process."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *children_of(child)]
    return found


@contextlib.contextmanager
def under_fire(sweep: Sweep, process: subprocess.Popen[str], rng: random.Random) -> Iterator[None]:
    """Kills a process of a run now and then, but not so often that none can end."""
    over = threading.Event()

    def fire() -> None:
        written = -1
        while not over.wait(rng.uniform(0.05, 0.5)):
            runs = children_of(process.pid)[1:]  # the first is the job itself
            if runs and written != (written := len(sweep.records())):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rng.choice(runs), signal.SIGKILL)
                    sweep.damage.killed += 1

    thread = threading.Thread(target=fire)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def kill_tree(sweep: Sweep, process: subprocess.Popen[str]) -> None:
    """As when the machine goes down."""
    for pid in [process.pid, *children_of(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()
    sweep.damage.trees_killed += 1


def run_until(sweep: Sweep, share: float, rng: random.Random) -> None:
    """Under fire until this share of the runs has records; then the tree is killed."""
    wanted = int(share * SETTINGS_BEFORE * sweep.runs)
    while len(sweep.records()) < wanted:
        process = sweep.schedule("--retry-failed")
        with under_fire(sweep, process, rng):
            while process.poll() is None and len(sweep.records()) < wanted:
                time.sleep(0.05)
        kill_tree(sweep, process)


def truncate_some(sweep: Sweep, share: float, rng: random.Random) -> set[Identity]:
    """Truncates records anywhere; returns whose."""
    from experiment import record

    files = rng.sample(sorted(sweep.records()), max(1, int(share * len(sweep.records()))))
    whose = set()
    for file in files:
        data = file.read_bytes()
        head = record.unseal(data).head
        whose.add((head.setting_id, head.random_seed))
        file.write_bytes(data[: rng.randrange(len(data))])
    sweep.damage.truncated = len(files)
    return whose


def finish(sweep: Sweep, rng: random.Random) -> None:
    """schedule.py again and again, three times under fire, until it finds nothing missing."""
    for call in range(100):
        process = sweep.schedule("--adopt", "--retry-failed")
        if call < 3:
            with under_fire(sweep, process, rng):
                said = process.communicate()[0]
        else:
            said = process.communicate()[0]
        if said.splitlines()[-1:] and ", 0 failed, 0 missing" in said.splitlines()[-1]:
            return
    raise RuntimeError(f"still not complete after 100 calls; the last said:\n{said}")


# -- the verdict


def identities(data: Mapping[str, Any]) -> Iterator[tuple[Identity, dict[str, Any]]]:
    """Every run of a combined file."""
    for setting in data["experiment_data"].values():
        for run in setting["runs"]:
            yield (run["setting_id"], run["random_seed"]), run


def combined(results: Path) -> dict[str, Any]:
    """What combine.py makes of a folder."""
    import orjson

    subprocess.run(
        [sys.executable, ROOT / "combine.py", results], check=True, stdout=subprocess.DEVNULL
    )
    content: dict[str, Any] = orjson.loads((results / "data.json").read_bytes())
    return content


def whole_records(sweep: Sweep) -> set[Identity]:
    """Whose records are whole."""
    from experiment import record

    found = set()
    for path in sweep.records():
        with contextlib.suppress(record.BadRecord):
            head = record.unseal(path.read_bytes()).head
            found.add((head.setting_id, head.random_seed))
    return found


def ended_after(sweep: Sweep, moment: float) -> Counter[Identity]:
    """How often each run of the edited grid was run to its end since `moment`."""
    from experiment.folder import ResultFolder, read_manifest
    from experiment.scheduling import events, submission
    from experiment.scheduling.events import Ended

    manifest = read_manifest(sweep.results)
    assert manifest is not None
    folder = ResultFolder(sweep.results, manifest)
    counts: Counter[Identity] = Counter()
    for sent in submission.all_of(sweep.results):
        if sent.created < moment:
            continue
        for task in range(len(sent.tasks)):
            for event in events.read(sent.events_path(task)):
                if isinstance(event, Ended) and event.ended == "done":
                    for run in map(folder.run, event.indices):
                        counts[run.setting_id, run.random_seed] += 1
    return counts


def judge(sweep: Sweep, undisturbed: Sweep, kept: set[Identity], since: float) -> Score:
    """Compares with the undisturbed sweep.

    Args:
        kept: runs that had whole records before the files were edited, and still had after.
    """
    from experiment.replay import NOT_COMPARED

    def comparable(run: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in run.items() if name not in NOT_COMPARED}

    expected = dict(identities(combined(undisturbed.results)))
    found = list(identities(combined(sweep.results)))
    times = Counter(identity for identity, _ in found)
    again = ended_after(sweep, since)
    return Score(
        lost=len(expected.keys() - times.keys()),
        doubled=sum(count - 1 for count in times.values()),
        silently_wrong=sum(
            identity not in expected or comparable(run) != comparable(expected[identity])
            for identity, run in found
        ),
        needlessly_run_again=sum(
            count - 1 for identity, count in again.items() if identity not in kept
        )
        + sum(count for identity, count in again.items() if identity in kept),
    )


def torture(
    folder: Path, runs: int, writers: int, truncated: float, seed: int
) -> tuple[Score, Damage]:
    """The whole of it; `runs` are those of each of the 20 settings."""
    rng = random.Random(seed)
    sweep = Sweep(folder / "tortured", runs, writers)
    run_until(sweep, 0.7, rng)
    had = whole_records(sweep)
    kept = had - truncate_some(sweep, truncated, rng)
    sweep.set_parameters(AFTER)
    since = time.time()
    finish(sweep, rng)
    undisturbed = Sweep(folder / "undisturbed", runs, writers)
    undisturbed.set_parameters(AFTER)
    process = undisturbed.schedule("--batch", "100")
    process.communicate()
    return judge(sweep, undisturbed, kept, since), sweep.damage


@click.command(help=__doc__)
@click.option("--runs", type=int, default=2000, help="Short runs, before the edit.")
@click.option("--writers", type=int, default=8)
@click.option("--truncated", type=float, default=0.05, help="Share of the records.")
@click.option("--seed", type=int, default=0)
def main(runs: int, writers: int, truncated: float, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        score, damage = torture(
            Path(folder), max(1, runs // SETTINGS_BEFORE), writers, truncated, seed
        )
    for name, count in {**asdict(damage), **asdict(score)}.items():
        print(f"{name.replace('_', ' '):>22}: {count:,}")
    print(f"{'seconds':>22}: {time.monotonic() - began:.0f}")
    sys.exit(0 if score.perfect else 1)


if __name__ == "__main__":
    main()
