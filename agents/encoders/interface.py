"""What an observation encoder is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    from agents.encoders.observations import Observed
    from agents.encoders.settings import EncoderSettings

#: [B, ...]: an array is of observations as the environment gives them, a tensor of what
#: `ObservationEncoder.prepare` made of them.
Observations: TypeAlias = "NDArray[Any] | Tensor"

#: ln σ² of encoders that know no doubt: a standard deviation of 0.00005, exact in float16 too.
CERTAIN = -20.0


class Losses(NamedTuple):
    """What a batch says of an encoder.

    Attributes:
        loss: what is minimised.
        parts: scalars by name, detached; "error" is always there: the squared error summed over an
            observation, a mean over the batch.
        reconstruction: [B, C, H', W'] within [0, 1], or vectors [B, N] as the network has them.
    """

    loss: Tensor
    parts: dict[str, Tensor]
    reconstruction: Tensor


class ObservationEncoder(nn.Module, ABC):
    """From observations to latents and back.

    Observations go in as the environment gives them, whatever their size and type: cropping,
    resizing, grey, channels and scaling are the encoder's. Networks are differentiable throughout;
    who wants no gradients says `torch.inference_mode()`.

    Attributes:
        representation_size: D, numbers of a latent.
        settings: what it was built with.
        observed: how it reads observations.
        is_picture: whether `decode` gives pictures.
    """

    is_picture: ClassVar[bool] = True
    representation_size: int

    def __init__(self, settings: EncoderSettings, observed: Observed) -> None:
        super().__init__()
        self.settings, self.observed = settings, observed

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        device: torch.device = next(self.parameters()).device
        return device

    def prepare(self, observations: NDArray[Any]) -> Tensor:
        """Observations [B, ...] cropped and resized, on the processor, in a type that is cheap to
        carry: pictures [B, C, H', W'] as bytes or floats, vectors [B, N] as floats. A batch may be
        prepared in another thread; the result does not depend on the device of the encoder."""
        return self.observed.prepare(observations)

    def read(self, observations: Observations) -> Tensor:
        """What the network sees: floats [B, ...] on its device; pictures within [0, 1]."""
        if not isinstance(observations, Tensor):
            observations = self.prepare(observations)
        return self.observed.scaled(observations.to(self.device, non_blocking=True))

    def begin(self, sample: NDArray[Any]) -> None:
        """Told, before training, some observations [B, ...] of what it will be trained on."""

    @abstractmethod
    def posterior(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and ln σ² of latents, both [B, D], of what the network sees, [B, ...]."""

    @abstractmethod
    def reconstruction(self, latents: Tensor) -> Tensor:
        """What the network would see, [B, ...], of latents [B, D]."""

    @abstractmethod
    def shown(self, seen: Tensor) -> Tensor:
        """What the network sees, [B, ...], as `decode` returns it."""

    def encode(self, observations: Observations) -> tuple[Tensor, Tensor]:
        """Mean and ln σ² of the latents of [B, ...], both [B, D]. ln σ² is `CERTAIN` where the
        encoder is deterministic."""
        return self.posterior(self.read(observations))

    def decode(self, latents: Tensor) -> Tensor:
        """Of latents [B, D]: pictures [B, H', W', C] within [0, 1], or vectors [B, N] in the units
        of the observations."""
        return self.shown(self.reconstruction(latents))

    def target(self, observations: Observations) -> Tensor:
        """What `decode` is compared with, of the same shape."""
        return self.shown(self.read(observations))

    def errors(self, observations: Observations) -> Tensor:
        """Squared errors [B] of reconstructions of the means, summed over each observation, in the
        units that the network sees."""
        seen = self.read(observations)
        return summed_squares(self.reconstruction(self.posterior(seen)[0]) - seen)

    @abstractmethod
    def losses(self, observations: Observations, generator: torch.Generator) -> Losses:
        """Of a batch [B, ...]. Random numbers come from `generator`, on the encoder's device."""

    def loss(
        self, observations: Observations, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and its parts by name; see `losses`."""
        loss, parts, _ = self.losses(observations, generator)
        return loss, parts

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Latents [count, D] of the prior: N(0, 1) unless the encoder has another."""
        size = (count, self.representation_size)
        return torch.randn(size, generator=generator, device=self.device)

    def settle(self, generator: torch.Generator) -> None:
        """What follows an update of the weights, by the batch of the last `losses`."""


def summed_squares(differences: Tensor) -> Tensor:
    """[B] of [B, ...]."""
    return differences.square().flatten(1).sum(1)
