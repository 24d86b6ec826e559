"""Noise on pictures that are observed: what an agent sees is disturbed, what happens is not."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from envs.errors import EnvironmentRefused
from envs.generators import generator_state, restored_generator
from envs.settings import EnvironmentSettings, NoiseSettings

#: Tells the noise of an episode from what happens in it, which has the same seed.
_STREAM = 0x6E6F697365
GREY = 128


def noise_of(settings: EnvironmentSettings, *, evaluation: bool) -> NoiseSettings | None:
    """The noise of a file; None: there is none."""
    noise = settings.observation_noise
    if evaluation and settings.eval_observation_noise is not None:
        noise = settings.eval_observation_noise
    return None if noise is None or noise == NoiseSettings() else noise


class Noisy(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Adds noise to pictures uint8 [H, W, C] or [H, W]; they stay uint8.

    Numbers are drawn apart from the environment's, from the seed of the first reset on: the same
    actions lead to the same states with noise and without.

    Attributes:
        generator: of the noise; None before the first reset.

    Raises:
        EnvironmentRefused: observations are no such pictures.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], noise: NoiseSettings) -> None:
        super().__init__(env)
        space = env.observation_space
        if not isinstance(space, Box) or space.dtype != np.uint8 or len(space.shape) not in (2, 3):
            raise EnvironmentRefused(
                "observation_noise", f"is for pictures of bytes, and what is observed is {space}"
            )
        self.noise = noise
        self.generator: np.random.Generator | None = None

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, *rest = self.env.step(action)
        return self.disturbed(observation), *rest  # type: ignore[return-value]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(seed=seed, options=options)
        if seed is not None:
            self.generator = np.random.default_rng((seed, _STREAM))
        elif self.generator is None:
            drawn = int(self.env.unwrapped.np_random.integers(2**62))
            self.generator = np.random.default_rng((drawn, _STREAM))
        return self.disturbed(observation), info

    def disturbed(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A new picture: Gaussian noise, then black and white pixels, then what hides it."""
        assert self.generator is not None  # after the first reset
        noise, rng = self.noise, self.generator
        out = np.array(picture)
        if noise.gaussian:
            shifts = rng.normal(0.0, 255 * noise.gaussian, out.shape)
            out = np.clip(np.rint(out + shifts), 0, 255).astype(np.uint8)
        if noise.salt_and_pepper:
            chance = rng.random(out.shape[:2])
            out[chance < noise.salt_and_pepper] = 0
            out[chance < noise.salt_and_pepper / 2] = 255
        if noise.occlusion:
            side = round(noise.occlusion * min(out.shape[:2]))
            top, left = (int(rng.integers(length - side + 1)) for length in out.shape[:2])
            out[top : top + side, left : left + side] = GREY
        return out


def noise_state(env: gymnasium.Env[Any, Any]) -> dict[str, Any] | None:
    """Of the noise's generator in an environment; None: there is none."""
    layer = noise_layer(env)
    return None if layer is None else generator_state(layer.generator)


def restore_noise(env: gymnasium.Env[Any, Any], state: dict[str, Any] | None) -> None:
    """Puts it back."""
    layer = noise_layer(env)
    if layer is not None:
        layer.generator = restored_generator(state)


def noise_layer(env: gymnasium.Env[Any, Any]) -> Noisy | None:
    """The wrapper that adds noise, if one does."""
    layer: Any = env
    while isinstance(layer, gymnasium.Wrapper):
        if isinstance(layer, Noisy):
            return layer
        layer = layer.env
    return None
