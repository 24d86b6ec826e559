"""Columns of Arrow without `pyarrow.array`: that imports pandas, which takes longer than combining
many a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


def numbers(values: NDArray[np.int64] | NDArray[np.float64] | NDArray[np.int8]) -> pa.Array:
    """A column of these numbers; those that are NaN are unknown."""
    import numpy as np
    import pyarrow as pa

    known = ~np.isnan(values) if values.dtype.kind == "f" else None
    data = pa.py_buffer(np.ascontiguousarray(values))
    type_ = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(type_, len(values), [_validity(known), data])


def column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """A column of a given type: bool, int64, float64 or text. None is an unknown value."""
    import numpy as np
    import pyarrow as pa

    known = np.array([value is not None for value in values], bool)
    if pa.types.is_string(kind):
        texts = [b"" if value is None else value.encode() for value in values]
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
        buffers = [_validity(known), pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
        return pa.Array.from_buffers(kind, len(values), buffers)
    filled = [0 if value is None else value for value in values]
    if pa.types.is_boolean(kind):
        bits = np.packbits(np.array(filled, bool), bitorder="little")
        return pa.Array.from_buffers(kind, len(values), [_validity(known), pa.py_buffer(bits)])
    array = np.array(filled, np.float64 if pa.types.is_floating(kind) else np.int64)
    if array.dtype.kind == "f":
        known &= ~np.isnan(array)
    return pa.Array.from_buffers(kind, len(values), [_validity(known), pa.py_buffer(array)])


def _validity(known: NDArray[np.bool_] | None) -> pa.Buffer | None:
    import numpy as np
    import pyarrow as pa

    if known is None or known.all():
        return None
    return pa.py_buffer(np.packbits(known, bitorder="little"))
