"""JSON Schemas of the configuration files, for editors to complete and check them.

python -m experiment.schema        writes config/schema/
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

import agents
from envs.settings import EnvironmentSettings
from experiment.draws import KINDS
from experiment.scheduling.cluster import Cluster
from experiment.suite import Suite
from experiment.values import Hyperparameter, hyperparameters, takes_lists

FOLDER = Path(__file__).resolve().parent.parent / "config" / "schema"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FOR_READERS = {"$schema": {"type": "string"}, "$comment": {"type": ["string", "array"]}}


def schemas() -> dict[str, dict[str, Any]]:
    """File name -> schema: of environment files, suites, cluster files, and each agent's files."""
    files = {f"{name}.json": agent_schema(name) for name in agents.AGENTS}
    files["environment.json"] = plain_schema(EnvironmentSettings)
    files["suite.json"] = plain_schema(Suite)
    files["cluster.json"] = plain_schema(Cluster)
    return files


def plain_schema(settings_type: type[msgspec.Struct]) -> dict[str, Any]:
    """What a file may say whose keys are the fields of `settings_type`."""
    (reference,), definitions = msgspec.json.schema_components(
        [settings_type], ref_template="#/$defs/{name}"
    )
    main = definitions.pop(reference["$ref"].rpartition("/")[2])
    main["properties"] = _FOR_READERS | main["properties"]
    return {"$schema": _DIALECT, **main, "$defs": definitions}


def agent_schema(name: str) -> dict[str, Any]:
    """What a file of agent `name` may say."""
    declared = hyperparameters(agents.settings_type(name))
    lists = {one.name: _list_schema(one) for one in declared.values()}
    zipped = {one.name: _array(_value_schema(one)) for one in declared.values()}
    draws = {one.name: _draw_schema(one) for one in declared.values()}
    group = {"type": "object", "properties": zipped, "additionalProperties": False}
    return {
        "$schema": _DIALECT,
        "title": name,
        "description": agents.settings_type(name).__doc__,
        "type": "object",
        "required": ["agent_name"],
        "additionalProperties": False,
        "properties": {
            **_FOR_READERS,
            "agent_name": {"const": name},
            "parameters": {
                "description": "Lists of values; the first list varies fastest.",
                "type": "object",
                "properties": lists,
                "additionalProperties": False,
            },
            "zip": {
                "description": "Hyperparameters that move together: lists of equal length.",
                "anyOf": [group, _array(group)],
            },
            "random": {
                "description": "Random draws, addressed by index like the rest.",
                "type": "object",
                "required": ["samples", "parameters"],
                "additionalProperties": False,
                "properties": {
                    "samples": {"type": "integer", "minimum": 1},
                    "seed": {"type": "integer", "default": 0},
                    "parameters": {
                        "type": "object",
                        "properties": draws,
                        "additionalProperties": False,
                    },
                },
            },
            "constraints": {
                "description": 'Laws that every setting must obey, as "epsilon_min <= epsilon".',
                **_array({"type": "string"}),
            },
        },
    }


def _value_schema(one: Hyperparameter) -> dict[str, Any]:
    return msgspec.json.schema(one.type)


def _list_schema(one: Hyperparameter) -> dict[str, Any]:
    value = _value_schema(one)
    schema: dict[str, Any] = {"anyOf": [_array(value), value]}
    if "description" in value:
        schema["description"] = value.pop("description")
    if one.default is not msgspec.NODEFAULT:
        schema["default"] = [one.default]
    return schema


def _draw_schema(one: Hyperparameter) -> dict[str, Any]:
    value = _value_schema(one)
    value.pop("description", None)
    number = value.get("type") in ("number", "integer") and not takes_lists(one.type)
    kinds = [kind for kind in KINDS if kind == "choice" or number]
    pair = {**_array(value), "minItems": 2, "maxItems": 2}
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {
            kind: _array(value) if kind == "choice" else {**pair, "description": KINDS[kind]}
            for kind in kinds
        },
    }


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": items}


def encode(schema: dict[str, Any]) -> str:
    """A schema file's text."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes every schema, and removes those of agents that are no more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    current = schemas()
    for old in FOLDER.glob("*.json"):
        if old.name not in current:
            old.unlink()
    for name, schema in current.items():
        (FOLDER / name).write_text(encode(schema), encoding="utf-8")
        print(FOLDER / name)


if __name__ == "__main__":
    main()
