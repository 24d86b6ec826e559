"""What changes a model's weights: Adam, and the discriminator of infilling where there is one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from agents.world_models.sequence.infilling import Discriminator
from agents.world_models.sequence.interface import LatentSlices
from agents.world_models.sequence.model import LearnedModel
from agents.world_models.sequence.settings import SequenceSettings

_DISCRIMINATOR_WIDTH = 64
_DISCRIMINATOR_BETAS = (0.5, 0.999)  # Radford et al. 2016


class Learner:
    """Of one model, on its device.

    Args:
        generator: of the latents that are drawn, of dropout and of infilling.
        seed: of the discriminator's first weights.
    """

    def __init__(
        self,
        model: LearnedModel,
        settings: SequenceSettings,
        generator: torch.Generator,
        seed: int,
    ) -> None:
        self._model, self._settings, self._generator = model, settings, generator
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.Adam(
            self._parameters,
            lr=settings.sequence_learning_rate,
            betas=settings.sequence_betas,
            eps=settings.sequence_adam_eps,
        )
        self._discriminator: Discriminator | None = None
        if settings.sequence_gan_weight > 0:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                judge = Discriminator(model.latent_size, _DISCRIMINATOR_WIDTH)
            self._discriminator = judge.to(model.shift.device)
            self._judge_optimizer = torch.optim.Adam(
                self._discriminator.parameters(),
                lr=settings.sequence_gan_learning_rate,
                betas=_DISCRIMINATOR_BETAS,
            )

    def update(self, slices: LatentSlices, progress: float) -> dict[str, Tensor]:
        """One step on a batch; `progress` is the share of training that is over.

        Returns:
            The loss and its parts, detached.
        """
        settings, model = self._settings, self._model
        left = 1 - progress * (1 - settings.sequence_learning_rate_end)
        for group in self._optimizer.param_groups:
            group["lr"] = settings.sequence_learning_rate * left
        latents = model.draw(slices, self._generator)
        loss, parts = model.loss_along(slices, latents, self._generator)
        filled = None
        if model.infilling is not None:
            filled = model.fill(slices, latents, self._generator)
            loss = loss + settings.sequence_infilling_weight * filled.loss
            parts["infilling"] = filled.loss.detach()
            if self._discriminator is not None:
                deceived = self._discriminator.deceived(filled)
                loss = loss + settings.sequence_gan_weight * deceived
                parts["deceived"] = deceived.detach()
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if settings.sequence_clip is not None:
            nn.utils.clip_grad_value_(self._parameters, settings.sequence_clip)
        self._optimizer.step()
        if filled is not None and self._discriminator is not None:
            real = (latents[:, :-1] - model.shift) / model.scale
            judged = self._discriminator.loss(filled, real)
            self._judge_optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(judged)
            self._judge_optimizer.step()
            parts["discriminator"] = judged.detach()
        return {"loss": loss.detach(), **parts}

    def state_dict(self) -> dict[str, Any]:
        """All that the future depends on."""
        state = {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
        }
        if self._discriminator is not None:
            state["discriminator"] = self._discriminator.state_dict()
            state["judge_optimizer"] = self._judge_optimizer.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where `state_dict` was taken."""
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"])
        if self._discriminator is not None:
            self._discriminator.load_state_dict(state["discriminator"])
            self._judge_optimizer.load_state_dict(state["judge_optimizer"])
