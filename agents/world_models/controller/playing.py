"""Episodes of controllers in the environment, blocks of them side by side.

A block is played by one pass of the models a step, in environments of its own, and its batch stays
as large to the end: what comes of a block depends on the block alone, not on who plays it or when.
Each episode begins from its seed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

from agents.base import Diverged, EnvironmentMaker
from agents.encoders.interface import ObservationEncoder
from agents.rollouts.rollout import Rollout
from agents.world_models.controller.controllers import Controllers
from agents.world_models.controller.settings import ControllerSettings
from agents.world_models.sequence.memory import Memory


class Block(NamedTuple):
    """Episodes that are played together.

    Attributes:
        weights: [B, n] float32, a controller each.
        seeds: [B] of the episodes.
        keep: whether rollouts are wanted.
    """

    weights: NDArray[np.float32]
    seeds: NDArray[np.int64]
    keep: bool = False


class Played(NamedTuple):
    """An episode.

    Attributes:
        rewards: [T].
        rollout: where they were wanted.
    """

    rewards: NDArray[np.float64]
    terminated: bool
    rollout: Rollout | None = None


class Senses:
    """What controllers see of a batch of episodes: latents, and what the sequence model remembers.

    Not to be mixed up with `Controllers`, which have no state.
    """

    def __init__(
        self, encoder: ObservationEncoder, memory: Memory, controllers: Controllers
    ) -> None:
        self._encoder, self._memory, self.controllers = encoder, memory, controllers
        self._latents: NDArray[np.float32] = np.empty((0, 0), np.float32)

    def begin(self, batch: int) -> None:
        """All are at the start of an episode."""
        self._memory.begin(batch)

    def restart(self, members: NDArray[np.int64]) -> None:
        """These are at the start of an episode."""
        self._memory.restart(members)

    @torch.inference_mode()
    def choose(
        self,
        weights: torch.Tensor,
        observations: NDArray[Any],
        noise: torch.Tensor | None = None,
    ) -> NDArray[np.float32]:
        """Codes [B, A] of what controllers [B, n] do on seeing these."""
        latents = self._encoder.encode(observations)[0].float().cpu()
        self._latents = latents.numpy()
        seen = self.controllers.see(latents, torch.from_numpy(self._memory.features))
        outputs = self.controllers.outputs(weights, seen[:, None])[:, 0]
        codes: NDArray[np.float32] = self.controllers.codes(outputs, noise).numpy()
        return codes

    def did(self, codes: NDArray[np.float32]) -> None:
        """These were done after the last `choose`."""
        self._memory.step(self._latents, codes)

    @property
    def latents(self) -> NDArray[np.float32]:
        """[B, D] that the last `choose` saw."""
        return self._latents


class Cast(NamedTuple):
    """What is needed to play, in any process.

    Attributes:
        encoder: its file.
    """

    settings: ControllerSettings
    encoder: Path
    memory: Memory
    action_space: gymnasium.Space[Any]
    make_environment: EnvironmentMaker


class Stage:
    """Environments, and the models that play in them.

    Args:
        first: number of the first environment.
    """

    def __init__(self, cast: Cast, first: int) -> None:
        from agents.encoders.files import load_encoder

        encoder = load_encoder(cast.encoder)
        controllers = Controllers(
            cast.settings,
            encoder.representation_size,
            cast.memory.feature_size,
            cast.action_space,
        )
        self._senses = Senses(encoder, cast.memory, controllers)
        self._make, self._first = cast.make_environment, first
        self._problems: list[Any] = []

    def play(self, block: Block, stop: Callable[[], bool]) -> list[Played] | None:
        """Plays a block; None: `stop` said so meanwhile.

        Raises:
            Diverged: an action or a reward is not finite.
        """
        count = len(block.seeds)
        while len(self._problems) < count:
            self._problems.append(self._make(self._first + len(self._problems)))
        problems, senses = self._problems[:count], self._senses
        controllers = senses.controllers
        weights = torch.from_numpy(block.weights)
        draws = [np.random.default_rng(int(seed)) for seed in block.seeds]
        observations = [
            problem.reset(seed=int(seed))[0]
            for problem, seed in zip(problems, block.seeds, strict=True)
        ]
        senses.begin(count)
        notes = [_Notes(o, keep=block.keep) for o in observations]
        playing = list(range(count))
        while playing:
            if stop():
                return None
            noise = None
            if controllers.draws:
                noise = torch.cat([controllers.gumbel(rng, 1) for rng in draws])  # type: ignore[misc]
            codes = senses.choose(weights, np.stack(observations), noise)
            if not np.isfinite(codes).all():
                raise Diverged("the action")
            actions = controllers.actions(codes)
            for member in tuple(playing):
                observation, reward, terminated, truncated, _ = problems[member].step(
                    actions[member]
                )
                observations[member] = observation
                notes[member].add(actions[member], float(reward), observation)
                if terminated or truncated:
                    notes[member].terminated = terminated
                    playing.remove(member)
            senses.did(codes)
        return [note.played(int(seed)) for note, seed in zip(notes, block.seeds, strict=True)]

    def close(self) -> None:
        """Closes the environments."""
        for problem in self._problems:
            problem.close()


class _Notes:
    """What happens in an episode."""

    def __init__(self, observation: Any, *, keep: bool) -> None:
        self._rewards: list[float] = []
        self._seen, self._done = [np.array(observation)], list[Any]()
        self._keep, self.terminated = keep, False

    def add(self, action: Any, reward: float, observation: Any) -> None:
        if not np.isfinite(reward):
            raise Diverged("the reward")
        self._rewards.append(reward)
        if self._keep:
            self._seen.append(np.array(observation))
            self._done.append(action)

    def played(self, seed: int) -> Played:
        rollout = None
        if self._keep:
            rollout = Rollout(
                np.stack(self._seen),
                np.stack(self._done),
                np.array(self._rewards, np.float32),
                self.terminated,
                not self.terminated,
                seed,
            )
        return Played(np.array(self._rewards), self.terminated, rollout)
