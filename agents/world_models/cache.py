"""Results of stages, made once for all runs that need the same.

A result is a folder whose name ends in the hash of what it depends on: settings and version of its
stage, the results that it is made from, random numbers. It is made under a hidden name and then
renamed, by one process at a time; what that one leaves when it is stopped or killed, the next goes
on from.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from agents.base import Files, InUse
from agents.encoders.training import TrainingStopped
from agents.rollouts.files import Temporary

FORMAT = 1
#: Of what each stage computes: to be raised with every change of the program after which the same
#: settings lead to other results. Stages that are made from its results follow by themselves.
VERSIONS = {"rollouts": 1, "encoder": 1, "latents": 1, "sequence": 1}
FILE = "stage.json"
_CLOCK = "clock.json"
_LOOK_UP = 0.2

Say = Callable[[str], None]
Stop = Callable[[], bool]
#: Makes a result in a folder, or goes on with it; returns its facts, of JSON.
Build = Callable[[Path], Mapping[str, Any]]


class Result(NamedTuple):
    """Of a stage.

    Attributes:
        path: of its folder.
        facts: what `Build` returned.
        seconds: that it took to make.
        made: whether this process made it, or the rest of it.
    """

    path: Path
    facts: Mapping[str, Any]
    seconds: float
    made: bool

    @property
    def key(self) -> str:
        """Names the result, wherever it lies."""
        return self.path.name


class Cache:
    """Results in the folder that runs share."""

    def __init__(self, files: Files, say: Say) -> None:
        self._files, self._say = files, say

    def result(
        self, stage: str, depends: Mapping[str, Any], build: Build, stop: Stop
    ) -> Result | None:
        """The result of a stage, made if it is not there; None: `stop` said so before.

        Args:
            depends: all that it depends on, of JSON.
        """
        kind = {"format": FORMAT, "stage": stage, "version": VERSIONS.get(stage, 1)}
        name = f"{stage}-{digest({**kind, **depends})}"
        path = self._files.shared / name
        waits = False
        while True:
            if (found := self.found(name)) is not None:
                return found
            with contextlib.ExitStack() as stack:
                try:
                    stack.enter_context(self._files.lock(name))
                except InUse as used:
                    if not waits:
                        self._say(f"waits for another process: {used}")
                        waits = True
                else:
                    # the holder before may have made it
                    if _read(path) is None:
                        return self._make(path, depends, build)
                    continue
            if stop():
                return None
            time.sleep(_LOOK_UP)

    def found(self, key: str) -> Result | None:
        """A result by its name; None: it is not there."""
        return read_result(self._files.shared / key)

    def _make(self, path: Path, depends: Mapping[str, Any], build: Build) -> Result | None:
        part = path.with_name(f".{path.name}.part")
        part.mkdir(parents=True, exist_ok=True)
        try:
            with _clock(part) as seconds:
                facts = dict(build(part))
            (part / _CLOCK).unlink(missing_ok=True)
            FileCheckpoint(part).delete()
            spent = seconds()
            content = {"depends": dict(depends), "facts": facts, "seconds": spent}
            write(part / FILE, json.dumps(content, indent=1).encode())
        except TrainingStopped:
            return None
        _rename(part, path)
        return Result(path, facts, spent, made=True)


def digest(content: Mapping[str, Any]) -> str:
    """16 digits that stand for it."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def read_result(path: Path) -> Result | None:
    """The result in that folder; None: there is none."""
    content = _read(path)
    if content is None:
        return None
    return Result(path, content["facts"], content["seconds"], made=False)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads((path / FILE).read_text())
    except FileNotFoundError:
        return None
    return content


def write(path: Path, data: bytes | memoryview) -> None:
    """Writes a file: the whole or nothing."""
    temporary = Temporary(path)
    try:
        view = memoryview(data)
        while view:
            view = view[temporary.file.write(view) :]
        temporary.publish()
    except BaseException:
        temporary.discard()
        raise


def _rename(part: Path, path: Path) -> None:
    """To its name, so that it is there after a power cut too."""
    part.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keys_of(results: Mapping[str, Result]) -> dict[str, str]:
    """Names of results, by stage."""
    return {stage: result.key for stage, result in results.items()}


def say(text: str) -> None:
    """A line for people."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _clock(part: Path) -> Iterator[Callable[[], float]]:
    """Seconds of all processes that were at it, kills left out."""
    file = part / _CLOCK
    before = json.loads(file.read_text()) if file.exists() else 0.0
    began = time.monotonic()

    def seconds() -> float:
        return round(before + time.monotonic() - began, 2)

    try:
        yield seconds
    except TrainingStopped:
        write(file, json.dumps(seconds()).encode())
        raise


class FileCheckpoint:
    """Where a training loop keeps what it needs to go on: see `agents.encoders.training`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "training.pt"

    def load(self) -> dict[str, Any] | None:
        """What was saved last."""
        if not self._path.exists():
            return None
        state: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=True)
        return state

    def save(self, state: dict[str, Any]) -> None:
        """The whole or nothing."""
        content = io.BytesIO()
        torch.save(state, content)
        write(self._path, content.getbuffer())

    def delete(self) -> None:
        """It is no longer needed."""
        self._path.unlink(missing_ok=True)
