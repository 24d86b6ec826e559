"""The cluster files that are shipped, and the documentation of their fields."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from checked_clusters import LOCAL, cluster, on

from experiment.errors import ConfigError
from experiment.scheduling.cluster import Cluster, Mail, Retry, read_cluster
from experiment.schema import schemas
from experiment.values import hyperparameters

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "clusters").glob("*.json"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_file_is_read(path: Path) -> None:
    read = read_cluster(path)
    assert read.per_task(1) >= 1
    assert "$comment" in json.loads(path.read_text(encoding="utf-8"))


def test_the_files_that_are_promised_are_there() -> None:
    promised = {"local", "cedar", "narval", "narval_gpu", "longleaf", "slurm_single_node"}
    promised |= {"dtu_lsf", "metacentrum_pbs", "template"}
    assert {path.stem for path in SHIPPED} >= promised


def documented() -> dict[str, list[str]]:
    """Rows of the table of fields: name -> the other cells."""
    table = (ROOT / "clusters" / "README.md").read_text(encoding="utf-8").partition("## Fields")[2]
    rows = re.findall(r"^\| `([\w.]+)` \|(.*)\|$", table, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in rows}


def fields() -> Iterator[tuple[str, Any]]:
    """Every field and its default, those of nested objects with their path."""
    for prefix, struct in (("", Cluster), ("mail.", Mail), ("retry.", Retry)):
        for name, one in hyperparameters(struct).items():
            yield f"{prefix}{name}", one.default


def test_every_field_is_documented_with_its_default() -> None:
    rows = documented()
    assert sorted(rows) == sorted(name for name, _ in fields())
    for name, default in fields():
        written = "required" if default is msgspec.NODEFAULT else f"`{json.dumps(default)}`"
        assert rows[name][1] == ("`{}`" if name == "retry" else written), name


def test_the_documentation_says_which_scheduler_has_a_field() -> None:
    values: dict[str, Any] = {
        **dict.fromkeys(("account", "partition", "qos", "constraint", "gpuType"), "a"),
        **dict.fromkeys(("arrayParallelism", "maxRequeues", "maxArraySize", "maxSubmitJobs"), 7),
        "memPerCpu": "2G",
        "mail": {"user": "a"},
        "directives": {"x": 1},
        "useSrun": False,
    }
    rows = documented()
    assert {name for name, row in rows.items() if row[3]} == set(values)
    for name, value in values.items():
        for file in (on("slurm"), on("pbs"), on("lsf"), LOCAL):
            try:
                cluster(file, gpus=1, **{name: value})
            except ConfigError:
                assert file["scheduler"] not in rows[name][3], name
            else:
                assert file["scheduler"] in rows[name][3], name


def test_the_template_has_every_field() -> None:
    content = json.loads((ROOT / "clusters" / "template.json").read_text(encoding="utf-8"))
    assert set(content) - {"$schema", "$comment"} == set(hyperparameters(Cluster))
    assert set(content["retry"]) == set(hyperparameters(Retry))
    assert set(content["mail"]) == set(hyperparameters(Mail))


def test_every_field_is_described_in_the_schema() -> None:
    schema = schemas()["cluster.json"]
    for part in (schema, *schema["$defs"].values()):
        for name, field in part["properties"].items():
            assert name.startswith("$") or field.get("description"), name
