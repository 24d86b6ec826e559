"""How good a sequence model is, on windows that it was not trained on.

Low losses alone prove little: a prediction is set beside "the latent stays as it is", and beside
the same model told the wrong actions. If wrong actions do no harm, actions and observations do not
belong together, or do not matter.

All errors are squared, means over dimensions, in the units of z. Nothing here changes the model,
and the same windows and noise are used each time.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from agents.world_models.sequence.interface import LatentSlices
from agents.world_models.sequence.model import LearnedModel
from agents.world_models.sequence.table import LatentTable

_WINDOWS = 64
_FURTHEST = 64
#: Standard errors by which wrong actions must do harm.
_CLEARLY = 2.0


class Evaluation:
    """Windows of a table, drawn once.

    Args:
        in_training_data: the table is the one that the model was prepared with.
    """

    def __init__(
        self,
        table: LatentTable,
        length: int,
        seed: int,
        device: str,
        *,
        in_training_data: bool,
    ) -> None:
        self._slices = table.draw(np.random.default_rng(seed), _WINDOWS, length, device)
        self._seed, self._device = seed, device
        self._rollouts = self._slices.rollouts if in_training_data else None

    @torch.no_grad()
    def metrics(self, model: LearnedModel) -> dict[str, float]:
        """Scalars by name; the same names each time.

        nll, nll_shuffled, nll_shifted: of z_{t+1}, for each dimension, with actions as they are,
            of other windows, and of a step later. The last says little where actions change
            slowly.
        shuffled_hurts, shifted_hurts: the difference, in its standard errors over windows.
        one_step, copy_last: error of the mean prediction, and of z_t, on latents as they are drawn;
            what the encoder is unsure of is part of both.
        one_step_of_means, copy_last_of_means: the same on means of latents.
        open_loop_h, open_loop_shuffled_h, held_h: error h steps after the last real latent, feeding
            mean predictions back, with actions as they are and of other windows from there on;
            and of that latent; on means.
        open_loop_hurts: the difference at the furthest, in its standard errors over windows.
        reward_error: share of the variance of rewards that is left.
        end_entropy: of ends; end_at_ends, end_elsewhere: mean probability that is given to them.
        """
        slices, mask = self._slices, self._slices.mask
        generator = torch.Generator(self._device).manual_seed(self._seed)
        latents = model.draw(slices, generator)
        prediction = model.unroll(latents[:, :-1], slices.actions, rollouts=self._rollouts)
        values: dict[str, Tensor] = {}
        nll = _by_window(model.nll(prediction, latents[:, 1:]).mean(-1), mask)
        values["nll"] = nll.mean()
        wrong = {
            "shuffled": slices.actions.roll(1, 0),
            "shifted": slices.actions.roll(-1, 1),
        }
        for name, actions in wrong.items():
            told = model.unroll(latents[:, :-1], actions, rollouts=self._rollouts)
            harmed = _by_window(model.nll(told, latents[:, 1:]).mean(-1), mask)
            values[f"nll_{name}"] = harmed.mean()
            values[f"{name}_hurts"] = _in_errors(harmed - nll, mask.any(1))
        values |= self._one_step(model, latents, "")
        values |= self._one_step(model, slices.means, "_of_means")
        values |= self._open_loop(model)
        if prediction.reward is not None:
            off = (prediction.reward - slices.rewards) / model.reward_scale
            values["reward_error"] = _mean(off.square(), mask)
        if prediction.end is not None:
            values |= _ends(prediction.end, slices)
        names = list(values)
        return dict(zip(names, torch.stack(list(values.values())).tolist(), strict=True))

    def _one_step(self, model: LearnedModel, latents: Tensor, suffix: str) -> dict[str, Tensor]:
        before, after, mask = latents[:, :-1], latents[:, 1:], self._slices.mask
        said = model.unroll(before, self._slices.actions, rollouts=self._rollouts)
        error = (model.expected(said) - after).square().mean(-1)
        return {
            f"one_step{suffix}": _mean(error, mask),
            f"copy_last{suffix}": _mean((before - after).square().mean(-1), mask),
        }

    def _open_loop(self, model: LearnedModel) -> dict[str, Tensor]:
        """Half a window is heard, then the model goes on alone: with the actions that were done,
        and beside that with those of other windows."""
        slices = self._slices
        windows, length = slices.mask.shape
        heard = length // 2
        furthest = min(length - heard, _FURTHEST)
        horizons = [2**i for i in range(furthest.bit_length())]
        state = model.initial_state(2 * windows)
        values: dict[str, Tensor] = {}
        for step in range(heard + horizons[-1]):
            actions = slices.actions[:, step]
            if step <= heard:
                held = slices.means[:, step]
                latent = torch.cat((held, held))
            others = actions if step < heard else actions.roll(1, 0)
            state, said = model.step(state, latent, torch.cat((actions, others)))
            latent = model.expected(said)
            ahead = step - heard + 1
            if ahead in horizons:
                truth, there = slices.means[:, step + 1], slices.mask[:, step]
                alone, misled = ((part - truth).square().mean(-1) for part in latent.chunk(2))
                values[f"open_loop_{ahead}"] = _mean(alone, there)
                values[f"open_loop_shuffled_{ahead}"] = _mean(misled, there)
                values[f"held_{ahead}"] = _mean((held - truth).square().mean(-1), there)
        values["open_loop_hurts"] = _in_errors(misled - alone, there)
        return values


def warnings(metrics: dict[str, float]) -> list[str]:
    """Sentences on what should not be trusted."""
    found = []
    # what actions do may show in the long run only
    harm = max(metrics["shuffled_hurts"], metrics["open_loop_hurts"])
    if harm < _CLEARLY:
        found.append(
            f"Actions of other windows do no harm to predictions ({harm:.1f} standard errors): "
            "actions may not belong to their observations, or not matter to latents."
        )
    if metrics["one_step"] > metrics["copy_last"]:
        found.append(
            f"Predictions are worse than the latest latent: an error of {metrics['one_step']:.3g}, "
            f"not {metrics['copy_last']:.3g}."
        )
    return found


def _mean(each: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, each, 0.0).sum() / mask.sum().clamp(min=1)


def _in_errors(differences: Tensor, there: Tensor) -> Tensor:
    """The mean of differences [B], in standard errors of it; 0 where there are none."""
    count = there.sum().clamp(min=1)
    mean = _mean(differences, there)
    variance = _mean((differences - mean).square(), there)
    return mean / (variance / count).sqrt().clamp(min=1e-9)


def _by_window(each: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, each, 0.0).sum(1) / mask.sum(1)


def _ends(logits: Tensor, slices: LatentSlices) -> dict[str, Tensor]:
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, slices.terminated.to(logits), reduction="none"
    )
    values = {"end_entropy": _mean(entropy, slices.mask)}
    if bool(slices.terminated.any()):
        probabilities = torch.sigmoid(logits)
        values["end_at_ends"] = _mean(probabilities, slices.terminated)
        elsewhere = slices.mask & torch.logical_not(slices.terminated)
        values["end_elsewhere"] = _mean(probabilities, elsewhere)
    return values
