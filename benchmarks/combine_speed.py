"""How much combine.py costs, beside reading the files and beside the plain way.

python benchmarks/combine_speed.py [--runs 10000] [--repeats 3] [--no-plain]

Makes a results folder of linearAC on sweep/PendulumContinuous-v1 (500 settings, records of 21 to
216 KB as of real runs), then runs every way in a process of its own, in turns, and prints the
least CPU time (user + system) and the largest memory of each as a Markdown table.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

SETTINGS = 500
ENVIRONMENT = {
    "env_name": "sweep/PendulumContinuous-v1",
    "total_timesteps": 100_000,
    "steps_per_episode": 1000,
    "eval_interval_timesteps": 10_000,
    "eval_episodes": 10,
    "gamma": 0.99,
    "continuous": True,
}
AGENT = {
    "agent_name": "linearAC",
    "parameters": {
        "decay": [0.0, 0.5, 0.8, 0.9, 0.95],
        "critic_lr": [0.001, 0.003, 0.01, 0.03, 0.1],
        "actor_lr": [0.001, 0.003, 0.01, 0.03, 0.1],
        "avg_reward_lr": [0.1, 0.3, 0.5, 0.9],
        "scaled": [True],
        "clip_stddev": [1000],
    },
}


# -- the data


def make_folder(folder: Path, runs: int) -> None:
    """Fills `folder` with the records of indices 0 to `runs` - 1."""
    import numpy as np

    from experiment.configuration import build_experiment
    from experiment.manifest import FILE_NAME, Manifest
    from experiment.record import encode

    manifest = Manifest.of(build_experiment(ENVIRONMENT, AGENT, "environment", "agent"), 0)
    assert manifest.grid.size == SETTINGS
    (folder / FILE_NAME).write_bytes(manifest.encode())
    generator = np.random.default_rng(0)
    for index in range(runs):
        setting, run = manifest.grid.split(index)
        content = {
            "run_number": run,
            "index": index,
            "setting_id": manifest.setting_id(setting),
            "random_seed": run,
            "status": "completed",
            **_series(generator),
        }
        params = manifest.grid.setting(setting)
        path = folder / f"{manifest.stem}_data_{index}.json"
        path.write_bytes(encode(dict(manifest.files), setting, params, content))


def into_shards(folder: Path, runs: int) -> None:
    """Moves the records into shards of 64, as jobs of 64 runs write them."""
    place = folder / "shards"
    place.mkdir()
    names = sorted(_record_names(folder))
    for at in range(0, len(names), 64):
        with (place / f"job-{at}.jsonl").open("wb") as shard:
            for name in names[at : at + 64]:
                shard.write((folder / name).read_bytes())
                (folder / name).unlink()


def _series(generator: Any) -> dict[str, Any]:
    """As many episodes as make a record of 21 to 216 KB, small ones more often."""
    episodes = round(660 * 13.0 ** generator.beta(1.2, 1.0))
    steps = generator.integers(10, 1000, episodes)
    returns = generator.normal(-200.0, 60.0, episodes)
    return {
        "total_timesteps": int(steps.sum()),
        "eval_interval_timesteps": 10_000,
        "episodes_per_eval": 10,
        "eval_episode_rewards": generator.normal(-200.0, 60.0, (11, 10)),
        "eval_episode_steps": generator.integers(10, 1000, (11, 10)),
        "timesteps_at_eval": list(range(0, 110_000, 10_000)),
        "train_episode_rewards": returns,
        "train_episode_steps": steps,
        "train_time": 12.5,
        "eval_time": 1.5,
        "total_train_episodes": episodes,
        "metrics": {"td_error": {"timestep": list(range(100)), "value": generator.random(100)}},
        "provenance": {"code_version": "0.1.0", "host": "node", "device": "cpu", "resumed": 0},
    }


# -- the ways


def read_all(folder: Path, runs: int) -> None:
    """The floor: every record is read into memory, and nothing is done with it."""
    for name in _record_names(folder):
        file = os.open(folder / name, os.O_RDONLY)
        os.read(file, os.fstat(file).st_size)
        os.close(file)


def plain(folder: Path, runs: int) -> None:
    """As it is done without thinking about it: parse all, merge dictionaries, write all."""
    merged: dict[str, Any] = {}
    for name in _record_names(folder):
        with (folder / name).open() as file:
            record = json.load(file)
        merged.setdefault("experiment", record["experiment"])
        for setting, content in record["experiment_data"].items():
            settings = merged.setdefault("experiment_data", {})
            into = settings.setdefault(setting, {**content, "runs": []})
            into["runs"] += content["runs"]
    with (folder / "plain.json").open("w") as file:
        json.dump(merged, file)


def orjson_merge(folder: Path, runs: int) -> None:
    """The plain way with the fastest parser and writer there is."""
    import orjson

    merged: dict[str, Any] = {}
    for name in _record_names(folder):
        record = orjson.loads((folder / name).read_bytes())
        merged.setdefault("experiment", record["experiment"])
        for setting, content in record["experiment_data"].items():
            settings = merged.setdefault("experiment_data", {})
            into = settings.setdefault(setting, {**content, "runs": []})
            into["runs"] += content["runs"]
    (folder / "orjson.json").write_bytes(orjson.dumps(merged))
    (folder / "orjson.json").unlink()


def pandas_parquet(folder: Path, runs: int) -> None:
    """A row an episode of every run, as people write it."""
    import pandas as pd

    frames = []
    for name in _record_names(folder):
        with (folder / name).open() as file:
            record = json.load(file)
        ((setting, content),) = record["experiment_data"].items()
        (run,) = content["runs"]
        columns = {"return": run["train_episode_rewards"], "length": run["train_episode_steps"]}
        frame = pd.DataFrame(columns)
        frames.append(frame.assign(setting=int(setting), run=run["run_number"]))
    pd.concat(frames).to_parquet(folder / "pandas.parquet")
    (folder / "pandas.parquet").unlink()


def duckdb_parquet(folder: Path, runs: int) -> None:
    """The same by DuckDB's reader of JSON."""
    import duckdb

    # the keys of settings differ from record to record: a map, not a struct
    fields = {
        "run_number": "BIGINT",
        "train_episode_rewards": "DOUBLE[]",
        "train_episode_steps": "BIGINT[]",
    }
    run = ", ".join(f"{name} {kind}" for name, kind in fields.items())
    setting = f"MAP(VARCHAR, STRUCT(runs STRUCT({run})[]))"
    duckdb.execute(
        "COPY (SELECT key AS setting, run.run_number, unnest(run.train_episode_rewards) AS return, "
        "unnest(run.train_episode_steps) AS length FROM (SELECT entry.key AS key, "
        "unnest(entry.value.runs) AS run FROM (SELECT unnest(map_entries(experiment_data)) AS "
        f"entry FROM read_json('{folder}/*_data_*.json', maximum_object_size=100000000, "
        f"columns={{experiment_data: '{setting}'}})))) TO '{folder}/duckdb.parquet'"
    )
    (folder / "duckdb.parquet").unlink()


def _record_names(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if "_data_" in name]  # noqa: PTH208 - bare reading


WAYS: dict[str, Callable[[Path, int], None]] = {
    "make": make_folder,
    "read": read_all,
    "plain": plain,
    "orjson": orjson_merge,
    "pandas": pandas_parquet,
    "duckdb": duckdb_parquet,
    "shards": into_shards,
}


# -- measuring


@dataclass
class Cost:
    """The least CPU and wall seconds of all repeats, and the most memory in MB."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def measure(self, *command: str | Path) -> None:
        """Runs a command of Python's and adds what it cost."""
        os.sync()  # or it pays for the writing of the one before
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *map(str, command)], cwd=ROOT, stdout=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"{command} ended with {process.returncode}")
        self.wall.append(time.monotonic() - started)
        self.cpu.append(usage.ru_utime + usage.ru_stime)
        self.memory.append(usage.ru_maxrss / 1000)

    def row(self, name: str, floor: float, megabytes: float) -> str:
        """Of the table."""
        cpu = min(self.cpu)
        return (
            f"| {name} | {cpu:.2f} | {megabytes / cpu:,.0f} | {cpu / floor:.1f} "
            f"| {min(self.wall):.1f} | {max(self.memory):,.0f} |"
        )


PLAIN = "json.load, merge, json.dump"


def other_ways() -> dict[str, str]:
    """Name -> way, of those that this machine has the packages for."""
    ways = {
        PLAIN: "plain",
        "orjson, merge, orjson": "orjson",
        "json.load, pandas, parquet": "pandas",
    }
    if importlib.util.find_spec("duckdb"):
        ways["DuckDB, parquet"] = "duckdb"
    return ways


def measure(
    folder: Path, records: list[Path], repeats: int, others: dict[str, str]
) -> dict[str, Cost]:
    """Name of a way -> its cost; others' ways once, as they are slow enough to be measured well."""
    names = ("read only", "combine.py, all new", "combine.py, 1% new", "combine.py, nothing new")
    read, whole, some, nothing = costs = [Cost() for _ in names]
    one_in_hundred = records[::100]
    for _ in range(repeats):
        read.measure(__file__, "--way", "read", folder)
        _forget(folder)
        whole.measure("combine.py", folder)
        _remake(folder, one_in_hundred)
        some.measure("combine.py", folder)
        nothing.measure("combine.py", folder)
    found = dict(zip(names, costs, strict=True))
    found["--to parquet, all new"], found["--to parquet, nothing new"] = Cost(), Cost()
    for _ in range(repeats):
        _forget(folder)
        found["--to parquet, all new"].measure("combine.py", folder, "--to", "parquet")
        found["--to parquet, nothing new"].measure("combine.py", folder, "--to", "parquet")
    for name, way in others.items():
        found[name] = Cost()
        found[name].measure(__file__, "--way", way, folder)
    return found


def measure_shards(folder: Path, repeats: int) -> dict[str, Cost]:
    """The same of records in shards, which those of `folder` become."""
    subprocess.run([sys.executable, __file__, "--way", "shards", str(folder)], check=True)
    json_, tables = Cost(), Cost()
    for _ in range(repeats):
        _forget(folder)
        (folder / "shards" / ".index").unlink(missing_ok=True)
        json_.measure("combine.py", folder)
        tables.measure("combine.py", folder, "--to", "parquet")
    return {"combine.py, all new, in shards": json_, "--to parquet, all new, in shards": tables}


def _forget(folder: Path) -> None:
    for path in [folder / "data.json", *folder.glob(".*.index"), *folder.glob("*.parquet")]:
        path.unlink(missing_ok=True)


def _remake(folder: Path, records: list[Path]) -> None:
    """Combines all but `records`, so that those are new."""
    _forget(folder)
    for path in records:
        path.rename(path.with_suffix(".hidden"))
    subprocess.run(
        [sys.executable, "combine.py", folder], cwd=ROOT, check=True, capture_output=True
    )
    for path in records:
        path.with_suffix(".hidden").rename(path)


def same_content(folder: Path) -> bool:
    """Whether the plain way and combine.py agree, runs sorted."""
    with (folder / "plain.json").open() as file:
        expected = json.load(file)
    for content in expected["experiment_data"].values():
        content["runs"].sort(key=lambda run: run["run_number"])
    with (folder / "data.json").open() as file:
        return bool(json.load(file) == expected)


@click.command(help=__doc__, context_settings={"max_content_width": 100})
@click.option("--runs", type=click.IntRange(min=100), default=10_000, show_default=True)
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--check", is_flag=True, help="Compare the results too (needs 6 GB for 10,000 runs).")
@click.option("--plain/--no-plain", default=True, help="Also the plain ways, which need memory.")
@click.option("--scratch", type=click.Path(path_type=Path), help="Where the data is made for now.")
@click.option("--way", type=click.Choice(list(WAYS)), hidden=True)
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def main(
    runs: int,
    repeats: int,
    check: bool,
    plain: bool,
    scratch: Path | None,
    way: str | None,
    folder: Path | None,
) -> None:
    if way is not None and folder is not None:
        WAYS[way](folder, runs)
        return
    folder = Path(tempfile.mkdtemp(prefix="combine-", dir=scratch))
    try:
        # not in this process: the memory of a child is never less than what its parent had
        make = [sys.executable, __file__, "--way", "make", "--runs", str(runs), str(folder)]
        subprocess.run(make, check=True)
        records = sorted(folder.glob("*_data_*.json"))
        sizes = [path.stat().st_size for path in records]
        megabytes = sum(sizes) / 1e6
        costs = measure(folder, records, repeats, other_ways() if plain else {})
        equal = same_content(folder) if check and plain else None
        costs |= measure_shards(folder, repeats)
    finally:
        shutil.rmtree(folder)
    click.echo(
        f"{runs:,} records of {min(sizes) / 1e3:.0f} to {max(sizes) / 1e3:.0f} KB, "
        f"{megabytes:,.0f} MB; least of {repeats} repeats\n\n"
        "| way | CPU-s | MB per CPU-s | x read only | wall s | peak MB |\n"
        "|---|---|---|---|---|---|"
    )
    floor = min(costs["read only"].cpu)
    for name, cost in costs.items():
        click.echo(cost.row(name, floor, megabytes))
    if PLAIN in costs:
        ratio = min(costs[PLAIN].cpu) / min(costs["combine.py, all new"].cpu)
        click.echo(f"\ncombine.py takes {ratio:.0f} times less CPU than the plain way.")
    if equal is not None:
        click.echo(f"The results are {'equal' if equal else 'NOT EQUAL'}.")


if __name__ == "__main__":
    main()
