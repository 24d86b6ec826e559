"""Weights & Biases: a W&B run for each run, online or, with WANDB_MODE=offline, in files."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

import wandb

from experiment.errors import ConfigError
from experiment.writers.writer import LoggedRun, Points

PROJECT = "rl-sweep"
EXIT_INTERRUPTED = 75


class WandbRun:
    """`<logs>/wandb/[offline-]run-<time>-<id>`, where an id is the run's identity and a number.

    A run that goes on keeps its id. Offline it writes all of its history once more, so that one
    folder has all of it, and the older one goes.
    """

    def __init__(self, run: LoggedRun) -> None:
        self._folder = run.folder / "wandb"
        run.folder.mkdir(parents=True, exist_ok=True)
        known = _last_id(self._folder, run.identity) if run.timestep else None
        self._id = known or f"{run.identity}-{secrets.token_hex(4)}"
        where: dict[str, Any] = {} if "WANDB_PROJECT" in os.environ else {"project": PROJECT}
        # it takes this project's package `agents` for another, and advertises
        os.environ.setdefault("WANDB_DISABLE_WEAVE", "true")
        try:
            self._run: Any = wandb.init(
                **where,
                dir=run.folder,
                id=self._id,
                resume="allow",
                reinit="create_new",  # the runs of a group are open at once
                name=run.name,
                group=os.environ.get("WANDB_RUN_GROUP", run.experiment),
                config={
                    "env_id": run.env_name,
                    "exp_name": run.agent_name,
                    **run.facts,
                    "agent_params": dict(run.agent_params),
                    "environment": dict(run.environment),
                },
                settings=wandb.Settings(console="off", silent=True),
            )
        except (wandb.Error, OSError) as error:
            said = str(error).strip().rstrip(".").replace("\n", " ")
            raise ConfigError(f"--log wandb: {said}; or set WANDB_MODE=offline") from None
        self.since = 0 if self._run.offline else self._run.starting_step

    def write(self, points: Points) -> None:
        for timestep, values in points:
            self._run.log({"global_step": timestep, **values}, step=timestep)

    def close(self, status: str | None) -> None:
        if status is not None:
            self._run.summary["status"] = status
        self._run.finish(exit_code=EXIT_INTERRUPTED if status is None else 0)
        if self._run.offline:
            own = Path(self._run.dir).parent
            for folder in self._folder.glob(f"offline-run-*-{self._id}*"):
                if folder.name != own.name:
                    shutil.rmtree(folder, ignore_errors=True)


def _last_id(folder: Path, identity: str) -> str | None:
    """The id that a run had when it was left."""
    # of folders begun in one second W&B numbers the second and later
    named = re.compile(
        rf"(?:offline-)?run-(\d+_\d+)-({re.escape(identity)}-[0-9a-f]{{8}})(?:-\d+)?"
    )
    found = sorted(
        m.groups() for path in folder.glob("*run-*") if (m := named.fullmatch(path.name))
    )
    return found[-1][1] if found else None
