"""`--agent-help`: an agent's hyperparameters as a table."""

from __future__ import annotations

import inspect
import textwrap
import typing
from typing import Any

import msgspec

import agents
from experiment.configuration import check_agent_name
from experiment.values import hyperparameters

_WIDTH = 100


def table(agent_name: str) -> str:
    """Name, type with range, default and meaning of every hyperparameter of an agent.

    Raises:
        ConfigError: no such agent.
    """
    name = check_agent_name(agent_name, "--agent-help")
    settings_type = agents.settings_type(name)
    rows = [("hyperparameter", "type", "default", "meaning")]
    for one in hyperparameters(settings_type).values():
        default = "(required)" if one.default is msgspec.NODEFAULT else _json(one.default)
        rows.append((one.name, type_text(one.type), default, description(one.type)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    indent = sum(widths) + 6
    lines = [f"{name}: {inspect.cleandoc(settings_type.__doc__ or '')}", ""]
    for row in rows:
        meaning = textwrap.wrap(row[3], max(30, _WIDTH - indent)) or [""]
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        lines.append(f"{cells}  {meaning[0]}".rstrip())
        lines += [" " * indent + more for more in meaning[1:]]
    laws = [rule.law for rule in settings_type.RULES]
    if laws:
        lines += ["", "rules: " + "; ".join(laws)]
    return "\n".join(lines)


def description(declared: Any) -> str:
    """The one line of help of a declared type."""
    if typing.get_origin(declared) is not typing.Annotated:
        return ""
    texts = [meta.description for meta in declared.__metadata__ if meta.description]
    return texts[0] if texts else ""


def type_text(declared: Any) -> str:
    """A declared type and its range, as in `float in [0, 1]`."""
    base = declared
    metas: tuple[Any, ...] = ()
    if typing.get_origin(declared) is typing.Annotated:
        base, metas = declared.__origin__, declared.__metadata__
    text = base.__name__ if isinstance(base, type) else str(base).replace("typing.", "")
    low = next((f"[{m.ge}" for m in metas if m.ge is not None), "")
    low = low or next((f"({m.gt}" for m in metas if m.gt is not None), "")
    high = next((f"{m.le}]" for m in metas if m.le is not None), "")
    high = high or next((f"{m.lt})" for m in metas if m.lt is not None), "")
    if not low and not high:
        return text
    return f"{text} in {low or '(-inf'}, {high or 'inf)'}"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
