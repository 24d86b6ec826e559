"""From settings to a self-supervised loss, and to pictures that are augmented."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from agents.muzero.networks import DenseNetwork, Network
from agents.muzero.observations import Observations
from agents.muzero.self_supervision.augmentation import Augmentation
from agents.muzero.self_supervision.base import SelfSupervision
from agents.muzero.self_supervision.consistency import Consistency
from agents.muzero.self_supervision.curl import CURL
from agents.muzero.self_supervision.moco import MoCo
from agents.muzero.self_supervision.nce import NCE, PictureTarget, dense_target
from agents.muzero.self_supervision.simsiam import SimSiam
from agents.muzero.self_supervision.spr import SPR
from agents.muzero.settings import MuZeroSettings


def self_supervision_of(
    settings: MuZeroSettings,
    network: Network,
    observations: Observations,
    rng: np.random.Generator,
) -> SelfSupervision | None:
    """What `ssl` names; None where nothing of it would count.

    Args:
        network: on the processor, with its first parameters.
        rng: the loss's own first parameters.
    """
    kind = settings.self_supervision
    by_contrast = kind in ("nce", "moco", "curl")
    if kind == "none" or settings.ssl_weight == 0 or not (settings.jumps or by_contrast):
        return None
    if kind == "consistency":
        return Consistency()
    dense = isinstance(network, DenseNetwork)
    shape = (observations.width,) if dense else observations.picture
    assert shape is not None
    network.eval()  # nothing of this picture is to stay
    with torch.no_grad():
        state = network.represent(torch.zeros(1, *shape))[0]
    network.train()
    width, features = settings.projection_dim, state.numel()
    usual = {"curl": 0.05, "spr": 1.0 if settings.augmentation else 0.01}
    rate = settings.ssl_momentum or usual.get(kind, 0.001)
    temperature = settings.ssl_temperature or {"nce": 0.1, "moco": 0.07}.get(kind, 1.0)
    if kind == "simsiam":
        return SimSiam(features, width, rng)
    if kind == "spr":
        return SPR(network, features, width, rate, rng)
    if kind == "moco":
        return MoCo(
            network,
            features,
            width,
            rate=rate,
            temperature=temperature,
            queue=settings.queue_size,
            rng=rng,
        )
    if kind == "curl":
        return CURL(
            network,
            features,
            width,
            rate=rate,
            temperature=temperature,
            within_sequences=settings.use_all_targets,
            rng=rng,
        )
    newest = Newest(observations)
    target: nn.Module
    if dense:
        target = dense_target(newest.width, settings.hidden_dim, width)
    else:
        halvings = _halvings(shape[0], state.shape[1])
        target = PictureTarget(observations.frame, halvings, len(state), width)
    return NCE(
        target,
        newest,
        channels=len(state),
        width=width,
        temperature=temperature,
        within_sequences=settings.use_all_targets,
        rng=rng,
    )


class Newest:
    """The newest picture of those that observations [N, ...] stack; the whole where they do not.

    Attributes:
        width: numbers in it.
    """

    def __init__(self, observations: Observations) -> None:
        picture = observations.picture
        self._channels = 1 if picture is None else picture[2]
        self._newest = 1 if picture is None else observations.frame
        self.width = observations.width // self._channels * self._newest

    def __call__(self, observations: Tensor) -> Tensor:
        """[N, width] of [N, inputs], [N, h, w, c] of pictures."""
        if observations.ndim > 2:
            return observations[..., -self._newest :]
        by_channel = observations.view(len(observations), -1, self._channels)
        return by_channel[..., -self._newest :].flatten(1)


def _halvings(side: int, reached: int) -> int:
    count = 0
    while side > reached:
        side, count = -(-side // 2), count + 1
    return count


def augmentation_of(settings: MuZeroSettings, rng: np.random.Generator) -> Augmentation | None:
    """What `augmentation` asks for."""
    if not settings.augmentation:
        return None
    return Augmentation(settings.augmentation_shift, settings.augmentation_intensity, rng)
