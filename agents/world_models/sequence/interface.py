"""What a sequence model is: from latents and actions so far to the next latent, reward and end.

A controller acts on (z_t, h_t); then h_{t+1} = M([z_t; a_t], h_t), and h_0 is the initial state.
What M says with h_{t+1} is about z_{t+1}, r_t and whether the episode ends there.

Actions are float vectors in all of this: `agents.encoders.actions.ActionCode` makes them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]
"""What a model remembers: tensors [B, ...]; `t[rows]` of each is the state of those rows."""


class Prediction(NamedTuple):
    """Of z_{t+1}, r_t and the end of the episode at t + 1, for any leading shape [...].

    Attributes:
        latent: parameters of the latent's distribution; their shape is the output's affair.
        base: [..., D] z_t where changes are predicted, or 0.
        reward: [...] mean reward; None: the model has no such head.
        end: [...] logit of an end; None: the model has no such head.
    """

    latent: Tensor
    base: Tensor
    reward: Tensor | None
    end: Tensor | None


class LatentSlices(NamedTuple):
    """Windows of L steps of encoded rollouts, [B, ...]; float32 but for the last two.

    Attributes:
        means: [B, L + 1, D] of the latents' distributions.
        log_variances: [B, L + 1, D].
        actions: [B, L, A] coded.
        rewards: [B, L].
        terminated: [B, L] bool; a truncated step is not terminated.
        mask: [B, L] bool, False at steps after the end of a rollout.
        rollouts: [B] int64, which rollout of the table each window is of.
        starts: [B] int64, the step at which it begins there.
    """

    means: Tensor
    log_variances: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    mask: Tensor
    rollouts: Tensor
    starts: Tensor


class Noise(NamedTuple):
    """What a sample of a prediction is made of.

    Attributes:
        component: [..., D] uniform in [0, 1), chooses among components or bins.
        normal: [..., D] standard normal.
        end: [...] uniform in [0, 1), compared with the probability of an end.
    """

    component: Tensor
    normal: Tensor
    end: Tensor


class Sample(NamedTuple):
    """latent [..., D]; reward [...], 0 without such a head; end [...] bool, False without one."""

    latent: Tensor
    reward: Tensor
    end: Tensor


def draw_noise(shape: tuple[int, ...], latent_size: int, generator: torch.Generator) -> Noise:
    """Noise for predictions of that leading shape, on the generator's device."""
    device = generator.device
    many = (*shape, latent_size)
    return Noise(
        torch.rand(many, generator=generator, device=device),
        torch.randn(many, generator=generator, device=device),
        torch.rand(shape, generator=generator, device=device),
    )


class SequenceModel(nn.Module, ABC):
    """See the module's text.

    Attributes:
        latent_size: D.
        action_size: A, of coded actions.
        feature_size: F, of what a controller sees beside z; 0: nothing.
        predicts: False of the memory that is constant 0, which cannot be trained or dreamt in.
    """

    latent_size: int
    action_size: int
    feature_size: int
    predicts: bool = True

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """h_0 for B rollouts that begin."""

    @abstractmethod
    def features(self, state: State) -> Tensor:
        """[B, F] what a controller sees of a state; 0 in the initial one."""

    @abstractmethod
    def step(self, state: State, latent: Tensor, action: Tensor) -> tuple[State, Prediction]:
        """Takes in (z_t [B, D], a_t [B, A]). The state given stays as it was."""

    @abstractmethod
    def unroll(
        self,
        latents: Tensor,
        actions: Tensor,
        *,
        rollouts: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Prediction:
        """What `step` says along L steps from the initial state on, in one pass: [B, L, ...].

        Args:
            latents: [B, L, D]
            actions: [B, L, A]
            rollouts: [B] where the windows are of the table that the model was prepared with:
                what is retrieved is then not of the same rollout.
            generator: of dropout, in training; None: there is none.
        """

    @abstractmethod
    def expected(self, prediction: Prediction) -> Tensor:
        """[..., D] the mean of the predicted latent."""

    @abstractmethod
    def sample_with(self, prediction: Prediction, temperature: float, noise: Noise) -> Sample:
        """A sample made of this noise: mixture logits / temperature, normals * sqrt(temperature)
        (Ha and Schmidhuber 2018). Temperature 0 is the likeliest component's mean."""

    def sample(
        self, prediction: Prediction, temperature: float, generator: torch.Generator
    ) -> Sample:
        """A sample of z_{t+1}, r_t and the end."""
        noise = draw_noise(prediction.base.shape[:-1], self.latent_size, generator)
        return self.sample_with(prediction, temperature, noise)

    @abstractmethod
    def loss(
        self, slices: LatentSlices, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Teacher-forced, over the steps of the mask; latents are drawn from their distributions
        with the generator.

        Returns:
            The loss, and its parts by name, detached: `latent` is per dimension and step.
        """

    @abstractmethod
    def export(self) -> Any:
        """A `agents.world_models.sequence.memory.Memory` with the present weights: numpy only,
        can be sent to another process."""
