"""A JSON object as a struct, with what is wrong in it said in one sentence."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from experiment.errors import ConfigError, nearest
from experiment.values import Hyperparameter, alternatives, hyperparameters

Settings = TypeVar("Settings", bound=msgspec.Struct)


def convert_fields(
    content: Mapping[str, Any], settings_type: type[Settings], file: str, of: str
) -> Settings:
    """The fields of a file, typed.

    Args:
        of: what has these fields, as "an environment".

    Raises:
        ConfigError: an unknown field, a value of the wrong type, or a required field left out.
    """
    _check(content, settings_type, f"{file}: ", "", of)
    try:
        return msgspec.convert(content, settings_type)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{file}: {error}") from None


def _check(
    content: Mapping[str, Any], settings_type: type[msgspec.Struct], file: str, path: str, of: str
) -> None:
    declared = hyperparameters(settings_type)
    for name, value in content.items():
        where = f"{file}{path}{name}"
        if name not in declared:
            raise ConfigError(f"{where} is not a field of {of}; {nearest(name, declared)}")
        nested = _struct(declared[name].type)
        if nested is not None and isinstance(value, dict):
            _check(value, nested, file, f"{path}{name}.", f"{path}{name}")
        else:
            for part, one in _parts(declared[name], value):
                one.convert(value[part], f"{where}.{part}")
            declared[name].convert(value, where)
    for name, one in declared.items():
        if one.default is msgspec.NODEFAULT and name not in content:
            lacks = f"{file}{path.rstrip('.')}{' ' if path else ''}lacks"
            raise ConfigError(f"{lacks} {name!r}, which has no default{_typo(name, content)}")


def _struct(declared: Any) -> type[msgspec.Struct] | None:
    structs = (one for one in alternatives(declared) if isinstance(one, type))
    return next((one for one in structs if issubclass(one, msgspec.Struct)), None)


def _parts(field: Hyperparameter, value: Any) -> list[tuple[str, Hyperparameter]]:
    """The entries of an object whose values have one type, to say which of them is wrong."""
    if not isinstance(value, dict):
        return []
    types = [one for one in alternatives(field.type) if typing.get_origin(one) is dict]
    entry = typing.get_args(types[0])[1] if len(types) == 1 else Any
    return [(name, Hyperparameter(name, entry, msgspec.NODEFAULT)) for name in value]


def _typo(name: str, content: Mapping[str, Any]) -> str:
    import difflib

    close = difflib.get_close_matches(name, content, n=1)
    return f"; {close[0]!r} looks like it" if close else ""
