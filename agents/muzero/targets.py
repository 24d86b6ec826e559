"""What a network is trained towards, from a ring of rows.

A row is a step: what was seen, what was done, the reward, how it ended, and what the search said.
An episode that was cut short has one row more, of its last observation, where nothing was done.
The value target of row t looks n steps ahead:

    z_t = Σ_{i<n} γⁱ r_{t+i} + γⁿ v_{t+n}

It ends without v at a termination, and with v of what was seen last where an episode was cut, or
where the ring knows no further. Between two players who move in turns γ counts negative: r is paid
to the one who moves, v is worth something to the one to move.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

#: What a row is: a step; one that ended the episode; one that it was cut after; what was seen then.
STEP, TERMINAL, CUT, LAST = range(4)

Floats = NDArray[np.float32]


class Targets(NamedTuple):
    """For B sequences of K + 1 states in a row, of which K by the model.

    Beyond a termination rewards and values are 0 and there is no policy; beyond what the ring knows
    there are no targets at all.

    Attributes:
        rows: [B, K + 1] where in the ring the states were seen; -1 where they were not.
        sums: [B, K + 1] Σ γⁱ r of each state's value.
        bootstraps: [B, K + 1] the row of v; -1: none.
        factors: [B, K + 1] what v counts, γⁿ; 0 where there is none.
        rewards: [B, K + 1] of the step that led to the state; the first one's is 0.
        value_mask, reward_mask, policy_mask: [B, K + 1] 1 where there is such a target, else 0.
    """

    rows: NDArray[np.int64]
    sums: Floats
    bootstraps: NDArray[np.int64]
    factors: Floats
    rewards: Floats
    value_mask: Floats
    reward_mask: Floats
    policy_mask: Floats

    @classmethod
    def empty(cls, batch: int, unroll: int) -> Targets:
        """Room for them."""
        shape = (batch, unroll + 1)
        floats = [np.zeros(shape, np.float32) for _ in range(6)]
        rows, bootstraps = np.zeros((2, *shape), np.int64)
        return cls(rows, floats[0], bootstraps, *floats[1:])


@njit(cache=True, error_model="numpy")
def find_targets(
    kinds: NDArray[np.uint8],
    rewards: Floats,
    written: NDArray[np.int64],
    starts: NDArray[np.int64],
    horizons: NDArray[np.int64],
    discount: float,
    out: Targets,
) -> None:
    """Writes the targets of sequences into `out`.

    Args:
        kinds, rewards: [E, T] the ring: row i of an environment is at i mod T.
        written: [E] how many rows each environment has written since the beginning.
        starts: [B] where sequences begin, places e T + t of rows other than `LAST`.
        horizons: [B] n.
        discount: γ, negative between two players.
    """
    T = kinds.shape[1]
    states = out.rows.shape[1]
    for b in range(len(starts)):
        e, slot = starts[b] // T, starts[b] % T
        newest = written[e] - 1
        # the row's number since the beginning: the last one that lies at this place
        i = newest - (newest - slot) % T
        ended, cut = False, False
        for k in range(states):
            out.sums[b, k] = out.factors[b, k] = out.rewards[b, k] = 0.0
            out.rows[b, k] = out.bootstraps[b, k] = -1
            out.policy_mask[b, k] = 0.0
            out.reward_mask[b, k] = 0.0
            if k > 0:
                if ended:
                    out.reward_mask[b, k] = 1.0
                elif not cut and i + k - 1 <= newest:
                    before = (i + k - 1) % T
                    out.rewards[b, k] = rewards[e, before]
                    # what was seen last was left by no step
                    cut = kinds[e, before] == LAST
                    out.reward_mask[b, k] = 0.0 if cut else 1.0
                    ended = kinds[e, before] == TERMINAL
            known = i + k <= newest and not (ended or cut)
            out.value_mask[b, k] = 1.0 if known or ended else 0.0
            if not known:
                continue
            out.rows[b, k] = e * T + (i + k) % T
            out.policy_mask[b, k] = 0.0 if kinds[e, (i + k) % T] == LAST else 1.0
            total, factor, at = 0.0, 1.0, i + k
            for n in range(horizons[b] + 1):
                place = at % T
                ends = kinds[e, place] == TERMINAL
                if n == horizons[b] or kinds[e, place] == LAST or (at == newest and not ends):
                    out.bootstraps[b, k] = e * T + place
                    out.factors[b, k] = factor
                    break
                total += factor * rewards[e, place]
                if ends:
                    break
                factor *= discount
                at += 1
            out.sums[b, k] = total
