"""What a folder of rollouts is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import gymnasium
import msgspec

from agents.rollouts.errors import FolderRefused
from agents.rollouts.spaces import build, describe

SCHEMA = 1
"""Version of the format on disk."""


@dataclass(frozen=True, kw_only=True)
class FolderSpec:
    """What determines rollout after rollout, and how many there shall be.

    Attributes:
        environment: content of the environment file.
        observation_space: of the environment.
        action_space: of the environment.
        policy: its name and parameters, or those of what made the latents.
        rollouts: how many are wanted, N.
        max_steps: after which a rollout is cut; None: the environment's limit.
        seed: with the number of a rollout it determines the rollout.
        kind: "raw", or "latent" for what an encoder made of raw ones.
        latent_dtype: of means and log-variances on disk.
        source: of latent rollouts: what they were made from and by.
    """

    environment: Mapping[str, Any]
    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.Space[Any]
    policy: Mapping[str, Any]
    rollouts: int
    max_steps: int | None = None
    seed: int = 0
    kind: Literal["raw", "latent"] = "raw"
    latent_dtype: Literal["float16", "float32"] = "float16"
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the names of its shards begin with."""
        return "rollouts" if self.kind == "raw" else "latents"

    def to_json(self) -> dict[str, Any]:
        """As it stands in the folder's file.

        Raises:
            FolderRefused: a space that cannot be written down, or content that is not of JSON.
        """
        content = {
            "schema": SCHEMA,
            "environment": dict(self.environment),
            "observation_space": describe(self.observation_space),
            "action_space": describe(self.action_space),
            "policy": dict(self.policy),
            "rollouts": self.rollouts,
            "max_steps": self.max_steps,
            "seed": self.seed,
            "kind": self.kind,
            "latent_dtype": self.latent_dtype if self.kind == "latent" else None,
            "source": dict(self.source),
        }
        try:
            # as it will be read: tuples become lists
            plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(content))
        except (TypeError, ValueError) as error:
            raise FolderRefused(f"rollouts cannot be described in JSON: {error}") from None
        return plain

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> FolderSpec:
        """What `to_json` gave.

        Raises:
            ValueError: it is of another version of the format, or no such thing.
        """
        if content.get("schema") != SCHEMA:
            raise ValueError(
                f"has version {content.get('schema')!r} of the format; this program reads {SCHEMA}"
            )
        try:
            return FolderSpec(
                environment=content["environment"],
                observation_space=build(content["observation_space"]),
                action_space=build(content["action_space"]),
                policy=content["policy"],
                rollouts=content["rollouts"],
                max_steps=content["max_steps"],
                seed=content["seed"],
                kind=content["kind"],
                latent_dtype=content["latent_dtype"] or "float16",
                source=content["source"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"describes no rollouts: {error!r}") from None


def difference(one: FolderSpec, other: FolderSpec) -> str | None:
    """Where two specifications differ apart from how many rollouts are wanted; None: nowhere."""
    mine, theirs = one.to_json(), other.to_json()
    for name, value in mine.items():
        if name != "rollouts" and value != theirs[name]:
            return f"{name} is {theirs[name]!r}, not {value!r}"
    return None
