"""Networks of Q as acting asks for them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.muzero.torch_inference import Floats, TorchInference
from agents.muzero.torch_scalars import decode


class QInference(TorchInference):
    """See `agents.muzero.interfaces.Inference`, and `Distributional` there."""

    @torch.inference_mode()
    def values(self, observations: Floats, legal: NDArray[np.bool_] | None = None) -> Floats:
        with self._in_precision():
            q, values = self._predict(self.network.represent(self._read(observations)))
        if legal is not None:
            values = _among(q, legal).amax(1)
        scalars: Floats = values.cpu().numpy()
        return scalars

    @torch.inference_mode()
    def distributions(self, observations: Floats, legal: NDArray[np.bool_]) -> Floats:
        """See `agents.muzero.interfaces.Distributional`."""
        with self._in_precision():
            logits = self._logits(self.network.represent(self._read(observations)))
        greatest = _among(decode(logits, self._support), legal).argmax(1)
        rows = torch.arange(len(logits), device=logits.device)
        probabilities = logits[rows, greatest].softmax(-1)
        array: Floats = probabilities.cpu().numpy()
        return array

    def _logits(self, states: Tensor) -> Tensor:
        """[B, A, bins]."""
        logits = self.network.predict(states)[0].float()
        return logits.view(len(states), -1, self._support.bins)

    def _predict(self, states: Tensor) -> tuple[Tensor, Tensor]:
        q = decode(self._logits(states), self._support)
        return q, q.amax(1)


def _among(q: Tensor, legal: NDArray[np.bool_]) -> Tensor:
    """Q [B, A], -inf where not legal; where nothing is, everything is."""
    legal = legal | ~legal.any(axis=1, keepdims=True)
    return q.masked_fill(~torch.from_numpy(legal).to(q.device), -torch.inf)
