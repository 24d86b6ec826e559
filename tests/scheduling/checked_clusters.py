"""Fields of a cluster, checked as those of a cluster file are."""

from __future__ import annotations

from typing import Any

import pytest

from experiment.errors import ConfigError
from experiment.scheduling.cluster import Cluster, check_cluster

BATCH: dict[str, Any] = {"scheduler": "slurm", "time": "02:59:00", "cores": 8}
LOCAL: dict[str, Any] = {"scheduler": "local"}


def cluster(*files: dict[str, Any], **fields: Any) -> Cluster:
    """On top of a minimal file for Slurm, unless others are given."""
    merged = {name: value for file in files or (BATCH,) for name, value in file.items()}
    return check_cluster(merged | fields, "cluster.json")


def refusal(*files: dict[str, Any], **fields: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        cluster(*files, **fields)
    assert caught.value.exit_code == 2
    (line,) = str(caught.value).splitlines()
    return line.removeprefix("cluster.json: ")


def on(scheduler: str) -> dict[str, Any]:
    return BATCH | {"scheduler": scheduler}
