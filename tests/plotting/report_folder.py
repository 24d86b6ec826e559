"""A small results folder: 6 settings, records of any index, jobs that failed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from learning_curve_data import flat_run

from experiment.configuration import build_experiment
from experiment.manifest import FILE_NAME, Manifest
from experiment.record import encode
from experiment.scheduling import events, submission
from experiment.scheduling.cluster import check_cluster
from experiment.scheduling.submission import Chunk, Submission

ENVIRONMENT = {"env_name": "sweep/PendulumContinuous-v1", "total_timesteps": 100}
AGENT = {
    "agent_name": "linearAC",
    "parameters": {"critic_lr": [0.01, 0.1, 0.3], "actor_lr": [0.005, 0.1]},
}
SEED_OFFSET = 100


class ReportFolder:
    """Below `parent`, as main.py would call it."""

    def __init__(self, parent: Path) -> None:
        experiment = build_experiment(ENVIRONMENT, AGENT, "environment.json", "agent.json")
        self.manifest = Manifest.of(experiment, SEED_OFFSET)
        self.path = parent / self.manifest.stem
        self.path.mkdir(parents=True)
        (self.path / FILE_NAME).write_bytes(self.manifest.encode())

    def record(self, index: int) -> Path:
        """The record of an index."""
        return self.path / f"{self.manifest.stem}_data_{index}.json"

    def add(self, *indices: int) -> None:
        """Writes records; the score of a run is its index."""
        for index in indices:
            setting, number = self.manifest.grid.split(index)
            run: dict[str, Any] = flat_run(number, float(index)) | {
                "index": index,
                "setting_id": self.manifest.setting_id(setting),
                "random_seed": number + SEED_OFFSET,
            }
            params = self.manifest.grid.setting(setting)
            temporary = self.path / f".{index}.tmp"
            temporary.write_bytes(encode(dict(self.manifest.files), setting, params, run))
            temporary.rename(self.record(index))

    def send(self, indices: str, errors: Mapping[int, str]) -> None:
        """A submission, one task of all indices, in which those in `errors` failed."""
        sent = Submission(
            name="20260101-000000-abcd",
            scheduler="local",
            created=0.0,
            host="here",
            executable="main.py",
            base_path=".",
            results=str(self.path),
            save_dir=None,
            seed_offset=SEED_OFFSET,
            batch=1,
            device="cpu",
            cluster=check_cluster({"scheduler": "local", "cores": 2}, "cluster.json"),
            tasks=[indices],
            chunks=[Chunk(0, 1, 2, 2, 0, None, None)],
        )
        submission.write(sent, self.manifest.files)
        writer = events.Writer(sent.events_path(0))
        for index, error in errors.items():
            writer.write(events.Ended([index], "failed", 0.0, 1.0, 1.0, 1, exit=1, error=error))
        writer.close()
        lines = [f"2026-01-01 00:00:00 index {index}: {error}\n" for index, error in errors.items()]
        sent.log_path(0).write_text("".join(lines))
