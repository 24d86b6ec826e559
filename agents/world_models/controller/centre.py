"""The mean of what controllers see along rollouts.

What a sequence model remembers has a constant part, often greater than what varies: to random
weights of a controller it is an action that never changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from agents.rollouts.rollout import LatentRollout
from agents.world_models.controller.controllers import Controllers
from agents.world_models.sequence.memory import Memory

#: The most rollouts that are looked at.
_ENOUGH = 64


def mean_seen(
    controllers: Controllers, memory: Memory, rollouts: Iterable[LatentRollout]
) -> NDArray[np.float64]:
    """[I] over all steps of the first of these rollouts."""
    some = sorted(islice(rollouts, _ENOUGH), key=lambda rollout: -rollout.length)
    actions = [controllers.code.encode(rollout.actions) for rollout in some]
    total, count, playing = np.zeros(controllers.inputs), 0, len(some)
    memory.begin(len(some))
    latents = np.stack([rollout.means[0] for rollout in some])
    done = np.stack([codes[0] for codes in actions])
    for step in range(some[0].length):
        while some[playing - 1].length <= step:
            playing -= 1
        for member in range(playing):
            latents[member], done[member] = some[member].means[step], actions[member][step]
        seen = controllers.see(torch.from_numpy(latents), torch.from_numpy(memory.features))
        total += seen[:playing].double().sum(0).numpy()
        count += playing
        memory.step(latents, done)
    return total / count
