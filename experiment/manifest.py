"""`experiment.json`: what the results in a folder mean.

The first run of a folder writes it. It holds both files as they were, and the grid resolved
(values converted, defaults filled in), so that reading results needs no agent.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import xxhash

from experiment.canonical import canonical, setting_id
from experiment.draws import Draws
from experiment.errors import StorageError
from experiment.grid import Axis, Grid

if TYPE_CHECKING:
    from experiment.configuration import Experiment

FILE_NAME = "experiment.json"
FORMAT = 1


class Manifest(msgspec.Struct, frozen=True):
    """An experiment and the seeds of its runs: all that turns an index into a meaning."""

    files: Mapping[str, Any]
    agent_name: str
    problem: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    seed_offset: int
    grid: Grid

    @classmethod
    def of(cls, experiment: Experiment, seed_offset: int) -> Manifest:
        """The manifest that a new folder gets."""
        return cls(
            experiment.files,
            experiment.agent_name,
            experiment.problem,
            experiment.evaluation,
            seed_offset,
            experiment.grid,
        )

    @property
    def stem(self) -> str:
        """How the folder's record files begin."""
        return f"{self.problem['env_name']}_{self.agent_name}".replace("/", "-")

    def setting_id(self, setting: int) -> str:
        """Who setting number `setting` is."""
        return setting_id(self.agent_name, self.grid.setting(setting), self.problem)

    def meaning(self) -> dict[str, Any]:
        """What must be equal for an index to mean the same; layout of the files left out."""
        return {
            "agent_name": self.agent_name,
            "problem": self.problem,
            "evaluation": self.evaluation,
            "seed_offset": self.seed_offset,
            "grid": _grid_as_json(self.grid),
        }

    def means_the_same_as(self, other: Manifest) -> bool:
        """Whether every index has the same setting, seed and evaluations in both."""
        return canonical(self.meaning()) == canonical(other.meaning())

    def digest(self) -> str:
        """Equal for manifests that mean the same."""
        return xxhash.xxh3_128_hexdigest(canonical(self.meaning()))

    def encode(self) -> bytes:
        """The content of `experiment.json`."""
        content = {"format": FORMAT, **self.files, **self.meaning()}
        return orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"

    @classmethod
    def decode(cls, data: bytes, file: Path) -> Manifest:
        """Reads `experiment.json`.

        Raises:
            StorageError: damaged, or of a format that this version does not know.
        """
        try:
            content = orjson.loads(data)
            if content["format"] != FORMAT:
                raise StorageError(
                    f"{file}: format {content['format']}, but this version reads format {FORMAT}"
                )
            return cls(
                {"environment": dict(content["environment"]), "agent": dict(content["agent"])},
                str(content["agent_name"]),
                {**content["problem"], "env_name": str(content["problem"]["env_name"])},
                dict(content["evaluation"]),
                int(content["seed_offset"]),
                _grid_from_json(content["grid"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StorageError(f"{file}: damaged ({error})") from None

    def differences(self, new: Manifest) -> list[str]:
        """What `new` says otherwise, a line each."""
        old_values, new_values = _values_by_name(self.grid), _values_by_name(new.grid)
        lines = [
            _difference(name, old_values.get(name), new_values.get(name))
            for name in list(dict.fromkeys([*old_values, *new_values]))
            if canonical(old_values.get(name)) != canonical(new_values.get(name))
        ]
        for old_fields, new_fields in (
            (self.problem, new.problem),
            (self.evaluation, new.evaluation),
        ):
            lines += [
                _difference(name, old_fields.get(name), new_fields.get(name))
                for name in list(dict.fromkeys([*old_fields, *new_fields]))
                if canonical(old_fields.get(name)) != canonical(new_fields.get(name))
            ]
        return lines or ["the order of the hyperparameters"]


def _difference(name: str, old: Any, new: Any) -> str:
    return f"{name}: {_brief(old)} -> {_brief(new)}"


def _brief(value: Any) -> str:
    if value is None:
        return "(left out)"
    text = canonical(value).decode()
    return text if len(text) <= 70 else f"{text[:50]}... ({len(value)} entries)"


def _values_by_name(grid: Grid) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for axis in grid.axes:
        for column, name in enumerate(axis.names):
            if isinstance(axis.rows, Draws):
                random = axis.rows.described()
                values[name] = {**random, "parameters": random["parameters"][name]}
            else:
                values[name] = [row[column] for row in axis.rows]
    for name, value in grid.constants.items():
        values[name] = [value]
    return values


def _grid_as_json(grid: Grid) -> dict[str, Any]:
    return {
        "size": grid.size,
        "constants": dict(grid.constants),
        "axes": [
            {"names": axis.names, "draws": axis.rows.described()}
            if isinstance(axis.rows, Draws)
            else {"names": axis.names, "rows": list(axis.rows)}
            for axis in grid.axes
        ],
    }


def _grid_from_json(content: Mapping[str, Any]) -> Grid:
    axes = []
    for axis in content["axes"]:
        if "draws" in axis:
            draws = axis["draws"]
            rows: Any = Draws(draws["parameters"], draws["samples"], draws["seed"])
        else:
            rows = [tuple(row) for row in axis["rows"]]
        axes.append(Axis(tuple(axis["names"]), rows))
    grid = Grid(tuple(axes), dict(content["constants"]))
    if any(len(axis.names) != len(row) for axis in grid.axes for row in axis.rows[:1]):
        raise ValueError("an axis has rows of another length than it has names")
    if grid.size != content["size"]:
        raise ValueError(f"its grid says {content['size']} settings but spans {grid.size}")
    return grid
