"""A configuration file is JSON that says one thing; any other is refused with the place in it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sweep_runs import LINEAR_AC, write_files

from experiment.configuration import read_experiment
from experiment.errors import ConfigError
from experiment.files import read_json_object


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,}', "line 1, column 9: not JSON: "),
        ('{"a": 1,\n "a": 2}', "the key 'a' stands twice in one object"),
        ('{"b": {"a": 1, "a": 2}}', "the key 'a' stands twice in one object"),
        ('{"a": NaN}', "NaN is not a number of JSON"),
        ('{"a": -Infinity}', "-Infinity is not a number of JSON"),
        ('{"a": 1e999}', "the number 1e999 is too large"),
        ('{"a": 100000000000000000000000}', "Integer exceeds 64-bit range"),
        ('{"a": ' + "9" * 5000 + "}", "Exceeds the limit"),
        ('{"a": "\\ud800"}', "surrogates not allowed"),
        ('{"a": ' + "[" * 300 + "]" * 300 + "}", "Recursion limit reached"),
        ("[" * 100_000, "recursion"),
        ("[1]", "expected an object {...}, not a list"),
        ("null", "expected an object {...}, not null"),
        ("", "line 1, column 1: not JSON"),
    ],
)
def test_a_file_that_is_not_a_json_object(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_json_object(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "pendulum.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"no such file; did you mean .*/pendulum\.json\?"):
        read_json_object(tmp_path / "pendulm.json")
    with pytest.raises(ConfigError, match=r"no such file \(nor the folder .*/nowhere\)"):
        read_json_object(tmp_path / "nowhere" / "pendulum.json")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_json_object(tmp_path)
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe9"}')
    with pytest.raises(ConfigError, match="cannot be read"):
        read_json_object(tmp_path / "latin.json")


def test_what_only_editors_and_people_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text('{"$schema": "x", "$comment": ["y"], "a": 1}')
    assert read_json_object(tmp_path / "file.json") == {"a": 1}


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Root may read everything, so it steps down for a while."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_an_unreadable_file_is_named() -> None:
    with as_ordinary_user(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder)
        (folder / "agent.json").chmod(0)
        with pytest.raises(ConfigError, match="Permission denied"):
            read_experiment(folder / "environment.json", folder / "agent.json")


def test_files_may_be_written_with_tabs_and_escapes(tmp_path: Path) -> None:
    write_files(tmp_path)
    text = json.dumps(LINEAR_AC, indent="\t").replace("critic", "crit\\u0069c")
    (tmp_path / "agent.json").write_text(text)
    experiment = read_experiment(tmp_path / "environment.json", tmp_path / "agent.json")
    assert experiment.grid.size == 36
