"""The agent file: hyperparameter lists, zip groups, random draws and constraints -> a grid.

    {"agent_name": "linearAC",
     "parameters": {"critic_lr": [0.1, 0.3], "decay": 0.5},
     "zip": [{"tilings": [8, 16], "bins": [8, 4]}],
     "random": {"samples": 20, "seed": 0, "parameters": {"actor_lr": {"log_uniform": [1e-4, 1]}}},
     "constraints": ["actor_lr <= critic_lr"]}

Axes in this order: every list of "parameters", every zip group, the random samples. A constraint
joins the axes that it names, at the place of the first of them, and leaves the legal rows.
"""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from agents.base import AgentSettings, Rule
from experiment.canonical import canonical
from experiment.draws import KINDS, Draws
from experiment.errors import ConfigError, nearest
from experiment.files import json_kind
from experiment.grid import Axis, Grid, Row
from experiment.values import Hyperparameter, hyperparameters

_KEYS = ("agent_name", "parameters", "zip", "random", "constraints")
_JOINED_ROWS_LIMIT = 2_000_000
_CHECKED_ROWS_LIMIT = 1_000_000
_MOST_SAMPLES = 10**12

_CONSTRAINT = re.compile(r"\s*(\w+)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}


def build_grid(content: Mapping[str, Any], settings_type: type[AgentSettings], file: str) -> Grid:
    """The grid of an agent file, every value of every list validated.

    Raises:
        ConfigError: with the file, the path inside it, the value, and the nearest valid choice.
    """
    return _Builder(settings_type, file).build(content)


def check_rules(settings_type: type[AgentSettings], setting: Mapping[str, Any]) -> None:
    """The agent's laws for one setting: grids too large to be checked whole have others.

    Raises:
        ConfigError: with the law and the values.
    """
    for rule in settings_type.RULES:
        if not rule.holds(**{name: setting[name] for name in rule.names}):
            raise ConfigError(
                f"this setting has {_shown(rule, setting)}, against the rule {rule.law}"
            )


class _Builder:
    def __init__(self, settings_type: type[AgentSettings], file: str) -> None:
        self.settings_type = settings_type
        self.file = file
        self.declared = hyperparameters(settings_type)
        self.given_at: dict[str, str] = {}
        self.axes: list[Axis] = []

    def build(self, content: Mapping[str, Any]) -> Grid:
        for key in content:
            if key not in _KEYS:
                raise self.error(key, f"is not a key of an agent file; {nearest(key, _KEYS)}")
        self.add_lists(self.object(content.get("parameters", {}), "parameters"))
        self.add_zips(content.get("zip", []))
        if "random" in content:
            self.add_draws(self.object(content["random"], "random"))
        required = [
            name
            for name, one in self.declared.items()
            if one.default is msgspec.NODEFAULT and name not in self.given_at
        ]
        if required:
            raise self.error("parameters", f"lacks {required[0]!r}, which has no default")
        constraints = content.get("constraints", [])
        if not isinstance(constraints, list):
            raise self.error("constraints", f"is {json_kind(constraints)}, not a list")
        for position, text in enumerate(constraints):
            self.restrict(text, f"constraints[{position}]")
        grid = self.grid()
        for rule in self.settings_type.RULES:
            self.check_rule(rule, grid)
        return grid

    def grid(self) -> Grid:
        constants = {n: one.default for n, one in self.declared.items() if n not in self.given_at}
        varying = []
        for axis in self.axes:
            if len(axis.rows) == 1:
                constants.update(zip(axis.names, axis.rows[0], strict=True))
            else:
                varying.append(axis)
        return Grid(tuple(varying), dict(sorted(constants.items())))

    # -- the three kinds of axes

    def add_lists(self, parameters: Mapping[str, Any]) -> None:
        for name, given in parameters.items():
            where = f"parameters.{name}"
            one = self.claim(name, where)
            values = one.values(given, f"{self.file}: {where}")
            self.axes.append(Axis((name,), [(value,) for value in values]))

    def add_zips(self, given: Any) -> None:
        groups = given if isinstance(given, list) else [given]
        for number, group in enumerate(groups):
            where = f"zip[{number}]" if isinstance(given, list) else "zip"
            columns = {}
            for name, values in self.object(group, where).items():
                one = self.claim(name, f"{where}.{name}")
                if not isinstance(values, list):
                    raise self.error(f"{where}.{name}", f"is {json_kind(values)}, not a list")
                columns[name] = [
                    one.convert(value, f"{self.file}: {where}.{name}[{i}]")
                    for i, value in enumerate(values)
                ]
            lengths = {name: len(values) for name, values in columns.items()}
            if len(set(lengths.values())) != 1 or 0 in lengths.values():
                shown = ", ".join(f"{name} has {n}" for name, n in lengths.items())
                raise self.error(where, f"needs lists of one length above 0: {shown or 'none'}")
            rows = list(zip(*columns.values(), strict=True))
            if len({canonical(row) for row in rows}) != len(rows):
                raise self.error(where, "has the same row twice: one setting would run twice")
            self.axes.append(Axis(tuple(columns), rows))

    def add_draws(self, given: Mapping[str, Any]) -> None:
        for key in given:
            if key not in ("samples", "seed", "parameters"):
                hint = nearest(key, ("samples", "seed", "parameters"))
                raise self.error(f"random.{key}", f"is not a key of random draws; {hint}")
        samples, seed = given.get("samples"), given.get("seed", 0)
        if "samples" not in given:
            raise self.error("random", 'lacks "samples", the number of draws')
        if type(samples) is not int or not 1 <= samples <= _MOST_SAMPLES:
            shown = canonical(samples).decode()
            raise self.error(
                "random.samples", f"is {shown}: expected an integer from 1 to {_MOST_SAMPLES}"
            )
        if type(seed) is not int:
            raise self.error("random.seed", f"is {canonical(seed).decode()}: expected an integer")
        parameters = self.object(given.get("parameters", {}), "random.parameters")
        if not parameters:
            raise self.error("random.parameters", "names no hyperparameter to draw")
        draws = {
            name: self.draw(name, draw, f"random.parameters.{name}")
            for name, draw in parameters.items()
        }
        self.axes.append(Axis(tuple(draws), Draws(draws, samples, seed)))

    def draw(self, name: str, given: Any, where: str) -> dict[str, Any]:
        one = self.claim(name, where)
        if not isinstance(given, dict) or len(given) != 1 or next(iter(given)) not in KINDS:
            kind = next(iter(given)) if isinstance(given, dict) and len(given) == 1 else ""
            forms = " or ".join(f'{{"{kind}": {what}}}' for kind, what in KINDS.items())
            hint = f" {nearest(kind, KINDS)};" if kind else ""
            raise self.error(where, f"is not a random draw;{hint} expected {forms}")
        ((kind, argument),) = given.items()
        where = f"{where}.{kind}"
        if not isinstance(argument, list) or not argument:
            raise self.error(where, f"is {json_kind(argument)}: expected {KINDS[kind]}")
        values = [
            one.convert(value, f"{self.file}: {where}[{i}]") for i, value in enumerate(argument)
        ]
        if kind == "choice":
            return {kind: values}
        number = int if kind == "integer" else float
        if len(values) != 2 or any(type(value) is not number for value in values):
            hint = "; for whole numbers use integer" if kind != "integer" else ""
            raise self.error(where, f"is {argument}: expected {KINDS[kind]} of {name}{hint}")
        if not values[0] < values[1]:
            raise self.error(where, f"is {argument}: the low end must be below the high end")
        if kind == "log_uniform" and values[0] <= 0:
            raise self.error(f"{where}[0]", f"is {values[0]}: a logarithmic range begins above 0")
        return {kind: values}

    # -- laws between hyperparameters

    def restrict(self, text: Any, where: str) -> None:
        """Applies one constraint: joins the axes that it names and drops the illegal rows."""
        match = _CONSTRAINT.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise self.error(where, f"is {text!r}: expected NAME <= NAME (or <, >, >=, ==, !=)")
        left, sign, right = match.groups()
        names = [self.known(left, where)]
        literal: list[Any] = []
        try:
            literal = [float(right)]
        except ValueError:
            names.append(self.known(right, where))
        for name in names:
            if name not in self.given_at:
                self.given_at[name] = "default"
                self.axes.append(Axis((name,), [(self.declared[name].default,)]))
        compare = _OPERATORS[sign]
        joined = self.join(names, where)
        columns = [joined.names.index(name) for name in names]
        try:
            legal = [row for row in joined.rows if compare(*[row[c] for c in columns], *literal)]
        except TypeError:
            raise self.error(where, f"compares values that have no order: {text!r}") from None
        if not legal:
            raise self.error(where, f"leaves no setting: {text!r} holds for none")
        place = min(i for i, axis in enumerate(self.axes) if set(axis.names) & set(names))
        rest = [axis for axis in self.axes if not set(axis.names) & set(names)]
        self.axes = [*rest[:place], Axis(joined.names, legal), *rest[place:]]

    def join(self, names: Iterable[str], where: str) -> Axis:
        involved = [axis for axis in self.axes if set(axis.names) & set(names)]
        if math.prod(len(axis.rows) for axis in involved) > _JOINED_ROWS_LIMIT:
            raise self.error(where, f"spans more than {_JOINED_ROWS_LIMIT:,} combinations")
        return Axis(
            tuple(name for axis in involved for name in axis.names), list(_product(involved))
        )

    def check_rule(self, rule: Rule, grid: Grid) -> None:
        """The agent's own laws, over the axes that they touch."""
        involved = [_narrowed(axis, rule.names) for axis in grid.axes]
        involved = [axis for axis in involved if axis.names]
        constants = {name: grid.constants[name] for name in rule.names if name in grid.constants}
        names = [name for axis in involved for name in axis.names]
        # a grid of more combinations than this is checked run by run, as each is built
        for row in itertools.islice(_product(involved), _CHECKED_ROWS_LIMIT):
            chosen = constants | dict(zip(names, row, strict=True))
            if not rule.holds(**chosen):
                shown = _shown(rule, chosen)
                add = (
                    f'; add "constraints": ["{rule.law}"] to leave such settings out'
                    if len(involved) and _CONSTRAINT.fullmatch(rule.law)
                    else ""
                )
                at = next(
                    (self.given_at[n] for n in rule.names if n in self.given_at), "parameters"
                )
                raise self.error(at, f"gives {shown}, against the rule {rule.law}{add}")

    # -- small things

    def claim(self, name: str, where: str) -> Hyperparameter:
        self.known(name, where)
        if name in self.given_at:
            raise self.error(where, f"is given at {self.given_at[name]} already")
        self.given_at[name] = where
        return self.declared[name]

    def known(self, name: str, where: str) -> str:
        if name not in self.declared:
            raise self.error(
                where, f"names no hyperparameter {name!r}; {nearest(name, self.declared)}"
            )
        return name

    def object(self, value: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.error(where, f"is {json_kind(value)}, not an object")
        return value

    def error(self, where: str, problem: str) -> ConfigError:
        return ConfigError(f"{self.file}: {where} {problem}")


def _product(axes: list[Axis]) -> Iterable[Row]:
    """Rows of several axes joined, the first axis varying fastest."""
    for rows in itertools.product(*[axis.rows for axis in reversed(axes)]):
        yield tuple(itertools.chain.from_iterable(reversed(rows)))


def _narrowed(axis: Axis, names: tuple[str, ...]) -> Axis:
    """The columns `names` of an axis, and as many of its rows as are ever checked."""
    kept = tuple(name for name in axis.names if name in names)
    if isinstance(axis.rows, Draws):
        parameters = {name: axis.rows.parameters[name] for name in kept}
        samples = min(axis.rows.samples, _CHECKED_ROWS_LIMIT)
        return Axis(kept, Draws(parameters, samples, axis.rows.seed) if kept else [])
    columns = [axis.names.index(name) for name in kept]
    rows = axis.rows[:_CHECKED_ROWS_LIMIT] if kept else []
    return Axis(kept, [tuple(row[column] for column in columns) for row in rows])


def _shown(rule: Rule, setting: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {canonical(setting[name]).decode()}" for name in rule.names)
