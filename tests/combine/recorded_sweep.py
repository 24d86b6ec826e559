"""A small results folder for the tests of merging: 6 settings, records of any index."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from experiment.configuration import build_experiment
from experiment.folder import ResultFolder
from experiment.manifest import FILE_NAME, Manifest
from experiment.merge import Merged, merge
from experiment.prune import PrunedRecords, prune
from experiment.record import encode
from experiment.shard_writer import ShardWriter

ENVIRONMENT = {"env_name": "sweep/PendulumContinuous-v1", "total_timesteps": 1000}
AGENT = {
    "agent_name": "linearAC",
    "parameters": {"critic_lr": [0.01, 0.1, 0.3], "actor_lr": [0.005, 0.1]},
}
SEED_OFFSET = 100


class RecordedSweep:
    """A folder with a manifest, whose runs were "done" by writing their records."""

    def __init__(self, path: Path, gamma: float = 0.9) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        environment = {**ENVIRONMENT, "gamma": gamma}
        experiment = build_experiment(environment, AGENT, "environment.json", "agent.json")
        self.manifest = Manifest.of(experiment, SEED_OFFSET)
        (path / FILE_NAME).write_bytes(self.manifest.encode())

    @property
    def data(self) -> Path:
        return self.path / "data.json"

    def record(self, index: int) -> Path:
        return self.path / f"{self.manifest.stem}_data_{index}.json"

    def run(self, index: int, rewards: Any = (1.5, -2.0), **fields: Any) -> dict[str, Any]:
        """The content of a run; `fields` are there to make it a wrong one."""
        setting, number = self.manifest.grid.split(index)
        return {
            "run_number": number,
            "index": index,
            "setting_id": self.manifest.setting_id(setting),
            "random_seed": number + SEED_OFFSET,
            "status": "completed",
            "train_episode_rewards": list(rewards),
            "note": 'Grüße, "quoted" \\ }]}',
            **fields,
        }

    def encoded(self, index: int, **fields: Any) -> bytes:
        setting = self.manifest.grid.split(fields.get("index", index))[0]
        params = self.manifest.grid.setting(setting)
        return encode(dict(self.manifest.files), setting, params, self.run(index, **fields))

    def add(self, *indices: int, **fields: Any) -> None:
        """Writes records as runs do: beside, then renamed."""
        for index in indices:
            temporary = self.path / f".{index}.tmp"
            temporary.write_bytes(self.encoded(index, **fields))
            temporary.rename(self.record(index))

    def shard(self, *indices: int, name: str = "node", **fields: Any) -> Path:
        """Writes records as a process with `--shard` does; returns the file."""
        writer = ShardWriter(self.path, name)
        for index in indices:
            writer.append(self.encoded(index, **fields))
        return writer.path

    def prune(self) -> PrunedRecords:
        """Merges, and removes what was merged."""
        return prune(self.path, lambda done, total: None)[1]

    def folder(self) -> ResultFolder:
        """As a run sees it."""
        return ResultFolder(self.path, self.manifest)

    def files(self) -> set[str]:
        """The names of the files with records."""
        shards = (self.path / "shards").glob("*.jsonl")
        return {path.name for path in [*self.path.glob("*_data_*.json"), *shards]}

    def merge(self, output: Path | None = None) -> Merged:
        return merge(self.path, output, lambda done, total: None)

    def merged_from_scratch(self) -> bytes:
        """What data.json has to be."""
        with tempfile.TemporaryDirectory() as elsewhere:
            output = Path(elsewhere) / "data.json"
            self.merge(output)
            return output.read_bytes()

    def indices(self) -> list[int]:
        """Of the runs in data.json, as they stand there."""
        tree = json.loads(self.data.read_bytes())
        settings = tree["experiment_data"].values()
        return [run["index"] for setting in settings for run in setting["runs"]]


def plain_merge(folder: Path) -> dict[str, Any]:
    """The same by parsing every record and merging dictionaries."""
    records = [json.loads(path.read_bytes()) for path in folder.glob("*_data_*.json")]
    merged: dict[str, Any] = {"experiment": records[0]["experiment"], "experiment_data": {}}
    for record in records:
        ((setting, content),) = record["experiment_data"].items()
        entry = merged["experiment_data"].setdefault(setting, {**content, "runs": []})
        entry["runs"] += content["runs"]
    for entry in merged["experiment_data"].values():
        entry["runs"].sort(key=lambda run: run["run_number"])
    return merged
