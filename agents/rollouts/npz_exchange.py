"""Rollouts as .npz files: one a rollout, and `folder.json`, what they are of."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from agents.rollouts.errors import FolderRefused
from agents.rollouts.files import Temporary, read_json, write_json
from agents.rollouts.folder import SPEC_FILE
from agents.rollouts.reading import Rollouts
from agents.rollouts.rollout import LatentRollout, Rollout, check_rollout
from agents.rollouts.spec import FolderSpec


def export_npz(rollouts: Rollouts, target: Path) -> int:
    """Writes `rollout-00007.npz` for number 7: observations (or means and log_variances), actions,
    rewards, terminated, truncated, seed, and attributes as JSON.

    Returns:
        how many.

    Raises:
        OSError: a file cannot be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    for number, rollout in rollouts.good():
        arrays: dict[str, Any] = rollout._asdict()
        arrays["attributes"] = json.dumps(dict(rollout.attributes))
        temporary = Temporary(target / f"rollout-{number:05}.npz")
        try:
            np.savez_compressed(temporary.file, **arrays)
            temporary.publish()
        except BaseException:
            temporary.discard()
            raise
        count += 1
    write_json(target / SPEC_FILE, rollouts.spec.to_json())
    return count


def npz_spec(source: Path) -> FolderSpec | None:
    """What the files of a folder are of; None: nothing says so.

    Raises:
        FolderRefused: it cannot be read.
    """
    try:
        return FolderSpec.from_json(read_json(source / SPEC_FILE))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise FolderRefused(f"{source / SPEC_FILE} {error}") from None


def import_npz(source: Path) -> Iterator[tuple[int, Rollout | LatentRollout]]:
    """Numbers and rollouts of a folder of .npz files. Files of other names than those of
    `export_npz` are numbered in the order of their names.

    Raises:
        FolderRefused: a file is no rollout.
    """
    for place, path in enumerate(npz_files(source)):
        stem = path.stem.removeprefix("rollout-")
        try:
            with np.load(path, allow_pickle=False) as arrays:
                rollout = _rollout({name: arrays[name] for name in arrays})
            check_rollout(rollout)
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise FolderRefused(f"{path} is no rollout: {error}") from None
        yield (int(stem) if stem.isdecimal() else place), rollout


def npz_files(source: Path) -> list[Path]:
    """In the order of their names.

    Raises:
        FolderRefused: there are none.
    """
    files = sorted(source.glob("*.npz"))
    if not files:
        raise FolderRefused(f"{source}: there is no .npz file in it")
    return files


def _rollout(arrays: dict[str, Any]) -> Rollout | LatentRollout:
    kind = LatentRollout if "means" in arrays else Rollout
    values = {name: arrays[name] for name in kind._fields if name in arrays}
    return kind(
        **values
        | {
            "rewards": np.asarray(arrays["rewards"], np.float32),
            "terminated": bool(arrays["terminated"]),
            "truncated": bool(arrays.get("truncated", False)),
            "seed": int(arrays.get("seed", 0)),
            "attributes": json.loads(str(arrays.get("attributes", "{}"))),
        }
    )
