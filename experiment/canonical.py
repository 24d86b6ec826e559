"""Canonical JSON, and the identity of a setting that is made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson


def canonical(value: Any) -> bytes:
    """`value` as JSON with sorted keys: equal bytes if and only if equal values.

    Numbers keep their type (1 and 1.0 differ): values are converted to their declared types first.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def setting_id(agent_name: str, setting: Mapping[str, Any], problem: Mapping[str, Any]) -> str:
    """Who a setting is: 16 hex digits of the SHA-256 of what it says, wherever it stands in a grid.

    Args:
        setting: resolved hyperparameters, defaults included.
        problem: the fields of the environment file that change what is trained.
    """
    content = {"agent": agent_name, "setting": dict(setting), "problem": dict(problem)}
    return hashlib.sha256(canonical(content)).hexdigest()[:16]
