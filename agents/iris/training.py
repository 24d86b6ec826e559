"""Collecting and learning in tandem, epoch by epoch.

An epoch is `collection_num_steps` timesteps in real environments, then updates of the tokenizer, of
the world model and of the actor-critic, each from its start epoch on. Training goes on in units, a
round of environments or one update each; between any two it can be saved, and goes on exactly.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from agents.base import AgentRefused, Episode, WorkerLost
from agents.iris.collecting import Collector, Manner, Player
from agents.iris.episodes import Episodes, Keeper, Rows
from agents.iris.imagination import Starts, Trajectories
from agents.iris.learning import Batch, Learner, Observed, Part
from agents.iris.settings import IrisSettings
from agents.iris.tokenizer.codebook import perplexity
from agents.iris.tokenizer.vqvae import VQVAE
from agents.iris.trainers import Needed, Trainers, devices_of
from agents.iris.world_models.interface import Segments, WorldModel

if TYPE_CHECKING:
    from agents.base import EnvironmentMaker

Phase = Literal["collect"] | Part
PHASES: tuple[Phase, ...] = ("collect", "tokenizer", "world_model", "actor_critic")


class Position(NamedTuple):
    """Where training is: the epoch, its phase, and the units of it that are done."""

    epoch: int
    phase: Phase
    done: int


class Trainer:
    """
    Attributes:
        tokenizer, world_model, actor_critic: as they are now.
        episodes: what was collected.
        position: where training is.
        losses: parts of the latest losses, `tokenizer/l1` and so on.

    Args:
        make_environment: of the run.
        total_timesteps: after which no more is collected.
        rng: all randomness comes from it.
        report: is called with each real episode that ends.
        keeper: of real episodes that are over; None: memory and checkpoints have them.

    Raises:
        AgentRefused: spaces, files or packages do not suit the settings.
    """

    def __init__(
        self,
        settings: IrisSettings,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        make_environment: EnvironmentMaker,
        total_timesteps: int,
        rng: np.random.Generator,
        device: str = "cpu",
        report: Callable[[Episode], None] = lambda episode: None,
        keeper: Keeper | None = None,
    ) -> None:
        if not isinstance(action_space, gymnasium.spaces.Discrete) or action_space.start != 0:
            raise AgentRefused(f"IRIS needs discrete actions from 0 on, not {action_space}")
        self.settings, self.total_timesteps = settings, total_timesteps
        self.device = torch.device(devices_of(settings, device)[0])
        self._rng = rng
        self._generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        self._acting = torch.Generator().manual_seed(int(rng.integers(2**62)))
        initial = torch.Generator().manual_seed(int(rng.integers(2**62)))
        self.learner = Learner(
            settings,
            observation_space,
            int(action_space.n),
            make_environment,
            initial,
            self.device,
        )
        self._trainers: Trainers | None = None
        if settings.num_trainers > 1:
            needed = Needed(
                settings, observation_space, int(action_space.n), make_environment, device
            )
            self._trainers = Trainers(self.learner, needed)
        self.tokenizer, self.world_model = self.learner.tokenizer, self.learner.world_model
        self.actor_critic, self.target = self.learner.actor_critic, self.learner.target
        self.episodes = Episodes(
            settings.dataset_capacity,
            settings.sampling_weights,
            keeps_snapshots=self.world_model.starts_from_snapshots,
            keeper=keeper,
        )
        self.player = Player(
            lambda: (self.tokenizer, self.actor_critic), settings.collection_num_envs
        )
        manner = Manner(
            settings.collection_epsilon,
            settings.collection_should_sample,
            settings.collection_temperature,
        )
        self.collector = Collector(
            make_environment,
            settings.collection_num_envs,
            self.player,
            manner,
            steps=total_timesteps,
            report=report,
        )
        self.position = Position(0, "collect", 0)
        self._version = 0  # of the tokenizer, for tokens that are kept
        self.losses: dict[str, Tensor] = {}

    # -- going on

    @property
    def epochs(self) -> int:
        """How many there are."""
        rounds = -(-self.total_timesteps // self.settings.collection_num_steps)
        return max(self.settings.epochs or rounds, rounds)

    @property
    def timestep(self) -> int:
        """Taken by all environments together."""
        return self.collector.fleet.timestep

    @property
    def is_over(self) -> bool:
        return self.position.epoch >= self.epochs

    def unit(self, until: int | None = None) -> None:
        """A round of environments, at most up to timestep `until`, or one update.

        Raises:
            Diverged: a loss or a reward stopped being finite.
            WorkerLost: another trainer has ended; all is as it was before the update.
        """
        epoch, phase, done = self.position
        if phase == "collect":
            goal = min((epoch + 1) * self.settings.collection_num_steps, self.total_timesteps)
            border = goal if until is None else min(goal, until)
            if self.timestep < border:
                self.collector.collect(border, self.episodes, self._acting)
            if self.timestep < goal:
                return
            self._next_phase()
            return
        if done < self._updates(phase):
            self._update(phase)
            done += 1
            self.position = Position(epoch, phase, done)
        if done >= self._updates(phase):
            self._next_phase()

    def run(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Goes on until training is over or `stop()`, asked between units, says so."""
        while not self.is_over and not stop():
            self.unit()

    def _next_phase(self) -> None:
        epoch, phase, _ = self.position
        if phase == "tokenizer":
            self._alarm()
        place = PHASES.index(phase) + 1
        while place < len(PHASES) and not self._updates(PHASES[place]):
            place += 1
        if place < len(PHASES):
            self.position = Position(epoch, PHASES[place], 0)
        else:
            self.position = Position(epoch + 1, "collect", 0)

    def _updates(self, phase: Phase) -> int:
        """How many this epoch has of a phase."""
        settings, epoch = self.settings, self.position.epoch
        if phase == "actor_critic":
            begins, ends = settings.actor_critic_start_epoch, None
        elif phase == "tokenizer":
            begins, ends = settings.tokenizer_start_epoch, settings.tokenizer_stop_epoch
            if not settings.tokenizer_should_train:
                return 0
        else:
            begins, ends = settings.world_model_start_epoch, settings.world_model_stop_epoch
            if not isinstance(self.world_model, WorldModel):
                return 0
        if epoch < begins or (ends is not None and epoch >= ends):
            return 0
        return int(getattr(settings, f"{phase}_steps"))

    # -- updates

    def _update(self, part: Part) -> None:
        if self._trainers is None:
            self._update_by(self.learner, part)
            return
        states = self._rng.bit_generator.state, self._generator.get_state(), self._version
        try:
            self._update_by(self._trainers, part)
        except WorkerLost:  # as if it had not begun
            self._rng.bit_generator.state, generator, self._version = states
            self._generator.set_state(generator)
            raise

    def _update_by(self, learner: Learner | Trainers, part: Part) -> None:
        if part == "tokenizer":
            self._version += 1
        count = int(getattr(self.settings, f"{part}_grad_acc_steps"))
        draws: dict[Part, Callable[[], Batch]] = {
            "tokenizer": self.observed,
            "world_model": self.drawn_segments,
            "actor_critic": self.starts,
        }
        batches = (draws[part]() for _ in range(count))
        parts = learner.update(part, batches, self._generator)
        self.losses |= {f"{part}/{name}": value for name, value in parts.items()}

    def observed(self) -> Observed:
        """A batch of frames of `episodes`."""
        settings, episodes = self.settings, self.episodes
        tokenizer = self.tokenizer
        rows = episodes.draw_frames(
            self._rng, settings.tokenizer_batch_size, followers=tokenizer.is_delta
        )
        observed = torch.as_tensor(episodes.frames(rows), device=self.device)
        returns = None
        if settings.tokenizer_critic_loss_weight:
            told = episodes.returns(
                rows,
                settings.tokenizer_returns_gamma,
                settings.tokenizer_ignore_last_of_incomplete,
            )
            returns = torch.as_tensor(told, device=self.device)
        before = episodes.before(rows, self.tokenizer, self.device)
        return Observed(observed, returns, before)

    def drawn_segments(self) -> Segments:
        """A batch of segments of `episodes`."""
        settings = self.settings
        span = self.episodes.draw_segments(
            self._rng, settings.world_model_batch_size, settings.sequence_length
        )
        return self.segments(span.rows, span.mask)

    def segments(self, rows: Rows, mask: np.ndarray[Any, Any]) -> Segments:
        """Of rows [B, L] of `episodes`, as tokens of the present tokenizer."""
        episodes = self.episodes

        def column(name: str) -> Tensor:
            return torch.as_tensor(episodes.column(name, rows), device=self.device)

        return Segments(
            episodes.tokens(rows, self.tokenizer, self._version, self.device),
            column("actions"),
            column("rewards"),
            column("ends"),
            torch.as_tensor(mask, device=self.device),
            episodes.seen(rows, self.tokenizer, self.device),
        )

    def starts(self, batch: int | None = None) -> Starts:
        """Frames of `episodes` that trajectories begin at; None: as many as an update has."""
        settings, episodes = self.settings, self.episodes
        count = settings.actor_critic_batch_size if batch is None else batch
        span = episodes.draw_starts(self._rng, count, settings.actor_critic_burn_in + 1)
        snapshots = episodes.snapshots(span.rows[:, -1]) if episodes.keeps_snapshots else None
        return Starts(
            episodes.tokens(span.rows, self.tokenizer, self._version, self.device),
            torch.as_tensor(span.mask, device=self.device),
            snapshots,
            episodes.seen(span.rows, self.tokenizer, self.device),
        )

    def imagine(self, batch: int) -> Trajectories:
        """Trajectories that begin at frames of `episodes`, a batch of them."""
        return self.learner.imagine(self.starts(batch), self._generator)

    def _alarm(self) -> None:
        """Says that few codes are in use."""
        if not isinstance(self.tokenizer, VQVAE):
            return
        used = float(perplexity(self.tokenizer.codebook.usage))
        if used < self.settings.tokenizer_perplexity_alarm:
            warnings.warn(
                f"the tokenizer uses {used:.1f} of {self.tokenizer.vocabulary} codes after epoch "
                f"{self.position.epoch} (by perplexity): its codebook collapsed, or frames are all "
                "alike; tokenizer_revive_after revives codes",
                stacklevel=2,
            )

    # -- leaving and coming back

    def modules(self) -> dict[str, nn.Module]:
        """See `Learner.modules`."""
        return self.learner.modules()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the future depends on."""
        return {
            "position": tuple(self.position),
            "version": self._version,
            **self.learner.state_dict(),
            "episodes": self.episodes.state_dict(),
            "fleet": self.collector.fleet.state_dict(),
            "player": self.player.state_dict(),
            "rng": self._rng.bit_generator.state,
            "generator": self._generator.get_state(),
            "acting": self._acting.get_state(),
            "losses": {name: float(value) for name, value in self.losses.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues exactly where `state_dict` was taken."""
        self.position, self._version = Position(*state["position"]), state["version"]
        if self._trainers is not None:
            self._trainers.close()  # they begin with what the first one has
        self.learner.load_state_dict(state)
        self.episodes.load_state_dict(state["episodes"])
        self.collector.fleet.load_state_dict(state["fleet"])
        self.player.load_state_dict(state["player"])
        self._rng.bit_generator.state = state["rng"]
        self._generator.set_state(state["generator"])
        self._acting.set_state(state["acting"])
        self.losses = {name: torch.tensor(value) for name, value in state["losses"].items()}

    def close(self) -> None:
        """Ends other trainers, and closes the environments."""
        if self._trainers is not None:
            self._trainers.close()
        self.collector.fleet.close()
