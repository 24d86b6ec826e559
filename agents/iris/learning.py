"""The three networks, and how each of them takes a step along the gradient of batches."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import gymnasium
import torch
from torch import Tensor, nn

from agents.first_weights import drawn_from
from agents.iris.actor_critic import ActorCritic, actor_critic_loss
from agents.iris.compiling import compile_networks
from agents.iris.imagination import Starts, Trajectories, imagine
from agents.iris.optimizing import adam, adamw, trainable, update
from agents.iris.settings import IrisSettings
from agents.iris.tokenizer.building import build_tokenizer
from agents.iris.tokenizer.interface import Before
from agents.iris.world_models.building import build_world_model
from agents.iris.world_models.interface import Segments, WorldModel
from agents.precision import computed_in

if TYPE_CHECKING:
    from agents.base import EnvironmentMaker

#: What learns.
Part = Literal["tokenizer", "world_model", "actor_critic"]


class Observed(NamedTuple):
    """What the tokenizer learns from.

    Attributes:
        frames: [B, ...] as the environment gives them.
        returns: [B], NaN where unknown; None: of none.
        before: what came before, for tokens of what is new; else None.
    """

    frames: Tensor
    returns: Tensor | None
    before: Before | None = None


#: Of tokenizer, world model and actor-critic, in this order.
Batch = Observed | Segments | Starts
#: What is minimised on a batch, and its parts, detached scalars by name.
Loss = Callable[[Any, torch.Generator], tuple[Tensor, dict[str, Tensor]]]


class Learner:
    """
    Attributes:
        tokenizer, world_model, actor_critic: as they are now.
        target: slow copy of the actor-critic, or itself.

    Args:
        actions: how many there are.
        make_environment: of the run.
        initial: of the first weights.

    Raises:
        AgentRefused: spaces, files or packages do not suit the settings.
    """

    def __init__(
        self,
        settings: IrisSettings,
        observation_space: gymnasium.Space[Any],
        actions: int,
        make_environment: EnvironmentMaker,
        initial: torch.Generator,
        device: torch.device,
    ) -> None:
        self.settings, self.device = settings, device
        self.tokenizer = build_tokenizer(settings, observation_space, actions, initial).to(device)
        self.world_model = build_world_model(
            settings, self.tokenizer, actions, initial, make_environment
        ).to(device)
        shape = self.tokenizer.frames.shape
        self.actor_critic = ActorCritic(settings, shape, actions, initial).to(device)
        self.target: ActorCritic = self.actor_critic
        if settings.actor_critic_target_rate is not None:
            self.target = copy.deepcopy(self.actor_critic).requires_grad_(False)
        for module in self.modules().values():
            module.eval()
        self._optimizers = self._make_optimizers()
        if settings.compile:
            compile_networks(self.tokenizer, self.world_model, self.actor_critic, device)

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

    # -- updates

    def update(
        self, part: Part, batches: Iterable[Batch], generator: torch.Generator
    ) -> dict[str, Tensor]:
        """One step along the mean gradient of `_grad_acc_steps` batches.

        Returns:
            Parts of the loss, detached scalars by name.

        Raises:
            Diverged: the gradient is not finite.
        """
        settings = self.settings
        losses: dict[Part, Loss] = {
            "tokenizer": self.tokenizer_loss,
            "world_model": self.world_model_loss,
            "actor_critic": self.actor_critic_loss,
        }
        loss = losses[part]
        optimizer = self._optimizers.get(part)
        if optimizer is None:  # bins learn without gradients
            return [loss(batch, generator)[1] for batch in batches][-1]
        module = self.modules()[part]
        module.train()
        with self._dropout(part, generator):
            parts = update(
                optimizer,
                (loss(batch, generator) for batch in batches),
                cast(int, getattr(settings, f"{part}_grad_acc_steps")),
                getattr(settings, f"{part}_max_grad_norm"),
                part.replace("_", " "),
            )
        module.eval()
        if part == "actor_critic":
            self._follow()
        return parts

    def tokenizer_loss(
        self, batch: Observed, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Loss`."""
        with computed_in(self.settings.training_precision, self.device):
            return self.tokenizer.loss(batch.frames, generator, batch.returns, batch.before)

    def world_model_loss(
        self, batch: Segments, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Loss`."""
        del generator  # dropout has its own
        assert isinstance(self.world_model, WorldModel)  # only these have updates
        with computed_in(self.settings.training_precision, self.device):
            return self.world_model.loss(batch)

    def actor_critic_loss(
        self, batch: Starts, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Loss`; it is about what is imagined from these starts on."""
        # imagined by the networks as they are in use
        self.actor_critic.eval()
        imagined = self.imagine(batch, generator)
        self.actor_critic.train()
        with computed_in(self.settings.training_precision, self.device):
            return actor_critic_loss(self.actor_critic, self.target, imagined, self.settings)

    def imagine(self, starts: Starts, generator: torch.Generator) -> Trajectories:
        """Trajectories of the actor-critic in the world model."""
        settings = self.settings
        return imagine(
            self.actor_critic,
            self.world_model,
            self.tokenizer,
            starts,
            settings.actor_critic_imagine_horizon,
            generator,
            target=self.target,
            temperature=settings.imagination_temperature,
            mask_ends=settings.actor_critic_mask_ends,
            precision=settings.imagination_precision,
        )

    def _dropout(self, part: Part, generator: torch.Generator) -> AbstractContextManager[None]:
        """What torch's layers drop comes from `generator`, not from torch's own."""
        if part != "world_model" or not self.settings.world_model_dropout:
            return nullcontext()
        seed = torch.randint(2**62, (), generator=generator, device=self.device)
        return drawn_from(int(seed))

    @torch.no_grad()
    def _follow(self) -> None:
        """The slow copy takes over its share."""
        rate = self.settings.actor_critic_target_rate
        if rate is None:
            return
        pairs = zip(self.target.parameters(), self.actor_critic.parameters(), strict=True)
        for slow, fast in pairs:
            slow.lerp_(fast, rate)

    # -- leaving and coming back

    def state_dict(self) -> dict[str, Any]:
        """Networks and optimizers."""
        return {
            "modules": {
                name: copy.deepcopy(module.state_dict()) for name, module in self.modules().items()
            },
            "optimizers": {
                name: copy.deepcopy(optimizer.state_dict())
                for name, optimizer in self._optimizers.items()
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues exactly where `state_dict` was taken."""
        for name, module in self.modules().items():
            module.load_state_dict(state["modules"][name])
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(copy.deepcopy(state["optimizers"][name]))
