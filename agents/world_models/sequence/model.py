"""The sequence models that learn: a core that remembers, an output, and heads beside it."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.world_models.sequence.infilling import Filled, Infilling
from agents.world_models.sequence.interface import (
    LatentSlices,
    Noise,
    Prediction,
    Sample,
    SequenceModel,
    State,
)
from agents.world_models.sequence.lstm import LstmCore
from agents.world_models.sequence.outputs import Output, build_output
from agents.world_models.sequence.retrieval import Retrieval
from agents.world_models.sequence.settings import SequenceSettings
from agents.world_models.sequence.table import LatentTable
from agents.world_models.sequence.transformer import TransformerCore

_VALUES_TO_FIT = 100_000
_LEAST_DEVIATION = 1e-6


class LearnedModel(SequenceModel):
    """See the module's text. The core reads [x; a], then what was retrieved, then infilling's flag,
    where x is z in units of the training data if latents are normalised.

    Attributes:
        shift, scale: [D] of z = shift + scale * x.
        said_shift, said_scale: [D] of z_{t+1} = base + said_shift + said_scale * y, where y is what
            the output is about, and base z_t or 0.
        reward_mean, reward_scale: of the training data; the head says rewards in these units.
    """

    shift: Tensor
    scale: Tensor
    said_shift: Tensor
    said_scale: Tensor
    reward_mean: Tensor
    reward_scale: Tensor

    def __init__(
        self,
        settings: SequenceSettings,
        latent_size: int,
        action_size: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.settings, self.latent_size, self.action_size = settings, latent_size, action_size
        retrieves, infills = settings.sequence_retrieval > 0, settings.sequence_infilling_weight > 0
        inputs = latent_size + action_size + (latent_size if retrieves else 0) + int(infills)
        hidden = settings.sequence_hidden
        self.core: LstmCore | TransformerCore
        if settings.sequence_model == "lstm":
            seen = settings.sequence_features == "hidden_and_cell"
            self.core = LstmCore(inputs, hidden, cell_is_seen=seen)
        else:
            self.core = TransformerCore(
                inputs,
                hidden,
                layers=settings.sequence_layers,
                heads=settings.sequence_heads,
                expansion=settings.sequence_expansion,
                context=settings.context,
                dropout=settings.sequence_dropout,
                both_sides=infills,
            )
        self.feature_size = self.core.feature_size
        self.output = self._output()
        self.reward_head = nn.Linear(hidden, 1) if settings.sequence_reward else None
        self.end_head = nn.Linear(hidden, 1) if settings.sequence_end else None
        self.retrieval: Retrieval | None = None
        if retrieves:
            self.retrieval = Retrieval(
                latent_size,
                action_size,
                window=settings.sequence_retrieval_window,
                neighbours=settings.sequence_retrieval,
                key_size=settings.sequence_retrieval_key,
                temperature=settings.sequence_retrieval_temperature,
                size=settings.sequence_retrieval_size,
                generator=generator,
            )
        self.infilling: Infilling | None = None
        if infills:
            span, share = settings.sequence_infilling_span, settings.sequence_infilling_share
            self.infilling = Infilling(self._output(), span, share)
        for name in ("shift", "said_shift"):
            self.register_buffer(name, torch.zeros(latent_size))
        for name in ("scale", "said_scale"):
            self.register_buffer(name, torch.ones(latent_size))
        self.register_buffer("reward_mean", torch.zeros(()))
        self.register_buffer("reward_scale", torch.ones(()))

    def _output(self) -> Output:
        settings = self.settings
        return build_output(
            settings.sequence_output,
            settings.sequence_hidden,
            self.latent_size,
            mixtures=settings.sequence_mixtures,
            bins=settings.sequence_bins,
        )

    @torch.no_grad()
    def prepare(self, table: LatentTable, rng: np.random.Generator) -> None:
        """Takes units, bins and past experience from the training data, before training, on the
        processor."""
        settings = self.settings
        mean, deviation = table.reward_moments()
        self.reward_mean.fill_(mean)
        self.reward_scale.fill_(deviation)
        drawn, difference = settings.sequence_sample_latents, settings.sequence_difference
        latents = table.latents(rng, _VALUES_TO_FIT, sampled=drawn)
        said = table.changes(rng, _VALUES_TO_FIT, sampled=drawn) if difference else latents
        if settings.sequence_normalize:
            shift, scale = (torch.from_numpy(moment) for moment in table.moments())
            self.shift.copy_(shift)
            self.scale.copy_(scale)
            spread = torch.from_numpy(said.std(0))
            spread[spread < _LEAST_DEVIATION] = 1.0
            self.said_shift.copy_(torch.zeros_like(shift) if difference else shift)
            self.said_scale.copy_(spread if difference else scale)
        if settings.sequence_output == "discrete":
            self.output.fit((said - self.said_shift.numpy()) / self.said_scale.numpy())
            if self.infilling is not None:
                self.infilling.output.fit((latents - self.shift.numpy()) / self.scale.numpy())
        if self.retrieval is not None:
            self.retrieval.fill(table, rng)

    # -- one step

    def initial_state(self, batch: int) -> State:
        state = self.core.initial_state(batch)
        if self.retrieval is not None:
            steps, numbers = self.retrieval.window - 1, self.latent_size + self.action_size
            state = (*state, self.shift.new_zeros(batch, steps, numbers))
        return state

    def features(self, state: State) -> Tensor:
        return self.core.features(state if self.retrieval is None else state[:-1])

    def step(self, state: State, latent: Tensor, action: Tensor) -> tuple[State, Prediction]:
        x = (latent - self.shift) / self.scale
        columns = [x, action]
        recent: State = ()
        if self.retrieval is not None:
            moment = self.retrieval.moment(latent, action).unsqueeze(1)
            window = torch.cat((state[-1], moment), 1)
            columns.append(self.retrieval.find(self.retrieval.key(window)))
            state, recent = state[:-1], (window[:, 1:],)
        if self.infilling is not None:
            columns.append(x.new_zeros(len(x), 1))
        state, hidden = self.core.step(state, torch.cat(columns, -1))
        return (*state, *recent), self._prediction(hidden, latent)

    # -- many steps

    def unroll(
        self,
        latents: Tensor,
        actions: Tensor,
        *,
        rollouts: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Prediction:
        columns = self._columns(latents, actions, rollouts)
        if self.infilling is not None:
            columns.append(torch.zeros_like(latents[..., :1]))
        hidden = self.core(torch.cat(columns, -1), generator=generator)
        return self._prediction(hidden, latents)

    def _columns(self, latents: Tensor, actions: Tensor, rollouts: Tensor | None) -> list[Tensor]:
        columns = [(latents - self.shift) / self.scale, actions]
        if self.retrieval is not None:
            keys = self.retrieval.keys_along(self.retrieval.moment(latents, actions))
            owners = None if rollouts is None else rollouts.repeat_interleave(keys.shape[1])
            columns.append(self.retrieval.find(keys.flatten(0, 1), owners).view_as(latents))
        return columns

    def _prediction(self, hidden: Tensor, latents: Tensor) -> Prediction:
        base = latents if self.settings.sequence_difference else torch.zeros_like(latents)
        reward = end = None
        if self.reward_head is not None:
            reward = self.reward_mean + self.reward_scale * self.reward_head(hidden).squeeze(-1)
        if self.end_head is not None:
            end = self.end_head(hidden).squeeze(-1)
        return Prediction(self.output(hidden), base, reward, end)

    # -- what predictions mean

    def expected(self, prediction: Prediction) -> Tensor:
        y = self.output.mean(prediction.latent)
        return prediction.base + self.said_shift + self.said_scale * y

    def sample_with(self, prediction: Prediction, temperature: float, noise: Noise) -> Sample:
        y = self.output.sample(prediction.latent, temperature, noise)
        reward, end = prediction.reward, prediction.end
        return Sample(
            prediction.base + self.said_shift + self.said_scale * y,
            y.new_zeros(y.shape[:-1]) if reward is None else reward,
            torch.zeros(y.shape[:-1], dtype=torch.bool, device=y.device)
            if end is None
            else noise.end < torch.sigmoid(end),
        )

    def nll(self, prediction: Prediction, latents: Tensor) -> Tensor:
        """[..., D] of z_{t+1}, in nats and the units of z for a mixture, squared errors in these
        units for a deterministic output, nats of bins for a discrete one."""
        each = self.output.nll(prediction.latent, self._target(prediction, latents))
        if self.output.kind == "mixture":
            return each + self.said_scale.log()
        return each * self.said_scale.square() if self.output.kind == "deterministic" else each

    def _target(self, prediction: Prediction, latents: Tensor) -> Tensor:
        return (latents - prediction.base - self.said_shift) / self.said_scale

    # -- learning

    def draw(self, slices: LatentSlices, generator: torch.Generator) -> Tensor:
        """[B, L + 1, D] latents from their distributions, or means if the settings say so."""
        if not self.settings.sequence_sample_latents:
            return slices.means
        shape, device = slices.means.shape, slices.means.device
        noise = torch.randn(shape, generator=generator, device=device)
        return torch.addcmul(slices.means, noise, torch.exp(0.5 * slices.log_variances))

    def loss(
        self, slices: LatentSlices, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return self.loss_along(slices, self.draw(slices, generator), generator)

    def loss_along(
        self, slices: LatentSlices, latents: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """`loss` for latents [B, L + 1, D] that were drawn."""
        prediction = self.unroll(
            latents[:, :-1], slices.actions, rollouts=slices.rollouts, generator=generator
        )
        steps = slices.mask.sum().clamp(min=1)

        def mean(each: Tensor) -> Tensor:
            return torch.where(slices.mask, each, 0.0).sum() / steps

        target = self._target(prediction, latents[:, 1:])
        loss = mean(self.output.nll(prediction.latent, target).mean(-1))
        parts = {"latent": loss.detach()}
        settings = self.settings
        if prediction.reward is not None:
            error = mean(((prediction.reward - slices.rewards) / self.reward_scale).square())
            loss = loss + settings.sequence_reward_weight * error
            parts["reward"] = error.detach()
        if prediction.end is not None:
            ended = slices.terminated.to(prediction.end)
            weight = self.shift.new_tensor(settings.sequence_end_positives)
            entropy = mean(
                functional.binary_cross_entropy_with_logits(
                    prediction.end, ended, pos_weight=weight, reduction="none"
                )
            )
            loss = loss + settings.sequence_end_weight * entropy
            parts["end"] = entropy.detach()
        return loss, parts

    def fill(self, slices: LatentSlices, latents: Tensor, generator: torch.Generator) -> Filled:
        """Spans of these windows hidden and filled in, in units of x."""
        assert self.infilling is not None
        assert isinstance(self.core, TransformerCore)
        before = latents[:, :-1]
        # what was retrieved follows from the latents themselves, and would give them away
        x, actions = (before - self.shift) / self.scale, slices.actions
        columns = [actions] if self.retrieval is None else [actions, torch.zeros_like(x)]
        return self.infilling.fill(self.core, torch.cat(columns, -1), x, slices.mask, generator)

    def parameter_count(self) -> int:
        """Numbers that training changes."""
        return sum(math.prod(p.shape) for p in self.parameters() if p.requires_grad)

    def export(self) -> Any:
        from agents.world_models.sequence.exporting import memory_of

        return memory_of(self)


class NullModel(SequenceModel):
    """Remembers nothing: features [B, 0]. A controller on it sees the latent alone."""

    predicts = False
    feature_size = 0

    def __init__(self, settings: SequenceSettings, latent_size: int, action_size: int) -> None:
        super().__init__()
        self.settings, self.latent_size, self.action_size = settings, latent_size, action_size

    def initial_state(self, batch: int) -> State:
        return (torch.zeros(batch, 0),)

    def features(self, state: State) -> Tensor:
        return state[0]

    def step(self, state: State, latent: Tensor, action: Tensor) -> tuple[State, Prediction]:
        _refuse()

    def unroll(
        self,
        latents: Tensor,
        actions: Tensor,
        *,
        rollouts: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Prediction:
        _refuse()

    def expected(self, prediction: Prediction) -> Tensor:
        _refuse()

    def sample_with(self, prediction: Prediction, temperature: float, noise: Noise) -> Sample:
        _refuse()

    def loss(
        self, slices: LatentSlices, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        _refuse()

    def export(self) -> Any:
        from agents.world_models.sequence.memory import NullMemory

        return NullMemory()


def _refuse() -> NoReturn:
    raise ValueError("sequence_model null predicts nothing")
