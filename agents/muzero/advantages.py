"""What is learned of acting where no search advises: what was done, the more the better it went.

Advantage-weighted regression (Peng et al. 2019): the policy that is best within a distance from the
one that acted, μ, is ∝ μ exp(A / τ), so actions are drawn from the replay, and each is learned with
that weight. No gradient of an expected return, and no correction for old data, is asked for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: What an action counts at most.
MOST = 20.0


def weights(values: Floats, baselines: Floats, mask: Floats, temperature: float) -> Floats:
    """exp(A / τ), A = z - v in its standard deviations; at most `MOST`.

    Args:
        values, baselines, mask: [B, K + 1] z, v, and 1 where something was done.
        temperature: τ.
    """
    advantages = values - baselines
    there = advantages[mask > 0]
    scale = temperature * max(float(there.std()) if len(there) else 0.0, 1e-6)
    found: Floats = np.exp(np.minimum(advantages / scale, np.log(MOST))).astype(np.float32)
    return found
