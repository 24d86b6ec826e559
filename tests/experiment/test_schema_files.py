"""config/schema/ says what the code accepts, and the shipped files are accepted by both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sweep_runs import ROOT, environment

from experiment.configuration import build_experiment, check_environment
from experiment.errors import ConfigError
from experiment.files import read_json_object
from experiment.schema import FOLDER, encode, schemas
from experiment.suite import environment_files

ENVIRONMENTS = sorted((ROOT / "config" / "environment").glob("*.json"))
AGENTS = sorted((ROOT / "config" / "agent").glob("*.json"))
SUITES = sorted((ROOT / "config" / "suite").glob("*.json"))
CLUSTERS = sorted((ROOT / "clusters").glob("*.json"))


def errors(content: Any, schema: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema)
    return [error.message for error in validator.iter_errors(content)]


def test_the_committed_schemas_are_those_of_the_code() -> None:
    made = {name: encode(schema) for name, schema in schemas().items()}
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert committed == made, "run: python -m experiment.schema"


@pytest.mark.parametrize("name", sorted(schemas()))
def test_a_schema_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


@pytest.mark.parametrize(
    "path", [*ENVIRONMENTS, *SUITES, *AGENTS, *CLUSTERS], ids=lambda path: path.name
)
def test_a_shipped_file_names_the_schema_that_it_obeys(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    schema = (path.parent / content["$schema"]).resolve()
    assert schema.parent == FOLDER
    assert errors(content, json.loads(schema.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", AGENTS, ids=lambda path: path.name)
def test_a_shipped_agent_file_spans_a_grid(path: Path) -> None:
    experiment = build_experiment(environment(), read_json_object(path), "-", str(path))
    assert experiment.grid.size >= 1


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.name)
def test_a_shipped_suite_lists_environment_files(path: Path) -> None:
    assert {file.resolve() for file in environment_files(path)} <= set(ENVIRONMENTS)


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.name)
def test_a_shipped_environment_file_is_accepted(path: Path) -> None:
    check_environment(read_json_object(path), str(path))


@pytest.mark.parametrize(
    "agent",
    [
        {"parameters": {"critic_lr": ["a"]}},
        {"parameters": {"critic_lr": []}},
        {"parameters": {"criticlr": [1]}},
        {"parameters": {"decay": [2]}},
        {"parameter": {}},
        {"zip": {"tilings": 4}},
        {"random": {"samples": 0, "parameters": {"critic_lr": {"uniform": [0, 1]}}}},
        {"random": {"samples": 1, "parameters": {"critic_lr": {"unifrom": [0, 1]}}}},
        {"random": {"samples": 1, "parameters": {"scaled": {"uniform": [0, 1]}}}},
        {"constraints": "a < b"},
    ],
)
def test_what_the_schema_refuses_the_code_refuses(agent: dict[str, Any]) -> None:
    content = {"agent_name": "linearAC"} | agent
    assert errors(content, schemas()["linearAC.json"])
    with pytest.raises(ConfigError):
        build_experiment(environment(), content, "environment.json", "agent.json")


@pytest.mark.parametrize(
    "agent",
    [
        {},
        {"parameters": {"critic_lr": 0.1, "scaled": [True, False]}},
        {"zip": {"tilings": [4, 8], "bins": [8, 4]}},
        {"zip": [{"tilings": [4, 8], "bins": [8, 4]}]},
        {"random": {"samples": 2, "parameters": {"tilings": {"integer": [1, 4]}}}},
        {"parameters": {"critic_lr": [0.1, 1]}, "constraints": ["actor_lr < critic_lr"]},
    ],
)
def test_what_the_code_accepts_the_schema_accepts(agent: dict[str, Any]) -> None:
    content = {"agent_name": "linearAC"} | agent
    build_experiment(environment(), content, "environment.json", "agent.json")
    assert errors(content, schemas()["linearAC.json"]) == []
