"""Controllers in the dream: returns of many at once, each candidate with the same luck."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from agents.world_models.controller.controllers import Controllers
from agents.world_models.dream import Dream

#: Steps between two looks at whether to stop.
_LOOK_UP = 32


class Starts:
    """First latents of real rollouts, by mean and ln σ², [N, D] each: where dreams begin."""

    def __init__(self, means: NDArray[np.float32], log_variances: NDArray[np.float32]) -> None:
        self._means, self._deviations = means, np.exp(0.5 * log_variances)

    def of(self, seeds: NDArray[np.int64]) -> NDArray[np.float32]:
        """[E, D]: each seed always has the same one."""
        drawn = []
        for seed in seeds:
            rng = np.random.default_rng(int(seed))
            place = int(rng.integers(len(self._means)))
            noise = rng.standard_normal(self._means.shape[1], dtype=np.float32)
            drawn.append(self._means[place] + self._deviations[place] * noise)
        return np.stack(drawn).astype(np.float32)


def dream_returns(
    dream: Dream,
    controllers: Controllers,
    starts: Starts,
    weights: NDArray[np.float64],
    seeds: NDArray[np.int64],
    stop: Callable[[], bool],
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Returns and lengths [P, E] of P controllers [P, n] in E dreams each; None: `stop` said so."""
    candidates, episodes = len(weights), len(seeds)
    own = torch.from_numpy(weights.astype(np.float32)).to(dream.device)
    dream.reset(np.tile(starts.of(seeds), (candidates, 1)), np.tile(seeds, candidates))
    draws = np.random.default_rng([int(seed) for seed in seeds])
    totals = torch.zeros(candidates * episodes, dtype=torch.float64, device=dream.device)
    lengths = torch.zeros_like(totals, dtype=torch.int64)
    over = torch.zeros_like(totals, dtype=torch.bool)
    for step in range(dream.max_steps):
        if step % _LOOK_UP == 0 and (stop() or bool(over.all())):
            if bool(over.all()):
                break
            return None
        seen = controllers.see(dream.latents, dream.features)
        outputs = controllers.outputs(own, seen.view(candidates, episodes, -1))
        noise = controllers.gumbel(draws, episodes)
        codes = controllers.codes(outputs, None if noise is None else noise.to(dream.device))
        lengths += torch.logical_not(over)
        moved = dream.step(codes.reshape(candidates * episodes, -1))
        totals += moved.rewards
        over = moved.terminated
    shape = (candidates, episodes)
    return totals.cpu().numpy().reshape(shape), lengths.cpu().numpy().reshape(shape)
