"""Pictures of dreams beside what really happened, with the same actions.

A strip of three rows, over time from left to right: what was observed, what is left of it in a
latent, and what the model thinks. It hears the first latents, and then goes on alone with the
actions that were really done; a line divides the two.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.encoders.interface import ObservationEncoder
from agents.encoders.pictures import as_pictures
from agents.world_models.sequence.interface import SequenceModel

Pictures = NDArray[np.uint8]
_GAP = 2
_LINE: tuple[int, int, int] = (220, 40, 40)


@torch.no_grad()
def imagine(
    model: SequenceModel,
    latents: Tensor,
    actions: Tensor,
    *,
    heard: int,
    temperature: float,
    generator: torch.Generator,
) -> Tensor:
    """Latents [B, T + 1, D]: the first `heard` + 1 as given, the others by the model, which reads
    its own. Of real latents [B, >= heard + 1, D] and coded actions [B, T, A]."""
    model.eval()
    state = model.initial_state(len(actions))
    path = [latents[:, 0]]
    for step in range(actions.shape[1]):
        state, said = model.step(state, path[-1], actions[:, step])
        if step < heard:
            path.append(latents[:, step + 1])
        else:
            path.append(model.sample(said, temperature, generator).latent)
    return torch.stack(path, 1)


@torch.no_grad()
def dream_strip(
    encoder: ObservationEncoder,
    model: SequenceModel,
    observations: NDArray[np.generic],
    actions: NDArray[np.float32],
    *,
    heard: int,
    every: int = 1,
    temperature: float = 1.0,
    generator: torch.Generator,
) -> Pictures:
    """[height, width, 3] of one rollout; see `agents.encoders.pictures.write_png`.

    Args:
        observations: [T + 1, ...] pictures as the environment gives them.
        actions: [T, A] coded.
        heard: steps that the model hears of; `observations[heard]` is the last that it sees.
        every: steps between two columns.

    Raises:
        ValueError: nothing is left to be imagined, or the encoder is of vectors.
    """
    if not 0 <= heard < len(actions):
        raise ValueError(f"of {len(actions)} steps {heard} were heard: none is left to imagine")
    latents, _ = encoder.encode(observations)
    done = torch.from_numpy(actions).to(latents)
    imagined = imagine(
        model,
        latents.unsqueeze(0),
        done.unsqueeze(0),
        heard=heard,
        temperature=temperature,
        generator=generator,
    )[0]
    # so that the last step that is heard is shown
    shown = torch.arange(heard % every, len(observations), every)
    rows = [
        encoder.target(observations[shown.numpy()]),
        encoder.decode(latents[shown]),
        encoder.decode(imagined[shown]),
    ]
    return _arranged([as_pictures(encoder, row) for row in rows], int((shown <= heard).sum()))


def _arranged(rows: list[Pictures], heard: int) -> Pictures:
    """Rows of equally many pictures, white between them, a line after the first `heard`."""
    count, height, width, _ = rows[0].shape
    tall, wide = height + _GAP, width + _GAP
    canvas = np.full((len(rows) * tall - _GAP, count * wide - _GAP, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            canvas[y * tall : y * tall + height, x * wide : x * wide + width] = picture
    if heard < count:
        canvas[:, heard * wide - _GAP : heard * wide] = _LINE
    return canvas
