"""The run record: one JSON file a run, sealed so that it can be proved whole without parsing it.

The file is ``{"experiment", "experiment_data": {setting: {"agent_params", "runs": [run]}}}`` and a
``"seal"``: where the run's bytes lie, and an XXH3 checksum of everything before it. Merging
ten thousand records is then a matter of checking and copying bytes.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec
import orjson
import xxhash

#: The first fields of every run, in this order: its identity, readable without a parser.
HEAD_FIELDS = ("run_number", "index", "setting_id", "random_seed", "status")
STATUSES = ("completed", "diverged")

# compiled when they are used first
_HEAD = (
    rb'\{"run_number":(\d+),"index":(\d+),"setting_id":"([0-9a-f]{16})",'
    rb'"random_seed":(\d+),"status":"(completed|diverged)"'
)
_SEAL = rb',"seal":\{"setting":(\d+),"run":\[(\d+),(\d+)\],"xxh3":"([0-9a-f]{16})"\}\}\n\Z'
_SEAL_SPAN = 160  # longer than any seal


class BadRecord(ValueError):  # noqa: N818 - it is the record that is bad, not an error of ours
    """A file that is not one whole run record; the message says why."""


class Head(msgspec.Struct, frozen=True):
    """Whose result a run is."""

    run_number: int
    index: int
    setting_id: str
    random_seed: int
    status: str


class Sealed(msgspec.Struct, frozen=True):
    """A whole record: its setting number, its head, and the bytes of its run object."""

    setting: int
    head: Head
    run: memoryview


def encode(
    experiment: dict[str, Any], setting: int, agent_params: dict[str, Any], run: dict[str, Any]
) -> bytes:
    """The sealed file of one run. `run` holds HEAD_FIELDS and whatever else was measured."""
    ordered = {name: run[name] for name in HEAD_FIELDS} | run
    run_bytes = orjson.dumps(json_safe(ordered), option=orjson.OPT_SERIALIZE_NUMPY)
    return sealed(experiment, setting, agent_params, run_bytes)


def sealed(
    experiment: dict[str, Any], setting: int, agent_params: dict[str, Any], run_bytes: bytes
) -> bytes:
    """As `encode`, of a run that is JSON already."""
    before = (
        b'{"experiment":'
        + orjson.dumps(experiment)
        + b',"experiment_data":{"%d":{"agent_params":' % setting
        + orjson.dumps(agent_params)
        + b',"runs":['
    )
    body = before + run_bytes + b"]}}"
    body += b',"seal":{"setting":%d,"run":[%d,%d],"xxh3":"' % (
        setting,
        len(before),
        len(before) + len(run_bytes),
    )
    return body + xxhash.xxh3_64_hexdigest(body).encode() + b'"}}\n'


def unseal(data: bytes | memoryview) -> Sealed:
    """Proves a record whole and finds its run, without parsing the arrays.

    A record without a seal (edited by hand, or written by another program) is parsed instead.

    Raises:
        BadRecord: truncated, damaged, or not a record at all.
    """
    seal = re.compile(_SEAL).search(data, max(0, len(data) - _SEAL_SPAN))
    if seal is None:
        return _parse_unsealed(data)
    setting, start, end, checksum = seal.groups()
    if xxhash.xxh3_64_hexdigest(memoryview(data)[: seal.start(4)]).encode() != checksum:
        raise BadRecord("its checksum is wrong: the file was damaged after it was written")
    run = memoryview(data)[int(start) : int(end)]
    return Sealed(int(setting), _read_head(run), run)


#: Bytes at the end of a record that `seal_of` has to see.
TAIL = _SEAL_SPAN


class Seal(msgspec.Struct, frozen=True):
    """What a whole record's last bytes say of it.

    Attributes:
        length: of the record, its line break included.
        run: (first byte, byte after the last) of its run.
        checksum: XXH3 of what is before it.
    """

    setting: int
    length: int
    run: tuple[int, int]
    checksum: int


def seal_of(tail: bytes) -> Seal | None:
    """The seal that `tail` ends in, if it ends in one. Whether it is right is not looked at: that a
    file is as long as it says proves it whole but for its checksum."""
    match = re.compile(_SEAL).search(tail)
    if match is None:
        return None
    end = int(match[3])
    length = end + len("]}}") + len(tail) - match.start()
    return Seal(int(match[1]), length, (int(match[2]), end), int(match[4], 16))


#: Bytes from the beginning of a run that `head_of` has to see.
HEAD = 256  # longer than any head


def head_of(run: bytes | memoryview) -> Head:
    """The head of a run from its first bytes.

    Raises:
        BadRecord: these are not the first bytes of a run.
    """
    return _read_head(run)


def _read_head(run: bytes | memoryview) -> Head:
    match = re.match(_HEAD, run)
    if match is None:
        raise BadRecord(f"its run does not begin with {', '.join(HEAD_FIELDS)}")
    run_number, index, setting_id, seed, status = match.groups()
    return Head(int(run_number), int(index), setting_id.decode(), int(seed), status.decode())


class _Setting(msgspec.Struct):
    agent_params: msgspec.Raw
    runs: list[msgspec.Raw]


class _Record(msgspec.Struct):
    experiment: msgspec.Raw
    experiment_data: dict[str, _Setting]


def _parse_unsealed(data: bytes | memoryview) -> Sealed:
    try:
        record = msgspec.json.decode(data, type=_Record)
        (setting, content), *more_settings = record.experiment_data.items()
        raw, *more_runs = content.runs
        run = orjson.loads(bytes(raw))
        head = Head(**{name: run.pop(name) for name in HEAD_FIELDS})
        # bring the identity to the front, where every reader looks for it
        canonical = orjson.dumps({name: getattr(head, name) for name in HEAD_FIELDS} | run)
        sealed = Sealed(int(setting), _read_head(memoryview(canonical)), memoryview(canonical))
    except msgspec.DecodeError as error:
        raise BadRecord(f"it is not a whole record: {error}") from None
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadRecord(f"it is not a record of one run ({error})") from None
    if more_settings or more_runs:
        raise BadRecord("it holds more than one run")
    return sealed


def load(data: bytes) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """(experiment, agent_params, run) of a record, parsed whole."""
    sealed = unseal(data)
    tree = orjson.loads(data)
    content = tree["experiment_data"][str(sealed.setting)]
    return tree["experiment"], content["agent_params"], content["runs"][0]


def agent_params(data: bytes) -> dict[str, Any]:
    """The resolved setting of a record that `unseal` accepts; the arrays are not built."""
    (content,) = msgspec.json.decode(data, type=_Record).experiment_data.values()
    params = orjson.loads(bytes(content.agent_params))
    if not isinstance(params, dict):
        raise BadRecord("its agent_params are not an object")
    return params


def json_safe(value: Any) -> Any:
    """`value` as JSON data, every non-finite float spelled out ("nan", "inf").

    JSON has no NaN, and the null that writers put in its place would hide it.
    """
    if hasattr(value, "tolist"):  # numpy arrays and scalars
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        try:
            if all(map(math.isfinite, value)):
                return value
        except TypeError:
            pass  # not a flat list of numbers
        return [json_safe(item) for item in value]
    return value
