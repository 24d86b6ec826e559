"""Numbers by the million in a file: a line of JSON that says what they are, then column by column.

The line holds a checksum over the columns, so a file that was damaged is not believed.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import orjson
import xxhash

from experiment.files import write_atomically

#: Types of columns, as `array` names them.
Type = Literal["B", "I", "q", "Q"]
Column = Sequence[int]


def save(path: Path, header: Mapping[str, Any], columns: Sequence[Any]) -> None:
    """Writes columns of equal length, each an array or a memoryview.

    Args:
        header: what `load` gives back with them.

    Raises:
        StorageError: the disk is full...
    """
    checksum = xxhash.xxh3_64()
    for column in columns:
        checksum.update(column)
    line = {
        **header,
        "byteorder": sys.byteorder,
        "records": len(columns[0]),
        "xxh3": checksum.hexdigest(),
    }
    write_atomically(path, b"".join([orjson.dumps(line), b"\n", *columns]))


def load(path: Path, types: Sequence[Type]) -> tuple[dict[str, Any], list[memoryview]] | None:
    """(header, columns), if the file is whole and of these types."""
    try:
        content = path.read_bytes()
        line = content.index(b"\n")
        header = orjson.loads(content[:line])
        body = memoryview(content)[line + 1 :]
        count = header.pop("records")
        if header.pop("byteorder") != sys.byteorder:
            return None
        if header.pop("xxh3") != xxhash.xxh3_64_hexdigest(body):
            return None
        sizes = [count * array(code).itemsize for code in types]
        if len(body) != sum(sizes):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    columns, start = [], 0
    for code, size in zip(types, sizes, strict=True):
        columns.append(body[start : start + size].cast(code))
        start += size
    return header, columns
