"""A controller that acts in several episodes at once, which begin and end when they like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.world_models.controller_stage import Models


class Watching:
    """Latents and memory of so many slots.

    Attributes:
        latents: [S, D] that were seen last.
    """

    def __init__(self, models: Models, slots: int) -> None:
        self._models = models
        self._memory = models.sequence.export()
        self._memory.begin(slots)
        self.latents = np.zeros((slots, models.encoder.representation_size), np.float32)
        self._codes = np.zeros((slots, models.controllers.code.size), np.float32)

    @torch.inference_mode()
    def act(
        self,
        weights: NDArray[np.float64],
        observations: Sequence[Any],
        slots: Sequence[int],
        begun: Sequence[int],
        rng: np.random.Generator,
    ) -> list[Any]:
        """Actions of one controller [n] at some slots, and takes them as done."""
        controllers, own = self._models.controllers, torch.from_numpy(weights.astype(np.float32))
        if len(begun):
            self._memory.restart(np.asarray(begun, np.int64))
        latents = self._models.encoder.encode(np.stack(list(observations)))[0].float()
        features = torch.from_numpy(self._memory.features[list(slots)])
        seen = controllers.see(latents, features)
        outputs = controllers.outputs(own[None], seen[None])[0]
        codes = controllers.codes(outputs, controllers.gumbel(rng, len(slots))).numpy()
        self.latents[list(slots)], self._codes[list(slots)] = latents.numpy(), codes
        self._memory.step(self.latents, self._codes)
        return list(controllers.actions(codes))
