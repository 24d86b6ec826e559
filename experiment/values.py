"""One hyperparameter: its declared type, and what a JSON value means for it."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal

import msgspec

from experiment.canonical import canonical
from experiment.errors import ConfigError, nearest


class Hyperparameter(msgspec.Struct, frozen=True):
    """A name, its declared type (ranges included) and its default."""

    name: str
    type: Any
    default: Any

    def convert(self, value: Any, where: str) -> Any:
        """`value` as the declared type, in JSON terms (a tuple is a list).

        Raises:
            ConfigError: wrong type or out of range; the message begins with `where`.
        """
        try:
            return _as_json(msgspec.convert(value, self.type))
        except msgspec.ValidationError as error:
            shown = canonical(value).decode()
            shown = shown if len(shown) <= 60 else shown[:57] + "..."
            raise ConfigError(f"{where} is {shown}: {self._expectation(value, error)}") from None

    def _expectation(self, value: Any, error: msgspec.ValidationError) -> str:
        choices = literal_choices(self.type)
        if choices and isinstance(value, str):
            return f"not a choice of {self.name}; {nearest(value, map(str, choices))}"
        return str(error).replace("`", "").replace("Expected", "expected").replace("$", "value")

    def accepts(self, value: Any) -> bool:
        """Whether `value` is one valid value."""
        try:
            msgspec.convert(value, self.type)
        except msgspec.ValidationError:
            return False
        return True

    def values(self, given: Any, where: str) -> list[Any]:
        """The list of values that `given` means: itself, or one bare value.

        Raises:
            ConfigError: empty, a value wrong or twice, or a list that could mean both.
        """
        if not isinstance(given, list):
            return [self.convert(given, where)]
        one_value = takes_lists(self.type) and self.accepts(given)
        if one_value and given and all(self.accepts(value) for value in given):
            shown = canonical(given).decode()
            raise ConfigError(
                f"{where} is {shown}, which could be one value of {self.name} or "
                f"{len(given)} values; write [{shown}] for one value, or put each value "
                "in brackets of its own"
            )
        if one_value and not given:
            raise ConfigError(f"{where} is []: write [[]] for one value that is the empty list")
        if one_value:
            return [self.convert(given, where)]
        if not given:
            raise ConfigError(f"{where} is an empty list: a grid over no values has no settings")
        try:
            all_of_them = types.GenericAlias(list, (self.type,))
            converted: list[Any] = _as_json(msgspec.convert(given, all_of_them))
        except msgspec.ValidationError:  # one by one, to say which
            converted = [self.convert(value, f"{where}[{i}]") for i, value in enumerate(given)]
        seen: dict[bytes, int] = {}
        for i, value in enumerate(converted):
            first = seen.setdefault(canonical(value), i)
            if first != i:
                raise ConfigError(
                    f"{where}[{i}] is {canonical(value).decode()}, as is [{first}] already: "
                    "one setting would run twice"
                )
        return converted


def hyperparameters(settings_type: type[msgspec.Struct]) -> dict[str, Hyperparameter]:
    """The hyperparameters that a settings class declares."""
    declared = {}
    for field in msgspec.structs.fields(settings_type):
        default = field.default
        if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if default is not msgspec.NODEFAULT and default is not msgspec.UNSET:
            default = _as_json(default)
        name = field.encode_name  # as files write it
        declared[name] = Hyperparameter(name, field.type, default)
    return declared


def _as_json(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def default_values(settings_type: type[msgspec.Struct]) -> dict[str, Any]:
    """The documented defaults, of those hyperparameters that have one."""
    return {
        name: one.default
        for name, one in hyperparameters(settings_type).items()
        if one.default is not msgspec.NODEFAULT
    }


def alternatives(declared: Any) -> list[Any]:
    """The members of a union, ranges stripped; a plain type is its only member."""
    origin = typing.get_origin(declared)
    if origin is typing.Annotated:
        return alternatives(typing.get_args(declared)[0])
    if origin in (typing.Union, types.UnionType):
        return [one for member in typing.get_args(declared) for one in alternatives(member)]
    return [declared]


def takes_lists(declared: Any) -> bool:
    """Whether a JSON list may be one value of the type."""
    lists = (list, tuple, set, frozenset)
    return any(
        (typing.get_origin(member) or member) in lists or member is Any
        for member in alternatives(declared)
    )


def literal_choices(declared: Any) -> tuple[Any, ...]:
    """The choices of an enumerated type; empty for others."""
    return tuple(
        choice
        for member in alternatives(declared)
        if typing.get_origin(member) is Literal
        for choice in typing.get_args(member)
    )
