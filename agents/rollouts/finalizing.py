"""Giving the shards of a complete folder their names in order, and listing them in a manifest.

Readers find the folder in order at every moment: before a shard is renamed, its side file is there
under the new name too, and a side file without a shard means nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.rollouts.contents import Contents, side_file
from agents.rollouts.errors import BadShard, FolderRefused
from agents.rollouts.files import copy_atomically, fsync_folder, write_json

if TYPE_CHECKING:
    from agents.rollouts.folder import RolloutFolder

MANIFEST = "manifest.json"


def finalize(folder: RolloutFolder) -> dict[str, Any]:
    """Names the shards NAME-00003-of-00074, and writes the manifest.

    Returns:
        the manifest.

    Raises:
        FolderRefused: rollouts are missing, or a shard is damaged.
        OSError: a file cannot be written or renamed.
    """
    folder.clear_leftovers()
    while True:
        shards = _complete(folder)
        named = _in_order(folder, shards)
        try:
            for old, new in named:
                if old != new:
                    _rename(old, new)
        except FileNotFoundError:
            continue  # another process does the same
        break
    fsync_folder(folder.path)
    by_path = {new: contents for (_, new), (_, contents) in zip(named, shards, strict=True)}
    manifest = _manifest(by_path)
    write_json(folder.path / MANIFEST, manifest)
    return manifest


def _complete(folder: RolloutFolder) -> list[tuple[Path, Contents]]:
    """All shards of a folder that lacks nothing."""
    found = folder.scan()
    shards = [(path, one) for path, one in found if not isinstance(one, BadShard)]
    if bad := len(found) - len(shards):
        raise FolderRefused(
            f"{folder.path}: {bad} of its shards are damaged: python -m agents.world_models.verify "
            f"{folder.path} --repair sets them aside and makes their rollouts again"
        )
    if missing := folder.missing():
        raise FolderRefused(
            f"{folder.path}: {len(missing):,} of {folder.spec.rollouts:,} rollouts are missing yet"
        )
    return shards


def _rename(old: Path, new: Path) -> None:
    copy_atomically(side_file(old), side_file(new))
    old.rename(new)
    side_file(old).unlink(missing_ok=True)


def _in_order(
    folder: RolloutFolder, shards: list[tuple[Path, Contents]]
) -> list[tuple[Path, Path]]:
    """Old and new path of each shard. One that has a place of the right total keeps it: another
    `finalize` was interrupted after giving it."""
    total = len(shards)
    pattern = re.compile(rf"{re.escape(folder.spec.name)}-(\d{{5}})-of-{total:05}")
    kept = {
        path: int(match[1])
        for path, _ in shards
        if (match := pattern.fullmatch(path.stem)) and int(match[1]) < total
    }
    free = iter(sorted(set(range(total)) - set(kept.values())))
    rest = sorted((contents.numbers, path) for path, contents in shards if path not in kept)
    places = kept | {path: next(free) for _, path in rest}
    name, suffix = folder.spec.name, shards[0][0].suffix
    return [
        (path, folder.path / f"{name}-{places[path]:05}-of-{total:05}{suffix}")
        for path, _ in shards
    ]


def _manifest(shards: dict[Path, Contents]) -> dict[str, Any]:
    lengths: dict[int, int] = {}
    for contents in shards.values():
        lengths.update(zip(contents.numbers, contents.lengths, strict=True))
    return {
        "rollouts": len(lengths),
        "steps": sum(lengths.values()),
        "shards": [
            {
                "file": path.name,
                "size": contents.size,
                "xxh3": contents.xxh3,
                "sha256": contents.sha256,
                "rollouts": len(contents.numbers),
                "steps": sum(contents.lengths),
            }
            for path, contents in sorted(shards.items())
        ],
    }
