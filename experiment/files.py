"""Reading JSON with its mistakes named, and writing files that are never half there."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiment.canonical import canonical
from experiment.errors import ConfigError, StorageError

_COMMENTS = ("$schema", "$comment")


def read_json_object(path: Path) -> dict[str, Any]:
    """A configuration file's object, without the keys that only editors and people read.

    Raises:
        ConfigError: missing, not JSON, not an object, a key twice, or a number that is not finite.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file{_sibling_hint(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    try:
        content = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_float=_finite,
            parse_constant=_not_a_number,
        )
        # integers beyond 64 bits, half surrogates, a thousand nested lists: no record can hold them
        canonical(content)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path}: line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
        ) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected an object {{...}}, not {json_kind(content)}")
    return {key: value for key, value in content.items() if key not in _COMMENTS}


def _sibling_hint(path: Path) -> str:
    import difflib

    if not path.parent.is_dir():
        return f" (nor the folder {path.parent})"
    names = sorted(file.name for file in path.parent.glob("*.json"))
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.4)
    return f"; did you mean {path.parent / close[0]}?" if close else ""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key {key!r} stands twice in one object")
        content[key] = value
    return content


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is too large")
    return number


def _not_a_number(text: str) -> float:
    raise ValueError(f"{text} is not a number of JSON")


def json_kind(value: Any) -> str:
    """What a JSON value is, in a word for messages."""
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return "null" if value is None else kinds.get(type(value), "a number")


def write_atomically(path: Path, data: bytes, *, exclusive: bool = False) -> None:
    """The whole file or none: temporary file in the same folder, fsync, rename, fsync the folder.

    Args:
        exclusive: raise FileExistsError rather than replace an existing file.

    Raises:
        StorageError: the disk is full, the folder is read-only, ...; `path` is as it was.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), 0o666 & ~_umask())
                os.fsync(file.fileno())
            if exclusive:
                os.link(temporary, path)
                temporary.unlink()
            else:
                temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        fsync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error


def clear_temporaries(path: Path) -> None:
    """Removes what killed writes of `path` left, or of `path` with any suffix. Not while another
    process may be writing it."""
    import glob

    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def fsync_folder(folder: Path) -> None:
    """Makes renames within `folder` survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def storage(action: str) -> Iterator[None]:
    """Turns an OSError of the block into one sentence that begins with `action`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{action}: {error.strerror or error}") from error
