"""Gradient steps of an encoder."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor, nn

from agents.base import Diverged
from agents.encoders.adversary import Adversary
from agents.encoders.interface import ObservationEncoder
from agents.encoders.settings import EncoderSettings
from agents.first_weights import drawn_from
from agents.precision import computed_in


class EncoderLearner:
    """Adam on the encoder's loss, with that of a discriminator where the settings want one.

    Attributes:
        updates: done so far.

    Args:
        seed: of the noise in the loss.
    """

    def __init__(self, settings: EncoderSettings, encoder: ObservationEncoder, seed: int) -> None:
        self.updates = 0
        self._settings, self._encoder = settings, encoder
        self._device = encoder.device
        self._generator = torch.Generator(self._device).manual_seed(seed)
        trained = [p for p in encoder.parameters() if p.requires_grad]
        self._optimizer = torch.optim.Adam(trained, lr=settings.encoder_learning_rate, fused=True)
        self._trained = trained
        self._adversary: Adversary | None = None
        if settings.encoder_gan_weight > 0:
            self._adversary = self._new_adversary(seed)
        self._sums: dict[str, Tensor] = {}
        self._summed = 0

    def _new_adversary(self, seed: int) -> Adversary:
        channels, side, _ = self._encoder.observed.size
        settings = self._settings
        with drawn_from(seed):
            adversary = Adversary(channels, side, settings.encoder_width)
        adversary.to(device=self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        adversary.start(settings.encoder_gan_learning_rate)
        return adversary

    def update(self, batch: Tensor) -> None:
        """One step, on a batch of prepared observations [B, ...]."""
        self._encoder.train()
        with self._arithmetic():
            loss, parts, reconstruction = self._encoder.losses(batch, self._generator)
            parts = {"loss": loss.detach(), **parts}
            if self._adversary is not None:
                deception = self._adversary.deception(reconstruction)
                loss = loss + self._settings.encoder_gan_weight * deception
                parts["deception"] = deception.detach()
        self._optimizer.zero_grad(set_to_none=True)
        with self._deterministic():
            loss.backward()  # type: ignore[no-untyped-call]
        if self._settings.encoder_max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self._trained, self._settings.encoder_max_grad_norm)
        self._optimizer.step()
        self._encoder.settle(self._generator)
        if self._adversary is not None:
            with self._deterministic():
                seen = self._encoder.read(batch)
                parts["discriminator"] = self._adversary.learn(seen, reconstruction)
        for name, part in parts.items():
            self._sums[name] = self._sums[name] + part if name in self._sums else part
        self._summed += 1
        self.updates += 1

    @contextlib.contextmanager
    def _arithmetic(self) -> Any:
        precision = self._settings.encoder_precision
        with self._deterministic(), computed_in(precision, self._device):
            yield

    @staticmethod
    def _deterministic() -> Any:
        return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)

    def means(self) -> dict[str, float]:
        """Of the loss and its parts, since they were asked for last.

        Raises:
            Diverged: the loss stopped being finite.
        """
        self._check()
        means = torch.stack(list(self._sums.values())) / self._summed
        named = dict(zip(self._sums, means.tolist(), strict=True))
        self._sums, self._summed = {}, 0
        return named

    def _check(self) -> None:
        if self._sums and not torch.isfinite(self._sums["loss"]):
            raise Diverged(f"the encoder's loss, within the first {self.updates} updates")

    def state_dict(self) -> dict[str, Any]:
        """All that the future depends on, on the processor.

        Raises:
            Diverged: the loss stopped being finite.
        """
        self._check()
        state = {
            "updates": self.updates,
            "encoder": self._encoder.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "sums": self._sums,
            "summed": self._summed,
            "adversary": None,
        }
        if self._adversary is not None:
            state["adversary"] = {
                "weights": self._adversary.state_dict(),
                "optimizer": self._adversary.optimizer.state_dict(),
            }
        kept: dict[str, Any] = on_processor(state)
        return kept

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues exactly where `state_dict` was taken."""
        self.updates, self._summed = state["updates"], state["summed"]
        self._encoder.load_state_dict(state["encoder"])
        load_optimizer(self._optimizer, state["optimizer"])
        self._generator.set_state(state["generator"])
        self._sums = {name: value.to(self._device) for name, value in state["sums"].items()}
        if self._adversary is not None:
            self._adversary.load_state_dict(state["adversary"]["weights"])
            load_optimizer(self._adversary.optimizer, state["adversary"]["optimizer"])


def on_processor(tree: Any) -> Any:
    """Nested dicts and lists with copies of their tensors on the processor."""
    if isinstance(tree, Tensor):
        return tree.detach().to("cpu", copy=True)
    if isinstance(tree, dict):
        return {key: on_processor(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [on_processor(value) for value in tree]
    return tree


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """`load_state_dict`, with moments that lie in memory as their parameters do: fused steps take
    them to, and a file need not keep it."""
    optimizer.load_state_dict(state)
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter).copy_(value)
