"""Running a command in this process, and what its refusals look like."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import click
from click.testing import CliRunner, Result

Draw = Callable[..., Result]


def runner(command: click.Command, output: str = "figure.svg") -> Draw:
    """Calls the command with -o `output` unless told otherwise."""

    def run(*arguments: str | Path) -> Result:
        words = [str(argument) for argument in arguments]
        if "-o" not in words:
            words += ["-o", output]
        return CliRunner().invoke(command, words)

    return run


def refusal(result: Result) -> str:
    """The one sentence on stderr of a command that wrote nothing and left with exit code 2."""
    assert result.exit_code == 2, result.output
    assert not list(Path.cwd().glob("figure*"))
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return re.sub("^Error: ", "", lines[0])


def read_table(path: str | Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with Path(path).open() as file:
        return list(csv.DictReader(file))
