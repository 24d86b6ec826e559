"""World models in the player: the agent in the environment, and anybody in the dream."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray

from agents.encoders.pictures import as_pictures
from agents.player.world import Moment, Panel, Picture
from agents.world_models.controller.imagining import Starts
from agents.world_models.controller_stage import Models
from agents.world_models.dream import Dream
from agents.world_models.watching import Watching
from envs.wrappers import Problem

_BAR = 12  # pixels of a number's bar
_SIDE = 96
_MIDDLE, _POSITIVE, _NEGATIVE = (60, 60, 66), (90, 180, 255), (255, 150, 80)


class InEnvironment:
    """The agent, or a person, in the environment: what it shows, what the encoder is given, and
    what it makes of that. See `agents.player.world.World`.

    Args:
        weights: [n] of the controller; None: there is none.
        seed: of the first episode; each has the next.
    """

    def __init__(
        self, models: Models, problem: Problem, weights: NDArray[np.float64] | None, seed: int
    ) -> None:
        self._models, self._problem, self._weights, self._seed = models, problem, weights, seed
        self.action_space, self.has_agent = problem.action_space, weights is not None
        self._rng = np.random.default_rng(seed)
        self._watching = Watching(models, 1)

    def reset(self) -> Moment:
        """A new episode."""
        self._observation, _ = self._problem.reset(seed=self._seed)
        self._seed += 1
        self._begun, self._total, self._steps = [0], 0.0, 0
        self._action = np.zeros_like(np.asarray(self.action_space.sample()))
        return self._moment(0.0, over=False)

    def step(self, action: Any | None) -> Moment:
        """See `World`."""
        weights = self._weights
        if weights is None:
            weights = np.zeros(self._models.controllers.size)
        (own,) = self._watching.act(weights, [self._observation], [0], self._begun, self._rng)
        self._begun = []
        self._action = own if action is None else action
        self._observation, reward, terminated, truncated, _ = self._problem.step(self._action)
        self._total += float(reward)
        self._steps += 1
        return self._moment(float(reward), over=terminated or truncated)

    def move(self, steps: int, episodes: int) -> Moment | None:
        """Time has one direction."""
        return None

    def _moment(self, reward: float, *, over: bool) -> Moment:
        panels = [Panel("original", self._original())]
        panels += seen_and_decoded(self._models, self._observation)
        return Moment(tuple(panels), reward, self._total, self._steps, over)

    def _original(self) -> Picture:
        if self._problem.render_mode == "rgb_array":
            drawn: Any = self._problem.render()
            return np.asarray(drawn, np.uint8)
        return _as_picture(np.asarray(self._observation))

    def last(self) -> dict[str, NDArray[Any]]:
        """Observation and action."""
        return {"observations": np.array(self._observation), "actions": np.array(self._action)}

    def close(self) -> None:
        """Closes the environment."""
        self._problem.close()


class InDream:
    """The agent, or a person, in what the sequence model makes up. See `World`."""

    def __init__(
        self,
        models: Models,
        dream: Dream,
        starts: Starts,
        weights: NDArray[np.float64] | None,
        seed: int,
    ) -> None:
        self._models, self._dream, self._starts = models, dream, starts
        self._weights, self._seed = weights, seed
        self.action_space, self.has_agent = models.action_space, weights is not None
        self._rng = np.random.default_rng(seed)

    def reset(self) -> Moment:
        """A new dream."""
        seeds = np.array([self._seed], np.int64)
        self._seed += 1
        self._dream.reset(self._starts.of(seeds), seeds)
        self._total, self._steps = 0.0, 0
        self._code = np.zeros((1, self._models.controllers.code.size), np.float32)
        return self._moment(0.0, over=False)

    @torch.inference_mode()
    def step(self, action: Any | None) -> Moment:
        """See `World`."""
        controllers = self._models.controllers
        if action is not None:
            self._code = controllers.code.encode(np.asarray(action)[None])
        elif self._weights is not None:
            seen = controllers.see(self._dream.latents, self._dream.features)
            own = torch.from_numpy(self._weights.astype(np.float32))[None]
            outputs = controllers.outputs(own, seen[None])[0]
            self._code = controllers.codes(outputs, controllers.gumbel(self._rng, 1)).numpy()
        moved = self._dream.step(self._code)
        self._total += float(moved.rewards[0])
        self._steps += 1
        over = bool(moved.terminated[0] | moved.truncated[0])
        return self._moment(float(moved.rewards[0]), over=over)

    def move(self, steps: int, episodes: int) -> Moment | None:
        """Time has one direction."""
        return None

    @torch.inference_mode()
    def _moment(self, reward: float, *, over: bool) -> Moment:
        encoder = self._models.encoder
        decoded = encoder.decode(self._dream.latents)
        if encoder.is_picture:
            picture = as_pictures(encoder, decoded)[0]
        else:
            picture = bars(decoded[0].numpy())
        latent = Panel("latent", bars(self._dream.latents[0].numpy()))
        return Moment((Panel("dream", picture), latent), reward, self._total, self._steps, over)

    def last(self) -> dict[str, NDArray[Any]]:
        """Latent and coded action."""
        return {"latents": self._dream.latents[0].numpy().copy(), "actions": self._code[0].copy()}

    def close(self) -> None:
        """Nothing is open."""


@torch.inference_mode()
def seen_and_decoded(models: Models, observation: Any) -> list[Panel]:
    """What the encoder is given of an observation, and what it makes of it."""
    encoder = models.encoder
    batch = np.asarray(observation)[None]
    target, decoded = encoder.target(batch), encoder.decode(encoder.encode(batch)[0])
    if encoder.is_picture:
        given, made = as_pictures(encoder, target)[0], as_pictures(encoder, decoded)[0]
    else:
        scale = float(np.abs(target.numpy()).max())
        given, made = bars(target[0].numpy(), scale), bars(decoded[0].numpy(), scale)
    return [Panel("downscaled", given), Panel("encoded, decoded", made)]


def bars(numbers: NDArray[Any], scale: float = 0.0) -> Picture:
    """A vector [N] as bars from a middle line, up where positive, the longest of `scale`."""
    scale = max(scale, float(np.abs(numbers).max()), 1e-6)
    picture = np.zeros((_SIDE, _BAR * len(numbers), 3), np.uint8)
    middle = _SIDE // 2
    picture[middle] = _MIDDLE
    for place, number in enumerate(numbers):
        length = round(float(number) / scale * (middle - 2))
        columns = slice(place * _BAR + 1, (place + 1) * _BAR - 1)
        if length > 0:
            picture[middle - length : middle, columns] = _POSITIVE
        else:
            picture[middle : middle - length, columns] = _NEGATIVE
    return picture


def _as_picture(observation: NDArray[Any]) -> Picture:
    """An observation itself, where the environment draws nothing."""
    if observation.ndim == 3 and observation.dtype == np.uint8 and observation.shape[2] == 3:
        return observation
    return bars(observation.reshape(-1).astype(np.float64))


def draws(problem: Problem) -> bool:
    """Whether the original has to be drawn: observations that are pictures are their own."""
    space = problem.observation_space
    is_picture = isinstance(space, Box) and len(space.shape) == 3 and space.shape[2] == 3
    return not is_picture and "rgb_array" in problem.metadata.get("render_modes", ())
