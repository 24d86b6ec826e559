"""The fifth stage: a controller, trained in the environment or in the dream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agents.base import EnvironmentMaker
from agents.encoders.files import load_encoder
from agents.encoders.interface import ObservationEncoder
from agents.world_models.cache import Result, Say, Stop
from agents.world_models.controller.centre import mean_seen
from agents.world_models.controller.company import Company
from agents.world_models.controller.controllers import Controllers
from agents.world_models.controller.imagining import Starts, dream_returns
from agents.world_models.controller.playing import Block, Cast, Played
from agents.world_models.controller.policy_gradient import PolicyGradient
from agents.world_models.controller.search import Search, Trial, Weights
from agents.world_models.dream import Dream
from agents.world_models.ledger import Entry, Ledger
from agents.world_models.sequence.building import load_sequence_model
from agents.world_models.sequence.interface import SequenceModel
from agents.world_models.settings import WorldModelSettings
from agents.world_models.stages import ENCODER, SEQUENCE, first_latents, latent_rollouts

#: Generations in the dream where the settings say none.
_IN_THE_DREAM = 100


class Models:
    """What a controller stands on.

    Attributes:
        sequence: the sequence model.
        encoder: on the processor.
        controllers: for these.
        key: names both models.
    """

    def __init__(
        self,
        settings: WorldModelSettings,
        encoder: Result,
        sequence: Result,
        latents: Result,
        action_space: gymnasium.Space[Any],
    ) -> None:
        self._encoder_file = encoder.path / ENCODER
        self._latents = latents
        self._first: tuple[NDArray[Any], NDArray[Any]] | None = None
        self._hold(
            settings,
            load_encoder(self._encoder_file),
            load_sequence_model(sequence.path / SEQUENCE),
            action_space,
        )
        self.key = f"{encoder.key}, {sequence.key}"

    @classmethod
    def of(
        cls,
        settings: WorldModelSettings,
        encoder: ObservationEncoder,
        sequence: SequenceModel,
        first: tuple[NDArray[Any], NDArray[Any]],
        action_space: gymnasium.Space[Any],
    ) -> Models:
        """Without files: to be watched, not to be trained with.

        Args:
            first: mean and ln σ² [N, D] of latents where dreams begin.
        """
        models = cls.__new__(cls)
        models._first, models.key = first, ""
        models._hold(settings, encoder, sequence, action_space)
        return models

    def _hold(
        self,
        settings: WorldModelSettings,
        encoder: ObservationEncoder,
        sequence: SequenceModel,
        action_space: gymnasium.Space[Any],
    ) -> None:
        self.settings, self.encoder, self.sequence = settings, encoder, sequence
        self.action_space = action_space
        self.controllers = Controllers(
            settings, encoder.representation_size, sequence.feature_size, action_space
        )

    def company(self, make_environment: EnvironmentMaker) -> Company:
        """Who plays with them."""
        cast = Cast(
            self.settings,
            self._encoder_file,
            self.sequence.export(),
            self.action_space,
            make_environment,
        )
        return Company(cast, self.settings.workers)

    def express(self) -> Callable[[Weights], Weights]:
        """From what evolution searches to weights of controllers."""
        if not self.settings.cma_centred:
            return lambda weights: weights
        rollouts = latent_rollouts(self._latents)
        centre = mean_seen(self.controllers, self.sequence.export(), rollouts)
        return lambda weights: self.controllers.uncentred(weights, centre)

    def dream(self, limit: int, device: str) -> tuple[Dream, Starts]:
        """Where they are all that there is, and where it begins."""
        settings = self.settings
        dream = Dream(
            self.sequence.to(device),
            temperature=settings.dream_temperature,
            max_steps=settings.dream_max_steps or limit,
            reward=settings.dream_reward,
            ends=settings.dream_ends if settings.sequence_end else "never",
        )
        first = first_latents(self._latents) if self._first is None else self._first
        return dream, Starts(*first)


class Seeds(NamedTuple):
    """Of the stage: what its trainer draws from, and of the episodes that are played."""

    trainer: np.random.SeedSequence
    episodes: np.random.SeedSequence


class InEnvironment:
    """Evolution by returns of real episodes, whose steps are counted.

    Args:
        until: timestep from which on nothing new is begun.

    Attributes:
        over: whether it is at its end.
        weights: [n] of the controller so far.
    """

    def __init__(
        self, models: Models, company: Company, seeds: Seeds, until: int, say: Say
    ) -> None:
        settings = models.settings
        self._settings, self._company, self._until, self._say = settings, company, until, say
        rng = np.random.default_rng(seeds.trainer)
        self._search = Search(
            settings,
            models.controllers.size,
            rng,
            seeds.episodes,
            settings.controller_generations,
            models.express(),
        )
        self._trial: Trial | None = None
        self._played: dict[int, list[Played]] = {}
        self._entered = False
        self._length = 0.0  # of the latest trial's episodes, on average
        self.over = False

    @property
    def weights(self) -> NDArray[np.float64]:
        """See above."""
        return self._search.weights

    def advance(self, ledger: Ledger, stop: Stop, leaving: Stop) -> bool:
        """Plays what is next, or learns from what was counted; the ledger is empty.

        Returns:
            False: `leaving` said so before it was done.
        """
        if self._entered:
            self._learn()
            return True
        if self._trial is None:
            if ledger.timestep >= self._until:
                self.over = True
                return True
            left = self._until - ledger.timestep
            self._trial = self._search.trial(left / self._length if self._length else np.inf)
            if self._trial is None:
                self.over = True
                return True
        blocks = _blocks(self._trial, self._settings.controller_envs)
        missing = [n for n in range(len(blocks)) if n not in self._played]
        for position, episodes in self._company.play([blocks[n] for n in missing], leaving):
            self._played[missing[position]] = episodes
        if len(self._played) < len(blocks):
            return False
        episodes = [one for n in range(len(blocks)) for one in self._played[n]]
        ledger.enter([Entry(one.rewards, one.terminated) for one in episodes])
        self._entered = True
        return True

    def _learn(self) -> None:
        assert self._trial is not None
        episodes = [one for n in range(len(self._played)) for one in self._played[n]]
        returns = np.array([one.rewards.sum() for one in episodes])
        self._length = sum(len(one.rewards) for one in episodes) / len(episodes)
        shape = (len(self._trial.weights), len(self._trial.seeds))
        said = self._search.tell(self._trial, returns.reshape(shape))
        self._trial, self._played, self._entered = None, {}, False
        if said is not None:
            self._say(f"controller: {said}")

    def metrics(self) -> dict[str, float]:
        """Of what was learned last."""
        return self._search.metrics()

    def state_dict(self) -> dict[str, Any]:
        """Everything that it depends on."""
        return {
            "search": self._search.state_dict(),
            "trial": None if self._trial is None else tuple(self._trial),
            "played": {n: [tuple(one) for one in many] for n, many in self._played.items()},
            "flags": (self._entered, self.over),
            "length": self._length,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where `state_dict` was taken."""
        self._length = state["length"]
        self._search.load_state_dict(state["search"])
        self._trial = None if state["trial"] is None else Trial(*state["trial"])
        self._played = {n: [Played(*one) for one in many] for n, many in state["played"].items()}
        self._entered, self.over = state["flags"]


class InDream:
    """Evolution, or the policy gradient, in the dream: no timestep passes. As `InEnvironment`."""

    def __init__(
        self,
        models: Models,
        seeds: Seeds,
        *,
        limit: int,
        gamma: float,
        device: str,
        say: Say,
    ) -> None:
        settings, self._say = models.settings, say
        self._controllers = models.controllers
        self._dream, self._starts = models.dream(limit, device)
        rng = np.random.default_rng(seeds.trainer)
        generations = settings.controller_generations or _IN_THE_DREAM
        self._generations = generations
        self._search: Search | None = None
        self._gradient: PolicyGradient | None = None
        if settings.controller_trainer == "cma":
            size = models.controllers.size
            self._search = Search(
                settings, size, rng, seeds.episodes, generations, models.express()
            )
        else:
            self._gradient = PolicyGradient(
                settings,
                models.controllers,
                self._dream,
                self._starts,
                gamma=gamma,
                rng=rng,
                seed=seeds.episodes,
            )
        self._trial: Trial | None = None
        self._latest: dict[str, float] = {}
        self.over = False

    @property
    def weights(self) -> NDArray[np.float64]:
        """See above."""
        trainer = self._search or self._gradient
        assert trainer is not None
        return trainer.weights

    def advance(self, ledger: Ledger, stop: Stop, leaving: Stop) -> bool:
        """A generation, an evaluation, or some updates. See `InEnvironment.advance`."""
        if self._gradient is not None:
            while self._gradient.updates < self._generations:
                if not self._gradient.update(leaving):
                    return False
                if stop():
                    return True
            self._say(f"controller: {self._gradient.updates} updates in the dream: {self._told()}")
            self.over = True
            return True
        assert self._search is not None
        if self._trial is None:
            self._trial = self._search.trial()
            if self._trial is None:
                self.over = True
                return True
        trial = self._trial
        found = dream_returns(
            self._dream, self._controllers, self._starts, trial.weights, trial.seeds, leaving
        )
        if found is None:
            return False
        returns, lengths = found
        self._latest = {"dream_length": float(lengths.mean())}
        if trial.kind == "evaluation":
            self._latest["dream_return"] = float(returns[0].mean())
        said = self._search.tell(trial, returns)
        self._trial = None
        if said is not None:
            self._say(f"controller, in the dream: {said}")
        return True

    def _told(self) -> str:
        return ", ".join(f"{name} {value:.4g}" for name, value in self.metrics().items())

    def metrics(self) -> dict[str, float]:
        """Of what was learned last."""
        if self._gradient is not None:
            return self._gradient.metrics()
        assert self._search is not None
        found = {f"dream_{name}": value for name, value in self._search.metrics().items()}
        return found | self._latest

    def state_dict(self) -> dict[str, Any]:
        """Everything that it depends on."""
        trainer = self._search or self._gradient
        assert trainer is not None
        trial = None if self._trial is None else tuple(self._trial)
        return {
            "trainer": trainer.state_dict(),
            "trial": trial,
            "latest": self._latest,
            "over": self.over,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where `state_dict` was taken."""
        trainer = self._search or self._gradient
        assert trainer is not None
        trainer.load_state_dict(state["trainer"])
        self._trial = None if state["trial"] is None else Trial(*state["trial"])
        self._latest, self.over = dict(state["latest"]), state["over"]


def _blocks(trial: Trial, width: int) -> list[Block]:
    """The episodes of a trial, those of one controller next to one another, by `width`."""
    weights = np.repeat(trial.weights.astype(np.float32), len(trial.seeds), axis=0)
    seeds = np.tile(trial.seeds, len(trial.weights))
    begins = range(0, len(seeds), width)
    return [Block(weights[b : b + width], seeds[b : b + width]) for b in begins]


def acting_block(weights: NDArray[np.float64], width: int, seed: int, number: int) -> Block:
    """Episodes that a controller plays once it is trained."""
    child = np.random.SeedSequence(seed, spawn_key=(1, number))
    seeds = child.generate_state(width, np.uint32).astype(np.int64)
    return Block(np.tile(weights.astype(np.float32), (width, 1)), seeds)


Trainer = InEnvironment | InDream
