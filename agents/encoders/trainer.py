"""Training an encoder on rollouts.

Update u learns from a batch that is drawn by random numbers of u alone, in another thread, so that
an interrupted training goes on with the batches that it would have had.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.base import AgentRefused
from agents.encoders.building import build_encoder
from agents.encoders.interface import ObservationEncoder
from agents.encoders.learning import EncoderLearner
from agents.encoders.loading import Loader
from agents.encoders.settings import EncoderSettings
from agents.encoders.training import Checkpoint, Progress, Saver, Series, Stop
from agents.rollouts.reading import Rollouts

#: Observations of held-out rollouts that the error is of.
HELD_OUT = 512
#: Observations that an encoder is told of before it learns.
_BEGINNING = 1000
_ERRORS_AT_ONCE = 128


class TrainedEncoder(NamedTuple):
    """An encoder, and how it came to be.

    Attributes:
        encoder: ready to encode, on the device of training.
        series: over training, a number every so many updates: "updates", the mean "loss" and its
            parts since the one before, and "held_out_error", the squared error summed over an
            observation, a mean over observations of rollouts held out.
        error: that error at the end.
        baseline: the same error of what knows only the mean of the training observations.
        provenance: what the clock said: "images_per_second", "images_per_cpu_second",
            "loader_wait_share"; since it was taken up last, where training was interrupted.
    """

    encoder: ObservationEncoder
    series: dict[str, list[float]]
    error: float
    baseline: float
    provenance: dict[str, float]


class _Seeds(NamedTuple):
    weights: int
    split: int
    batches: int
    noise: int


def train_encoder(
    settings: EncoderSettings,
    rollouts: Rollouts,
    *,
    rng: np.random.Generator,
    device: str = "cpu",
    progress: Progress,
    checkpoint: Checkpoint,
    stop: Stop,
) -> TrainedEncoder:
    """Trains an encoder, or goes on from what `checkpoint` has.

    Args:
        rng: four numbers are drawn from it, whether training begins or goes on.

    Raises:
        AgentRefused: the encoder cannot read these observations, or there is one rollout only.
        Diverged: a loss stopped being finite.
        TrainingStopped: `stop()` said so, and all is saved.
    """
    seeds = _Seeds(*(int(seed) for seed in rng.integers(2**63, size=len(_Seeds._fields))))
    saved = checkpoint.load()
    if saved is not None:
        seeds = _Seeds(*saved["seeds"])
    if len(rollouts) < 2:
        raise AgentRefused("an encoder needs two rollouts at least: its error is of one held out")
    share = max(settings.encoder_held_out, 1 / len(rollouts))
    train, held_out = rollouts.split(min(share, 1 - 1 / len(rollouts)), seeds.split)
    encoder = build_encoder(settings, rollouts.spec.observation_space, seeds.weights)
    encoder.to(device)
    batches = _Batches(settings, encoder, train, seeds.batches, device)
    beginning = batches.sample(train, _BEGINNING)
    looked_at = encoder.prepare(batches.sample(held_out, HELD_OUT))
    learner = EncoderLearner(settings, encoder, seeds.noise)
    series = Series()
    if saved is None:
        encoder.begin(beginning)
    else:
        learner.load_state_dict(saved["learner"])
        series = Series(saved["series"])

    def state() -> dict[str, Any]:
        return {"seeds": list(seeds), "learner": learner.state_dict(), "series": series.rows}

    saver = Saver(checkpoint, state, stop)
    clock = _Clock(settings, learner, progress)
    baseline = _baseline(encoder, beginning, looked_at)
    with Loader(batches, range(learner.updates, settings.encoder_updates)) as loader:
        while learner.updates < settings.encoder_updates:
            saver.between_updates()
            learner.update(loader.next())
            if _is_due(learner.updates, settings):
                means = learner.means()
                error = _error(encoder, looked_at)
                series.add({"updates": learner.updates, **means, "held_out_error": error})
                clock.tell(series.rows, baseline)
        provenance = clock.figures(loader.waited)
    encoder.eval()
    error = _error(encoder, looked_at)
    return TrainedEncoder(encoder, series.rows, error, baseline, provenance)


def _is_due(updates: int, settings: EncoderSettings) -> bool:
    every = settings.encoder_report_updates
    return updates % every == 0 or updates == settings.encoder_updates


class _Batches:
    """Batches by their numbers, as `ObservationEncoder.prepare` leaves them."""

    def __init__(
        self,
        settings: EncoderSettings,
        encoder: ObservationEncoder,
        rollouts: Rollouts,
        seed: int,
        device: str,
    ) -> None:
        self._settings, self._encoder, self._rollouts = settings, encoder, rollouts
        self._seed, self._pinned = seed, device.startswith("cuda")
        self._others = np.random.default_rng(seed)

    def __call__(self, number: int) -> Tensor:
        rng = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(number,)))
        sampled = self._rollouts.sample_observations(
            rng,
            self._settings.encoder_batch_size,
            per_rollout=self._settings.encoder_observations_per_rollout,
        )
        batch = self._encoder.prepare(sampled)
        return batch.pin_memory() if self._pinned else batch

    def sample(self, rollouts: Rollouts, count: int) -> Any:
        """`count` observations that are no batch."""
        per_rollout = self._settings.encoder_observations_per_rollout
        return rollouts.sample_observations(self._others, count, per_rollout=per_rollout)


def _error(encoder: ObservationEncoder, prepared: Tensor) -> float:
    """Mean squared error of prepared observations [B, ...]."""
    was_training = encoder.training
    encoder.eval()
    with torch.inference_mode():
        errors = [encoder.errors(part) for part in torch.split(prepared, _ERRORS_AT_ONCE)]
    encoder.train(was_training)
    return float(torch.cat(errors).mean())


def _baseline(encoder: ObservationEncoder, sample: Any, prepared: Tensor) -> float:
    with torch.inference_mode():
        mean = encoder.read(sample).mean(0)
        seen = encoder.read(prepared)
        return float((seen - mean).square().flatten(1).sum(1).mean())


class _Clock:
    """How fast training is, and lines that say so."""

    def __init__(
        self, settings: EncoderSettings, learner: EncoderLearner, progress: Progress
    ) -> None:
        self._settings, self._learner, self._progress = settings, learner, progress
        self._first = learner.updates
        self._begun, self._processor = time.perf_counter(), time.process_time()

    def _images(self) -> int:
        return (self._learner.updates - self._first) * self._settings.encoder_batch_size

    def tell(self, rows: dict[str, list[float]], baseline: float) -> None:
        rate = self._images() / (time.perf_counter() - self._begun)
        left = self._settings.encoder_updates - self._learner.updates
        seconds = left * self._settings.encoder_batch_size / rate
        codes = ""
        if "perplexity" in rows:
            used = rows["perplexity"][-1]
            codes = f", {used:.1f} of {self._settings.encoder_codes} codes as good as in use"
        self._progress(
            f"encoder: update {self._learner.updates:,} of {self._settings.encoder_updates:,}, "
            f"error {rows['held_out_error'][-1]:.4g} (of the mean {baseline:.4g}){codes}, "
            f"{rate:,.0f} observations/s, {seconds / 60:.1f} min left"
        )

    def figures(self, waited: float) -> dict[str, float]:
        seconds = time.perf_counter() - self._begun
        images = self._images()
        return {
            "images_per_second": images / seconds,
            "images_per_cpu_second": images / max(time.process_time() - self._processor, 1e-9),
            "loader_wait_share": waited / seconds,
        }
