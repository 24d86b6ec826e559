"""The first four stages: rollouts, encoder, latents, sequence model.

Each is made from what it depends on alone, and stopped or killed goes on to the same bits: random
numbers of a stage are grown from the run's seed, the stage and the iteration.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import msgspec
import numpy as np

from agents.base import AgentRefused, EnvironmentMaker
from agents.collecting.collection import collect
from agents.collecting.policies import describe_policy
from agents.encoders.files import load_encoder, save_encoder
from agents.encoders.settings import as_builtins as encoder_builtins
from agents.encoders.training import TrainingStopped
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.rollout import LatentRollout
from agents.rollouts.spec import FolderSpec
from agents.world_models.cache import Cache, FileCheckpoint, Result, Say, Stop, digest
from agents.world_models.controller.company import Company
from agents.world_models.controller.playing import Block
from agents.world_models.ledger import Entry
from agents.world_models.settings import WorldModelSettings

#: Files of results.
ROLLOUTS, EPISODES, ENCODER, LATENTS, SEQUENCE = (
    "rollouts",
    "episodes.npz",
    "encoder.pt",
    "latents",
    "sequence.pt",
)
#: Of the environment file, what does not matter to its rollouts, with values that it may have.
_UNRELATED = {"total_timesteps": 1, "gamma": 1.0, "eval_episodes": 0}
_PICTURED = 32
_SECONDS_BETWEEN_LINES = 20.0
_NUMBERS = {"encoder": 0, "sequence": 1}


class Played(NamedTuple):
    """The controller whose rollouts are added.

    Attributes:
        weights: [n].
        key: of the models that it acts with.
        company: that plays.
    """

    weights: np.ndarray
    key: str
    company: Company


class Stages:
    """Makes their results, or finds them.

    Args:
        entropy: the run's random numbers.
        device: where networks are trained.
    """

    def __init__(
        self,
        settings: WorldModelSettings,
        cache: Cache,
        make_environment: EnvironmentMaker,
        spaces: tuple[gymnasium.Space[Any], gymnasium.Space[Any]],
        entropy: np.random.SeedSequence,
        device: str,
        say: Say,
    ) -> None:
        self._settings, self._cache, self._make = settings, cache, make_environment
        self._spaces, self._entropy, self._device, self._say = spaces, entropy, device, say

    @property
    def observation_space(self) -> gymnasium.Space[Any]:
        """Of the environment."""
        return self._spaces[0]

    def found(self, key: str) -> Result | None:
        """A result by its name; None: it is not there."""
        return self._cache.found(key)

    def _rng(self, stage: str, iteration: int) -> tuple[np.random.Generator, Mapping[str, Any]]:
        """Of a stage, and what they are grown from."""
        key = (*self._entropy.spawn_key, _NUMBERS[stage], iteration)
        seed = np.random.SeedSequence(self._entropy.entropy, spawn_key=key)
        grown = {"seed": str(self._entropy.entropy), "key": list(key)}
        return np.random.default_rng(seed), grown | {"device": self._device.partition(":")[0]}

    # -- rollouts

    def rollouts(self, stop: Stop) -> Result | None:
        """Those of the first iteration."""
        settings = self._settings
        if settings.rollouts_from is not None:
            return self._from_elsewhere(Path(settings.rollouts_from), stop)
        spec = self._spec()

        def build(part: Path) -> Mapping[str, Any]:
            folder = RolloutFolder.create(part / ROLLOUTS, spec)
            lines = _Lines(self._say)
            done = collect(spec, folder, workers=settings.workers, progress=lines, stop=stop)
            if not done.complete:
                raise TrainingStopped
            folder.finalize()
            return _summarised(part, Rollouts(folder.path))

        return self._cache.result("rollouts", {"spec": spec.to_json()}, build, stop)

    def _spec(self) -> FolderSpec:
        settings, file = self._settings, self._make.settings
        fields = msgspec.to_builtins(file)
        fields = {k: v for k, v in fields.items() if k not in file.EVALUATION_FIELDS}
        return FolderSpec(
            environment=fields | _UNRELATED,
            observation_space=self._spaces[0],
            action_space=self._spaces[1],
            policy=describe_policy(settings.rollout_policy),
            rollouts=settings.rollouts,
            max_steps=settings.rollout_max_steps,
            seed=self._make.seed(0),
        )

    def _from_elsewhere(self, path: Path, stop: Stop) -> Result | None:
        rollouts = Rollouts(path)
        spec = rollouts.spec
        for name, mine, its in (
            ("observations", self._spaces[0], spec.observation_space),
            ("actions", self._spaces[1], spec.action_space),
        ):
            if mine != its:
                raise AgentRefused(f"{path} has {name} {its}, and this environment {mine}")
        if rollouts.is_latent:
            raise AgentRefused(f"{path} holds latents: rollouts_from needs observations")

        def build(part: Path) -> Mapping[str, Any]:
            return {"from": str(path.absolute()), **_summarised(part, rollouts)}

        depends = {"from": rollouts.content_hash, "path": str(path.absolute())}
        return self._cache.result("rollouts", depends, build, stop)

    def added(self, before: Result, iteration: int, by: Played, stop: Stop) -> Result | None:
        """Those before, and as many as wanted by the controller so far."""
        settings = self._settings
        old = self.data(before)
        first, more = int(old.numbers[-1]) + 1, settings.added_rollouts
        seed = self._make.seed(2 + iteration)
        depends = {
            "before": before.key,
            "controller": digest({"weights": np.asarray(by.weights).tobytes().hex()}),
            "models": by.key,
            "rollouts": more,
            "sigma": settings.iteration_sigma,
            "side by side": settings.controller_envs,
            "seed": seed,
        }
        spec = _enlarged(old.spec, first + more, {"added": depends})

        def build(part: Path) -> Mapping[str, Any]:
            folder = RolloutFolder.create(part / ROLLOUTS, spec)
            missing = set(folder.missing())
            with folder.writer() as writer:
                for number, rollout in old.good():
                    if number in missing:
                        writer.add(number, rollout)
                blocks, numbers = [], []
                for begin in range(first, first + more, settings.controller_envs):
                    those = range(begin, min(begin + settings.controller_envs, first + more))
                    if not missing.isdisjoint(those):
                        blocks.append(_noisy(by.weights, settings.iteration_sigma, seed, those))
                        numbers.append(those)
                for done, (position, episodes) in enumerate(by.company.play(blocks, stop), 1):
                    self._say(f"rollouts of the controller: block {done} of {len(blocks)}")
                    for number, episode in zip(numbers[position], episodes, strict=True):
                        if number in missing:
                            assert episode.rollout is not None
                            writer.add(number, episode.rollout)
            if folder.missing():
                raise TrainingStopped
            folder.finalize()
            return _summarised(part, Rollouts(folder.path), first)

        return self._cache.result("rollouts", depends, build, stop)

    @staticmethod
    def data(result: Result) -> Rollouts:
        """The rollouts of a result."""
        return Rollouts(result.facts.get("from", result.path / ROLLOUTS))

    @staticmethod
    def entries(result: Result) -> list[Entry]:
        """Their episodes, those that are new in this result."""
        with np.load(result.path / EPISODES) as kept:
            rewards, ends = kept["rewards"], np.cumsum(kept["lengths"])
            terminated, cut = kept["terminated"], kept["cut"]
        parts = np.split(rewards, ends[:-1])
        return [Entry(r, bool(t), bool(c)) for r, t, c in zip(parts, terminated, cut, strict=True)]

    # -- what is learned from them

    def encoder(self, rollouts: Result, iteration: int, stop: Stop) -> Result | None:
        """Trained on rollouts."""
        from agents.encoders.pictures import reconstruction_grid, write_png
        from agents.encoders.trainer import train_encoder

        rng, grown = self._rng("encoder", iteration)
        settings = self._settings

        def build(part: Path) -> Mapping[str, Any]:
            data = self.data(rollouts)
            trained = train_encoder(
                settings,
                data,
                rng=rng,
                device=self._device,
                progress=self._say,
                checkpoint=FileCheckpoint(part),
                stop=stop,
            )
            save_encoder(part / ENCODER, trained.encoder)
            if trained.encoder.is_picture:
                shown = data.sample_observations(np.random.default_rng(0), _PICTURED, per_rollout=4)
                write_png(part / "reconstructions.png", reconstruction_grid(trained.encoder, shown))
            metrics = {f"encoder_{name}": rows[-1] for name, rows in trained.series.items() if rows}
            metrics |= {"encoder_error": trained.error, "encoder_baseline": trained.baseline}
            metrics.pop("encoder_updates", None)
            speed = dict(trained.provenance)
            return {"metrics": metrics, "series": trained.series, "provenance": speed}

        depends = {"settings": encoder_builtins(settings), "rollouts": rollouts.key, **grown}
        return self._cache.result("encoder", depends, build, stop)

    def latents(self, rollouts: Result, encoder: Result, stop: Stop) -> Result | None:
        """The rollouts as the encoder sees them."""
        from agents.encoders.encoding import encode_rollouts

        def build(part: Path) -> Mapping[str, Any]:
            encode_rollouts(
                load_encoder(encoder.path / ENCODER),
                self.data(rollouts),
                part / LATENTS,
                device=self._device,
                progress=self._say,
                stop=stop,
            )
            return {}

        depends = {"encoder": encoder.key, "rollouts": rollouts.key}
        return self._cache.result("latents", depends, build, stop)

    def sequence(self, latents: Result, iteration: int, stop: Stop) -> Result | None:
        """The sequence model, trained on latents."""
        from agents.world_models.sequence.building import save_sequence_model
        from agents.world_models.sequence.settings import as_builtins
        from agents.world_models.sequence.training import train_sequence_model

        rng, grown = self._rng("sequence", iteration)
        settings = self._settings

        def build(part: Path) -> Mapping[str, Any]:
            trained = train_sequence_model(
                settings,
                Rollouts(latents.path / LATENTS),
                rng=rng,
                device=self._device,
                progress=self._say,
                checkpoint=FileCheckpoint(part),
                stop=stop,
            )
            save_sequence_model(part / SEQUENCE, trained.model)
            metrics = {f"sequence_{name}": value for name, value in trained.metrics.items()}
            return {
                "metrics": metrics,
                "series": trained.series,
                "warnings": trained.warnings,
                "held_out": trained.held_out,
                "provenance": {"frames_per_second": trained.frames_per_second},
            }

        depends = {"settings": as_builtins(settings), "latents": latents.key, **grown}
        return self._cache.result("sequence", depends, build, stop)


def learned_arrays(results: Mapping[str, Result]) -> dict[str, np.ndarray]:
    """Arrays "encoder.*" and "sequence.*", as far as there are results of these stages."""
    from agents.world_models.sequence.building import load_sequence_model

    arrays: dict[str, np.ndarray] = {}
    if "encoder" in results:
        encoder = load_encoder(results["encoder"].path / ENCODER)
        arrays |= {f"encoder.{k}": v.numpy() for k, v in encoder.state_dict().items()}
    if "sequence" in results:
        sequence = load_sequence_model(results["sequence"].path / SEQUENCE)
        arrays |= {f"sequence.{k}": v.numpy() for k, v in sequence.state_dict().items()}
    return arrays


class _Lines:
    """See `agents.collecting.collection.Watcher`."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self._began = self._said = time.monotonic()

    def show(self, rollouts: int, total: int, steps: int) -> None:
        now = time.monotonic()
        if now - self._said < _SECONDS_BETWEEN_LINES or not rollouts:
            return
        self._said, spent = now, now - self._began
        left = spent / rollouts * (total - rollouts)
        rate = steps / spent
        self.say(f"rollouts: {rollouts:,} of {total:,}, {rate:,.0f} steps/s, {left:,.0f} s left")


def latent_rollouts(latents: Result) -> Iterator[LatentRollout]:
    """The rollouts of a result of that stage."""
    return (r for r in Rollouts(latents.path / LATENTS) if isinstance(r, LatentRollout))


def first_latents(latents: Result) -> tuple[np.ndarray, np.ndarray]:
    """Mean and ln σ² [N, D] of the first of each rollout."""
    rollouts = list(latent_rollouts(latents))
    means = np.stack([rollout.means[0] for rollout in rollouts])
    return means, np.stack([rollout.log_variances[0] for rollout in rollouts])


def _enlarged(spec: FolderSpec, rollouts: int, source: Mapping[str, Any]) -> FolderSpec:
    """The same, with more rollouts, from another source."""
    return dataclasses.replace(spec, rollouts=rollouts, source=dict(source))


def _noisy(weights: np.ndarray, sigma: float, seed: int, numbers: range) -> Block:
    """A block of rollouts, each by the controller with noise of its own."""
    rngs = [np.random.default_rng([seed, number]) for number in numbers]
    moved = [weights + sigma * rng.standard_normal(len(weights)) for rng in rngs]
    seeds = np.array([rng.integers(2**32) for rng in rngs], np.int64)
    return Block(np.stack(moved).astype(np.float32), seeds, keep=True)


def _summarised(part: Path, rollouts: Rollouts, first: int = 0) -> dict[str, Any]:
    """Writes rewards and ends of the rollouts from number `first` on; returns counts."""
    rewards, terminated, cut, frames = [], [], [], 0
    for number, rollout in rollouts.good():
        frames += rollout.length
        if number >= first:
            rewards.append(rollout.rewards)
            terminated.append(rollout.terminated)
            cut.append(not (rollout.terminated or rollout.truncated))
    lengths = np.array([len(part_) for part_ in rewards])
    with (part / EPISODES).open("wb") as file:
        np.savez(
            file,
            rewards=np.concatenate(rewards),
            lengths=lengths,
            terminated=np.array(terminated),
            cut=np.array(cut),
        )
    returns = [float(one.sum(dtype=np.float64)) for one in rewards]
    metrics = {
        "rollouts_frames": float(frames),
        "rollouts_mean_return": float(np.mean(returns)),
        "rollouts_mean_length": float(lengths.mean()),
    }
    return {"metrics": metrics, "rollouts": len(rollouts), "frames": frames}
