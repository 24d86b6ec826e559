"""A suite: several environment files where one is expected."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from experiment.errors import ConfigError
from experiment.fields import convert_fields
from experiment.files import read_json_object


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Environment files, each of which is an experiment of its own, with the same indices."""

    environments: Annotated[
        list[str],
        msgspec.Meta(min_length=1, description="Environment files, relative to this file."),
    ]


def environment_files(path: Path) -> list[Path]:
    """The environment files that `path` stands for: itself, or those that it lists.

    Raises:
        ConfigError: it is a suite, but not a good one.
    """
    if not path.is_file():
        return [path]  # whoever reads it says what is wrong
    content: dict[str, Any] = read_json_object(path)
    if "environments" not in content:
        return [path]
    suite = convert_fields(content, Suite, str(path), "a suite")
    files = [path.parent / name for name in suite.environments]
    for number, file in enumerate(files):
        if file.resolve() in [other.resolve() for other in files[:number]]:
            raise ConfigError(f"{path}: environments.{number} {suite.environments[number]} again")
        if not file.is_file():
            raise ConfigError(f"{path}: environments.{number} {file}: no such file")
    return files
