"""Actions of a box, as in `agents.search.sampling`, at one node."""

from __future__ import annotations

import math

from agents.search.kernels.compiling import inner
from agents.search.sampling import MEAN_BOUND, Sampling
from agents.search.trees import Floats


@inner
def draw(outputs: Floats, draws: Floats, k: int, sampling: Sampling, u: Floats) -> float:
    """Sample `k` of a node into `u` [D]; returns Σ z², z = c ε."""
    D, square = len(u), 0.0
    scale = sampling.broad_scale if k >= len(draws) - sampling.broad else 1.0
    for d in range(D):
        share = 1.0 / (1.0 + math.exp(-outputs[D + d]))
        std = sampling.low + (sampling.high - sampling.low) * share
        z = scale * draws[k, d]
        u[d] = MEAN_BOUND * math.tanh(outputs[d] / MEAN_BOUND) + std * z
        square += z * z
    return square


@inner
def log_priors(
    outputs: Floats, draws: Floats, sampling: Sampling, u: Floats, logits: Floats
) -> None:
    """Into `logits` [K]."""
    share = sampling.broad / len(draws)
    wide = share * sampling.broad_scale ** float(-len(u))
    narrower = 0.5 * (1.0 - 1.0 / (sampling.broad_scale * sampling.broad_scale))
    for k in range(len(draws)):
        logits[k] = 0.0
        if sampling.density:
            logits[k] = -0.5 * draw(outputs, draws, k, sampling, u)
            for d in range(len(u)):
                x = abs(u[d])
                logits[k] += 2.0 * (x + math.log1p(math.exp(-2.0 * x)))
        elif sampling.broad > 0:
            square = draw(outputs, draws, k, sampling, u)
            logits[k] = -math.log(1.0 - share + wide * math.exp(square * narrower))
