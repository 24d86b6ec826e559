"""`--agent-help`: an agent's hyperparameters as a table."""

from __future__ import annotations

import inspect
import itertools
import textwrap
import types
import typing
from typing import Any

import msgspec

import agents
from experiment.configuration import check_agent_name
from experiment.values import hyperparameters

#: Widest columns: name, type, default, meaning.
_MOST = (28, 26, 18, 44)


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
    widths = [
        min(max(map(len, column)), most)
        for column, most in zip(zip(*rows, strict=True), _MOST, strict=True)
    ]
    lines = [f"{name}: {inspect.cleandoc(settings_type.__doc__ or '')}", ""]
    for row in rows:
        cells = [textwrap.wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        for parts in itertools.zip_longest(*cells, fillvalue=""):
            padded = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
            lines.append("  ".join(padded).rstrip())
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
    text = _type_name(base)
    low = next((f"[{m.ge}" for m in metas if m.ge is not None), "")
    low = low or next((f"({m.gt}" for m in metas if m.gt is not None), "")
    high = next((f"{m.le}]" for m in metas if m.le is not None), "")
    high = high or next((f"{m.lt})" for m in metas if m.lt is not None), "")
    if not low and not high:
        return text
    return f"{text} in {low or '(-inf'}, {high or 'inf)'}"


def _type_name(declared: Any) -> str:
    """A type as JSON has it: choices spelled out, a fixed list in brackets."""
    origin, members = typing.get_origin(declared), typing.get_args(declared)
    if origin is typing.Annotated:
        return type_text(declared)
    if origin is typing.Literal:
        return " | ".join(map(_json, members))
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(_type_name, members))
    if origin in (tuple, list):
        return f"[{', '.join(map(_type_name, members)).replace('Ellipsis', '...')}]"
    return "null" if declared is type(None) else str(getattr(declared, "__name__", declared))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
