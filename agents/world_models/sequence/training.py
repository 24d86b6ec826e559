"""Training a sequence model on encoded rollouts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from agents.base import Diverged
from agents.encoders.actions import ActionCode
from agents.encoders.training import Checkpoint, Progress, Saver, Series, Stop
from agents.rollouts.reading import Rollouts
from agents.rollouts.rollout import LatentRollout
from agents.world_models.sequence.building import build_for
from agents.world_models.sequence.evaluation import Evaluation, warnings
from agents.world_models.sequence.interface import SequenceModel
from agents.world_models.sequence.learner import Learner
from agents.world_models.sequence.model import LearnedModel
from agents.world_models.sequence.settings import SequenceSettings
from agents.world_models.sequence.table import LatentTable

_SECONDS_BETWEEN_LINES = 30.0
_MOST_SEED = 2**31


@dataclass
class TrainedSequence:
    """A model, and how training went.

    Attributes:
        model: on the device that it was trained on.
        metrics: of the last evaluation, see `evaluation.Evaluation.metrics`; none of a null model.
        series: these over training, by "update", the first before any; and means of losses on
            training data since the one before, by "training_update".
        warnings: what should not be trusted, in sentences.
        held_out: whether metrics are of rollouts that were held out; else of the training data,
            of which there was not enough to hold some out, or none was to be.
        frames_per_second: of training in this process; 0: nothing was left to do.
    """

    model: SequenceModel
    metrics: dict[str, float] = field(default_factory=dict)
    series: dict[str, list[float]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    held_out: bool = False
    frames_per_second: float = 0.0


def train_sequence_model(
    settings: SequenceSettings,
    latents: Rollouts,
    *,
    rng: np.random.Generator,
    device: str,
    progress: Progress,
    checkpoint: Checkpoint,
    stop: Stop,
) -> TrainedSequence:
    """A model trained on a folder of latent rollouts, some of which are held out for evaluation.

    Stopped or killed and called again with equal arguments, it goes on to the same bits.

    Raises:
        TrainingStopped: `stop()` said so; what is needed to go on has been saved.
        Diverged: the loss stopped being finite.
        BadShard: a rollout is damaged, and `latents` does not skip those.
    """
    code = ActionCode(latents.spec.action_space)
    seed = int(rng.integers(_MOST_SEED))
    if settings.sequence_model == "null":
        model = build_for(settings, latents.observation_shape[0], code.size, seed)
        return TrainedSequence(model.to(device))
    training, held_out = latents, None
    if 0 < round(settings.sequence_held_out * len(latents)) < len(latents):
        training, held_out = latents.split(settings.sequence_held_out, seed)
    return train_on_tables(
        settings,
        _table(training, code),
        None if held_out is None else _table(held_out, code),
        rng=rng,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
        stop=stop,
    )


def _table(latents: Rollouts, code: ActionCode) -> LatentTable:
    return LatentTable([r for r in latents if isinstance(r, LatentRollout)], code)


def train_on_tables(
    settings: SequenceSettings,
    training: LatentTable,
    held_out: LatentTable | None,
    *,
    rng: np.random.Generator,
    device: str,
    progress: Progress,
    checkpoint: Checkpoint,
    stop: Stop,
) -> TrainedSequence:
    """See `train_sequence_model`."""
    seed, judge_seed, evaluation_seed, chance = (int(n) for n in rng.integers(_MOST_SEED, size=4))
    model = build_for(settings, training.latent_size, training.action_size, seed)
    assert isinstance(model, LearnedModel)
    model.prepare(training, rng)
    model.to(device)
    loop = _Loop(
        settings,
        model,
        training,
        Evaluation(
            training if held_out is None else held_out,
            settings.sequence_length,
            evaluation_seed,
            device,
            in_training_data=held_out is None,
        ),
        Learner(model, settings, torch.Generator(device).manual_seed(chance), judge_seed),
        rng,
        device,
    )
    saved = checkpoint.load()
    if saved is not None:
        loop.load_state_dict(saved)
    loop.run(progress, Saver(checkpoint, loop.state_dict, stop))
    checkpoint.save(loop.state_dict())
    trained = loop.trained()
    trained.held_out = held_out is not None
    for sentence in trained.warnings:
        progress(f"sequence model: {sentence}")
    return trained


class _Loop:
    """Updates and evaluations, up to any border between two updates."""

    def __init__(
        self,
        settings: SequenceSettings,
        model: LearnedModel,
        table: LatentTable,
        evaluation: Evaluation,
        learner: Learner,
        rng: np.random.Generator,
        device: str,
    ) -> None:
        self._settings, self._model, self._table = settings, model, table
        self._evaluation, self._learner, self._rng = evaluation, learner, rng
        self._device = device
        self._updates = 0
        self._series, self._losses = Series(), Series()
        # of losses, since the last evaluation
        self._sums: dict[str, torch.Tensor] = {}
        self._rate = 0.0

    def run(self, progress: Progress, saver: Saver) -> None:
        settings, table = self._settings, self._table
        began = said = time.monotonic()
        before, total = self._updates, settings.sequence_updates
        if not self._series.rows:
            self._evaluate(progress)
        while self._updates < total:
            saver.between_updates()
            slices = table.draw(
                self._rng, settings.sequence_batch_size, settings.sequence_length, self._device
            )
            parts = self._learner.update(slices, self._updates / total)
            self._updates += 1
            for name, value in parts.items():
                self._sums[name] = self._sums[name] + value if name in self._sums else value
            due = self._updates % settings.sequence_evaluate_every == 0
            now = time.monotonic()
            if due or self._updates == total:
                self._evaluate(progress)
            elif now - said > _SECONDS_BETWEEN_LINES:
                self._check(float(parts["loss"]))
                rate = (self._updates - before) / (now - began)
                left = (total - self._updates) / rate
                progress(
                    f"sequence model: update {self._updates:,} of {total:,}, "
                    f"loss {float(parts['loss']):.4f}, {left:,.0f} s left"
                )
            else:
                continue
            said = time.monotonic()
        if self._updates > before:
            frames = settings.sequence_batch_size * settings.sequence_length
            self._rate = (self._updates - before) * frames / (time.monotonic() - began)

    def _check(self, loss: float) -> None:
        if not np.isfinite(loss):
            raise Diverged(f"the sequence model's loss is {loss} after {self._updates} updates")

    def _evaluate(self, progress: Progress) -> None:
        """A row of the series: where it stands, and losses since the row before."""
        every = self._settings.sequence_evaluate_every
        count = (self._updates - 1) % every + 1 if self._updates else 1
        losses = {f"training_{name}": float(v) / count for name, v in self._sums.items()}
        if losses:
            self._check(losses["training_loss"])
            self._losses.add({"training_update": self._updates, **losses})
        metrics = self._evaluation.metrics(self._model)
        self._sums = {}
        self._series.add({"update": self._updates, **metrics})
        progress(
            f"sequence model: update {self._updates:,} of {self._settings.sequence_updates:,}, "
            f"nll {metrics['nll']:.4f}, one step {metrics['one_step']:.4g} "
            f"(latest latent {metrics['copy_last']:.4g}), "
            f"actions shuffled +{metrics['nll_shuffled'] - metrics['nll']:.4f}"
        )

    def trained(self) -> TrainedSequence:
        metrics = {name: rows[-1] for name, rows in self._series.rows.items() if name != "update"}
        return TrainedSequence(
            self._model,
            metrics,
            {**self._series.rows, **self._losses.rows},
            warnings(metrics) if self._updates else [],
            frames_per_second=self._rate,
        )

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "updates": self._updates,
            "learner": self._learner.state_dict(),
            "rng": self._rng.bit_generator.state,
            "series": self._series.rows,
            "losses": self._losses.rows,
            "sums": self._sums,
        }
        kept: dict[str, Any] = _kept(state)
        return kept

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._updates = state["updates"]
        self._learner.load_state_dict(state["learner"])
        self._rng.bit_generator.state = state["rng"]
        self._series, self._losses = Series(state["series"]), Series(state["losses"])
        self._sums = {name: v.to(self._device) for name, v in state["sums"].items()}


def _kept(state: Any) -> Any:
    """A copy on the processor, which does not change with what goes on."""
    if isinstance(state, torch.Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {name: _kept(value) for name, value in state.items()}
    if isinstance(state, list):
        return [_kept(value) for value in state]
    return state
