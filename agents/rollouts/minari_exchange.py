"""Rollouts as a data set of Minari, without loss: pictures are not made JPEGs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.rollouts.errors import FolderRefused
from agents.rollouts.reading import Rollouts
from agents.rollouts.rollout import LatentRollout, Rollout
from agents.rollouts.spec import FolderSpec

if TYPE_CHECKING:
    from minari.dataset.minari_storage import MinariStorage

_SPEC = "rollouts_spec"


def _storage_type() -> Any:
    try:
        from minari.dataset.minari_storage import MinariStorage
    except ImportError:
        raise FolderRefused(
            "data sets of Minari need the package minari: pip install 'minari[hdf5]'"
        ) from None
    return MinariStorage


def export_minari(rollouts: Rollouts, target: Path) -> int:
    """Writes the data set `target`, whose last part is its name for Minari, such as "random-v0";
    Minari finds it when MINARI_DATASETS_PATH names the folder above.

    Returns:
        how many rollouts.

    Raises:
        FolderRefused: there is something at `target`, its name is none for Minari, the rollouts
            are latent, or Minari is not installed.
        OSError: a file cannot be written.
    """
    storage_type = _storage_type()
    from minari import __version__
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_dataset import parse_dataset_id

    if rollouts.is_latent:
        raise FolderRefused("Minari has no latent rollouts; .npz files have")
    try:
        parse_dataset_id(target.name)
    except (ValueError, TypeError):  # the latter for a name without a version
        raise FolderRefused(
            f"{target.name} is no name of a data set for Minari: try {target.name}-v0"
        ) from None
    if target.exists():
        raise FolderRefused(f"{target} exists")
    data = target / "data"
    data.mkdir(parents=True)
    spec = rollouts.spec
    storage = storage_type.new(data, spec.observation_space, spec.action_space, jpeg_encoding=False)
    storage.update_metadata(
        {
            "dataset_id": target.name,
            "minari_version": __version__,
            "algorithm_name": str(spec.policy.get("name", "")),
            _SPEC: json.dumps(spec.to_json()),
        }
    )
    count = 0
    for number, rollout in rollouts.good():
        assert isinstance(rollout, Rollout)
        ended = np.zeros((2, rollout.length), bool)
        ended[:, -1] = rollout.terminated, rollout.truncated
        buffer = EpisodeBuffer(
            id=count,
            seed=rollout.seed,
            observations=list(rollout.observations),
            actions=list(rollout.actions),
            rewards=list(rollout.rewards),
            terminations=list(ended[0]),
            truncations=list(ended[1]),
        )
        storage.update_episodes([buffer])
        told = {"number": number, "attributes": json.dumps(dict(rollout.attributes))}
        storage.update_episode_metadata([told], [count])
        count += 1
    return count


def open_minari(source: Path) -> MinariStorage:
    """The storage of a data set.

    Raises:
        FolderRefused: it is none, or Minari is not installed.
    """
    storage_type = _storage_type()
    try:
        return storage_type.read(source / "data")
    except (ValueError, OSError, KeyError, AssertionError) as error:
        raise FolderRefused(f"{source} is no data set of Minari: {error}") from None


def minari_spec(storage: MinariStorage) -> FolderSpec:
    """What a data set is of.

    Raises:
        FolderRefused: its observations or actions cannot be kept.
    """
    told = storage.metadata
    if _SPEC in told:
        return FolderSpec.from_json(json.loads(told[_SPEC]))
    name = told["dataset_id"]
    with contextlib.suppress(KeyError, ValueError):
        name = json.loads(told["env_spec"])["id"]
    spec = FolderSpec(
        environment={"env_name": name},
        observation_space=storage.observation_space,
        action_space=storage.action_space,
        policy={"name": "imported", "dataset": told["dataset_id"]},
        rollouts=int(storage.total_episodes),
    )
    spec.to_json()
    return spec


def import_minari(storage: MinariStorage) -> Iterator[tuple[int, Rollout | LatentRollout]]:
    """Numbers and rollouts of a data set; a seed that it does not know is 0."""
    for place in range(int(storage.total_episodes)):
        (episode,) = storage.get_episodes([place])
        (told,) = storage.get_episode_metadata([place])
        yield (
            int(told.get("number", place)),
            Rollout(
                observations=np.asarray(episode["observations"]),
                actions=np.asarray(episode["actions"]),
                rewards=np.asarray(episode["rewards"], np.float32),
                terminated=bool(episode["terminations"][-1]),
                truncated=bool(episode["truncations"][-1]),
                seed=int(told.get("seed") or 0),
                attributes=_attributes(told),
            ),
        )


def _attributes(told: dict[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = json.loads(told.get("attributes", "{}"))
    return attributes
