"""Random small networks and roots."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.search.mlp import MLPLayers, MLPModel
from agents.search.scalars import Support


def dense(
    rng: np.random.Generator, widths: list[int], dtype: Any, scale: float = 1.0
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Layers of these widths with weights of order √(scale / width)."""
    return [
        (
            (scale * rng.normal(size=(reads, writes)) / np.sqrt(reads)).astype(dtype),
            (scale * 0.3 * rng.normal(size=writes)).astype(dtype),
        )
        for reads, writes in pairwise(widths)
    ]


def random_layers(
    rng: np.random.Generator,
    *,
    actions: int,
    latent: int = 8,
    hidden: int = 8,
    bins: int = 1,
    reward_bins: int | None = None,
    trunk: bool = True,
    q_values: bool = False,
    dtype: Any = np.float64,
    scale: float = 1.5,
) -> MLPLayers:
    """Layers of a network that has an opinion about everything."""
    after = hidden if trunk else latent
    return MLPLayers(
        dynamics=dense(rng, [latent + actions, hidden, latent], dtype, scale),
        reward=dense(rng, [latent, reward_bins or bins], dtype, scale),
        trunk=dense(rng, [latent, hidden], dtype, scale) if trunk else [],
        policy=dense(rng, [after, actions * (bins if q_values else 1)], dtype, scale),
        value=[] if q_values else dense(rng, [after, bins], dtype, scale),
    )


def random_model(
    rng: np.random.Generator, *, actions: int, bins: int = 1, q_values: bool = False, **options: Any
) -> MLPModel:
    """A network with `bins` bins in [-3, 3] of h-space, or with scalar heads."""
    shape = {
        name: options.pop(name)
        for name in ("latent", "hidden", "trunk", "dtype", "scale")
        if name in options
    }
    support = None if bins == 1 else Support(-3.0, 3.0, bins)
    return MLPModel(
        random_layers(rng, actions=actions, bins=bins, q_values=q_values, **shape),
        actions,
        q_values=q_values,
        value_support=support,
        reward_support=support,
        **options,
    )


def random_roots(
    rng: np.random.Generator, model: MLPModel, batch: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Latent states [B, H], and the network's logits and values there."""
    latents = rng.random((batch, model.latent_size)).astype(model.dtype)
    return latents, *model.predict(latents)
