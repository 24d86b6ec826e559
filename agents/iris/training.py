"""Collecting and learning in tandem, epoch by epoch.

An epoch is `collection_num_steps` timesteps in real environments, then updates of the tokenizer, of
the world model and of the actor-critic, each from its start epoch on. Training goes on in units, a
round of environments or one update each; between any two it can be saved, and goes on exactly.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from agents.base import AgentRefused, Episode
from agents.first_weights import drawn_from
from agents.iris.actor_critic import ActorCritic, actor_critic_loss
from agents.iris.collecting import Collector, Manner, Player
from agents.iris.episodes import Episodes, Keeper, Rows
from agents.iris.imagination import Starts, Trajectories, imagine
from agents.iris.optimizing import adam, adamw, trainable, update
from agents.iris.settings import IrisSettings
from agents.iris.tokenizer.building import build_tokenizer
from agents.iris.tokenizer.codebook import perplexity
from agents.iris.tokenizer.vqvae import VQVAE
from agents.iris.world_models.building import build_world_model
from agents.iris.world_models.interface import Segments

if TYPE_CHECKING:
    from agents.base import EnvironmentMaker

Phase = Literal["collect", "tokenizer", "world_model", "actor_critic"]
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
        self.device = torch.device(device)
        self._rng = rng
        self._generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
        self._acting = torch.Generator().manual_seed(int(rng.integers(2**62)))
        initial = torch.Generator().manual_seed(int(rng.integers(2**62)))
        actions = int(action_space.n)
        self.tokenizer = build_tokenizer(settings, observation_space, actions, initial).to(
            self.device
        )
        self.world_model = build_world_model(
            settings, self.tokenizer, actions, initial, make_environment
        ).to(self.device)
        shape = self.tokenizer.frames.shape
        self.actor_critic = ActorCritic(settings, shape, actions, initial).to(self.device)
        self.target: ActorCritic = self.actor_critic
        if settings.actor_critic_target_rate is not None:
            self.target = copy.deepcopy(self.actor_critic).requires_grad_(False)
        for module in self.modules().values():
            module.eval()
        self._optimizers = self._make_optimizers()
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
            if not self.world_model.learns:
                return 0
        if epoch < begins or (ends is not None and epoch >= ends):
            return 0
        return int(getattr(settings, f"{phase}_steps"))

    # -- updates

    def _update(self, phase: Phase) -> None:
        if phase == "tokenizer":
            batch, module = self._tokenizer_loss, self.tokenizer
            self._version += 1
        elif phase == "world_model":
            batch, module = self._world_model_loss, self.world_model  # type: ignore[assignment]
        else:
            batch, module = self._actor_critic_loss, self.actor_critic  # type: ignore[assignment]
        settings = self.settings
        count = int(getattr(settings, f"{phase}_grad_acc_steps"))
        longest = getattr(settings, f"{phase}_max_grad_norm")
        optimizer = self._optimizers.get(phase)
        if optimizer is None:  # bins learn without gradients
            parts = batch()[1]
        else:
            module.train()
            name = phase.replace("_", " ")
            with self._dropout(phase):
                parts = update(optimizer, [batch] * count, count, longest, name)
            module.eval()
        if phase == "actor_critic":
            self._follow()
        self.losses |= {f"{phase}/{name}": value for name, value in parts.items()}

    def _dropout(self, phase: Phase) -> AbstractContextManager[None]:
        """What torch's layers drop comes from this trainer's generator, not from its own."""
        if phase != "world_model" or not self.settings.world_model_dropout:
            return nullcontext()
        seed = torch.randint(2**62, (), generator=self._generator, device=self.device)
        return drawn_from(int(seed))

    def _tokenizer_loss(self) -> tuple[Tensor, dict[str, Tensor]]:
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
        before = episodes.before(rows, tokenizer, self.device)
        return tokenizer.loss(observed, self._generator, returns, before)

    def _world_model_loss(self) -> tuple[Tensor, dict[str, Tensor]]:
        settings = self.settings
        span = self.episodes.draw_segments(
            self._rng, settings.world_model_batch_size, settings.sequence_length
        )
        return self.world_model.loss(self.segments(span.rows, span.mask))

    def _actor_critic_loss(self) -> tuple[Tensor, dict[str, Tensor]]:
        # imagined by the networks as they are in use
        self.actor_critic.eval()
        imagined = self.imagine(self.settings.actor_critic_batch_size)
        self.actor_critic.train()
        return actor_critic_loss(self.actor_critic, self.target, imagined, self.settings)

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

    def imagine(self, batch: int) -> Trajectories:
        """Trajectories that begin at frames of `episodes`, a batch of them."""
        settings, episodes = self.settings, self.episodes
        span = episodes.draw_starts(self._rng, batch, settings.actor_critic_burn_in + 1)
        snapshots = episodes.snapshots(span.rows[:, -1]) if episodes.keeps_snapshots else None
        starts = Starts(
            episodes.tokens(span.rows, self.tokenizer, self._version, self.device),
            torch.as_tensor(span.mask, device=self.device),
            snapshots,
            episodes.seen(span.rows, self.tokenizer, self.device),
        )
        return imagine(
            self.actor_critic,
            self.world_model,
            self.tokenizer,
            starts,
            settings.actor_critic_imagine_horizon,
            self._generator,
            target=self.target,
            temperature=settings.imagination_temperature,
            mask_ends=settings.actor_critic_mask_ends,
            precision=settings.imagination_precision,
        )

    @torch.no_grad()
    def _follow(self) -> None:
        """The slow copy takes over its share."""
        rate = self.settings.actor_critic_target_rate
        if rate is None:
            return
        pairs = zip(self.target.parameters(), self.actor_critic.parameters(), strict=True)
        for slow, fast in pairs:
            slow.lerp_(fast, rate)

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
        """The networks by name: tokenizer, world_model, actor_critic, and its target if any."""
        modules: dict[str, nn.Module] = {
            "tokenizer": self.tokenizer,
            "world_model": self.world_model,
            "actor_critic": self.actor_critic,
        }
        return modules if self.target is self.actor_critic else modules | {"target": self.target}

    def _make_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        settings = self.settings
        makers = {
            "tokenizer": partial(adam, self.tokenizer, settings.tokenizer_learning_rate),
            "world_model": partial(
                adamw,
                self.world_model,
                settings.world_model_learning_rate,
                settings.world_model_weight_decay,
            ),
            "actor_critic": partial(adam, self.actor_critic, settings.actor_critic_learning_rate),
        }
        learn = {name for name, module in self.modules().items() if trainable(module)}
        return {name: maker() for name, maker in makers.items() if name in learn}

    def state_dict(self) -> dict[str, Any]:
        """Everything that the future depends on."""
        return {
            "position": tuple(self.position),
            "version": self._version,
            "modules": {
                name: copy.deepcopy(module.state_dict()) for name, module in self.modules().items()
            },
            "optimizers": {
                name: copy.deepcopy(optimizer.state_dict())
                for name, optimizer in self._optimizers.items()
            },
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
        for name, module in self.modules().items():
            module.load_state_dict(state["modules"][name])
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(copy.deepcopy(state["optimizers"][name]))
        self.episodes.load_state_dict(state["episodes"])
        self.collector.fleet.load_state_dict(state["fleet"])
        self.player.load_state_dict(state["player"])
        self._rng.bit_generator.state = state["rng"]
        self._generator.set_state(state["generator"])
        self._acting.set_state(state["acting"])
        self.losses = {name: torch.tensor(value) for name, value in state["losses"].items()}
