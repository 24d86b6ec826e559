"""Runs as openrlbenchmark keeps them for its offline mode: a cache of W&B runs.

<entity>/<project>/offline.sqlite         which runs there are (openrlbenchmark.offline_db)
<entity>/<project>/<id>/run.json          one of them, and
<entity>/<project>/<id>/run_df.csv        its history (openrlbenchmark.cache.CachedRun)
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from plotting.chosen import Chosen
from plotting.data_file import Run
from plotting.run_facts import Measured, read_measured
from plotting.tables import as_csv

ENTITY, PROJECT = "local", "rl-sweep"
#: What is in the history, beside the agent's own metrics/NAME.
RETURN, LENGTH, EVALUATION = "charts/episodic_return", "charts/episodic_length", "eval/return_mean"
_TABLE = """CREATE TABLE "offlinerun" (
    "id" VARCHAR(255) NOT NULL, "name" VARCHAR(255) NOT NULL, "state" VARCHAR(255) NOT NULL,
    "url" VARCHAR(255) NOT NULL, "path" TEXT NOT NULL, "username" VARCHAR(255) NOT NULL,
    "project" VARCHAR(255) NOT NULL, "entity" VARCHAR(255) NOT NULL, "config" TEXT NOT NULL)"""


def layout(chosen: Sequence[Chosen]) -> tuple[dict[str, bytes], list[str]]:
    """(file name -> content, what a person should know)."""
    files, rows = {}, []
    notes = [str(each) for each in chosen]
    for each in chosen:
        diverged = 0
        for run in each.setting.runs:
            described = _described(each, run)
            folder = "/".join(described["path"])
            files[f"{folder}/run.json"] = json.dumps(described).encode()
            files[f"{folder}/run_df.csv"] = _history(read_measured(run)).encode()
            rows.append(described)
            diverged += run.diverged
        if diverged:
            notes.append(f"{each.experiment.agent_name}: diverged, here crashed: {diverged}")
    files[f"{ENTITY}/{PROJECT}/offline.sqlite"] = _database(rows)
    return files, notes


def _described(of: Chosen, run: Run) -> dict[str, Any]:
    experiment, setting = of.experiment, of.setting
    name = f"{experiment.env_name}_{experiment.agent_name}_{setting.number}_{run.number}"
    name = name.replace("/", "-")
    return {
        "id": name,
        "name": name,
        "state": "crashed" if run.diverged else "finished",
        "url": "",
        "project": PROJECT,
        "entity": ENTITY,
        "config": {
            "env_id": experiment.env_name,
            "exp_name": experiment.agent_name,
            "seed": run.seed,
            "setting": setting.number,
            "run_number": run.number,
            "agent_params": setting.agent_params,
        },
        "tags": [],
        "path": [ENTITY, PROJECT, name],
        "user": {"username": ENTITY, "name": ENTITY},
    }


def _history(of: Measured) -> str:
    """A row for each timestep at which something was measured. `_runtime` is in proportion to the
    timestep, in seconds of training: a record has its sum only."""
    ended = len(of.train_episode_steps) - of.last_episode_unfinished
    ends = of.train_episode_ends or list(accumulate(of.train_episode_steps[:ended]))
    means = [sum(returns) / len(returns) for returns in of.eval_episode_rewards]
    series: dict[str, Any] = {
        RETURN: zip(ends, of.train_episode_rewards, strict=False),
        LENGTH: zip(ends, of.train_episode_steps, strict=False),
        EVALUATION: zip(of.timesteps_at_eval, means, strict=True),
    }
    for name, points in of.metrics.items():
        series[f"metrics/{name}"] = zip(points.timestep, points.value, strict=True)
    rows: dict[int, dict[str, float]] = {}
    for tag, numbers in series.items():
        for timestep, number in numbers:
            rows.setdefault(timestep, {})[tag] = number
    steps = ends[-1] if of.train_episode_ends else sum(of.train_episode_steps)
    rate = of.train_time / max(steps, 1)
    columns = ("", "_step", "global_step", "_runtime", *series)
    return as_csv(
        columns,
        (
            (k, at, at, at * rate, *(row.get(tag, "") for tag in series))
            for k, (at, row) in enumerate(sorted(rows.items()))
        ),
    )


def _database(runs: Sequence[dict[str, Any]]) -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.execute(_TABLE)
        database.executemany(
            "INSERT INTO offlinerun VALUES (:id, :name, :state, :url, :path, :username, :project, "
            ":entity, :config)",
            [
                run
                | {
                    "path": json.dumps(run["path"]),
                    "config": json.dumps(run["config"]),
                    "username": run["user"]["username"],
                }
                for run in runs
            ],
        )
        database.commit()
        return database.serialize()
