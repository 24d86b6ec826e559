"""What Q is learned of, and towards what.

C51 (Bellemare, Dabney & Munos 2017): what is worth z in n steps is worth R + γⁿ z now. The atoms of
the target network's distribution are moved there, and each one's probability is shared by the two
atoms around the place, by their nearness.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.muzero.replay import Batch
from agents.search.scalars import Support

Floats = NDArray[np.float32]


def taken(batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Actions [B, K + 1] whose Q have targets, and where they do.

    They are those that were done, where at least one reward is known. Beyond a termination, where
    all are worth 0, it is one after the other, by the place.
    """
    targets = batch.targets
    done = targets.policy_mask > 0
    over = (targets.rows < 0) & (targets.value_mask > 0)
    states, A = batch.policies.shape[1:]
    others = (batch.starts[:, None] + np.arange(states)) % A
    actions = np.where(done, batch.policies.argmax(axis=2), others)
    return actions, (done & (targets.bootstraps != targets.rows)) | over


def project(sums: Floats, factors: Floats, probabilities: Floats, support: Support) -> Floats:
    """Distributions [N, bins] of R + γⁿ z over the atoms z of a support.

    Args:
        sums, factors: [N] R and γⁿ, negative where z is the other player's.
        probabilities: [N, bins] of z.
    """
    projected = np.zeros_like(probabilities)
    _project(sums, factors, probabilities, support.atoms, projected)
    return projected


@njit(cache=True, error_model="numpy")
def _project(
    sums: Floats, factors: Floats, p: Floats, atoms: NDArray[np.float64], out: Floats
) -> None:
    bins = len(atoms)
    low, high = atoms[0], atoms[-1]
    step = (high - low) / (bins - 1)
    for i in range(len(sums)):
        for j in range(bins):
            z = min(max(sums[i] + factors[i] * atoms[j], low), high)
            place = (z - low) / step
            below = min(int(place), bins - 2)
            share = place - below
            out[i, below] += p[i, j] * (1 - share)
            out[i, below + 1] += p[i, j] * share
