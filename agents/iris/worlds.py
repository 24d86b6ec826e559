"""IRIS in the player: in the environment, in its world model, and in episodes that were kept."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.iris.collecting import Manner
from agents.iris.episode_files import read_episode
from agents.iris.networks import Networks
from agents.iris.run_folder import as_pictures
from agents.iris.tokenizer.interface import Before, nothing_before
from agents.iris.world_models.interface import WorldModel, draw
from agents.player.world import Moment, Panel, Picture
from envs.state import save_state
from envs.wrappers import Problem

_CELL = 24  # pixels of a number


class _Acting:
    """An actor-critic with its memory, in one episode.

    Attributes:
        value: of the frame that was seen last.
    """

    def __init__(self, networks: Networks, manner: Manner, generator: torch.Generator) -> None:
        self._network, self._manner, self._generator = networks.actor_critic, manner, generator
        self.begin()

    def begin(self) -> None:
        self._state = self._network.initial_state(1)
        self._logits, self.value = torch.zeros(1), 0.0

    def see(self, frame: Tensor) -> None:
        """A frame [1, ...] as it sees them."""
        seen = self._network.step(frame, self._state)
        self._state, self._logits, self.value = seen.state, seen.logits, float(seen.values[0])

    def action(self) -> int:
        """What it does now."""
        manner = self._manner
        if not manner.should_sample:
            return int(self._logits.argmax())
        return int(draw(self._logits, manner.temperature, self._generator)[0])


class InEnvironment:
    """The agent, or a person, in the environment: what it shows, what the tokenizer is given, and
    what it makes of that. See `agents.player.world.World`.

    The note has the value of the frame, and what the world model said of the step that led here.

    Args:
        memory: steps that the world model is shown.
        seed: of the first episode; each has the next.
    """

    has_agent = True

    def __init__(
        self, networks: Networks, problem: Problem, manner: Manner, memory: int, seed: int
    ) -> None:
        self._networks, self._problem, self._seed = networks, problem, seed
        self.action_space: Any = problem.action_space
        self._acting = _Acting(networks, manner, torch.Generator().manual_seed(seed))
        self._tokens: deque[Tensor] = deque(maxlen=memory)
        self._actions: deque[int] = deque(maxlen=memory)
        self._frames: deque[Tensor] = deque(maxlen=memory)  # as the agent sees them

    @torch.no_grad()
    def reset(self) -> Moment:
        """A new episode."""
        self._observation, _ = self._problem.reset(seed=self._seed)
        self._seed += 1
        self._total, self._steps, self._action = 0.0, 0, -1
        self._acting.begin()
        self._tokens.clear()
        self._actions.clear()
        self._frames.clear()
        return self._moment(0.0, "", over=False)

    @torch.no_grad()
    def step(self, action: Any | None) -> Moment:
        """See `World`."""
        self._action = self._acting.action() if action is None else int(action)
        self._actions.append(self._action)
        told = self._told()
        self._observation, reward, terminated, truncated, _ = self._problem.step(self._action)
        self._total += float(reward)
        self._steps += 1
        return self._moment(float(reward), told, over=terminated or truncated)

    def _told(self) -> str:
        """What the world model says of the step that is taken."""
        model = self._networks.world_model
        if not isinstance(model, WorldModel):
            return ""
        logits = model.logits(
            torch.stack([*self._tokens], 1),
            torch.tensor([[*self._actions]]),
            torch.stack([*self._frames], 1),
        )
        minus, _, plus = logits.rewards[0, -1].softmax(-1).tolist()
        end = float(logits.ends[0, -1].softmax(-1)[1])
        return f"   predicted reward {plus - minus:.2f}, end {end:.2f}"

    def _moment(self, reward: float, told: str, *, over: bool) -> Moment:
        tokenizer = self._networks.tokenizer
        observed = torch.as_tensor(np.asarray(self._observation))[None]
        frame = tokenizer.seen(observed)
        before = nothing_before(frame)
        if self._frames:
            before = Before(self._frames[-1], torch.tensor([self._action]))
        tokens = tokenizer.encode(observed, before)
        decoded = tokenizer.decode(tokens, before)
        self._tokens.append(tokens)
        self._frames.append(frame)
        self._acting.see(frame)
        panels = (
            Panel("original", self._original()),
            Panel("downscaled", picture_of(tokenizer.frames.prepare(observed))),
            Panel("reconstructed", picture_of(decoded)),
        )
        note = f"value {self._acting.value:.2f}{told}"
        return Moment(panels, reward, self._total, self._steps, over, note)

    def _original(self) -> Picture:
        if self._problem.render_mode == "rgb_array":
            drawn: Any = self._problem.render()
            return np.asarray(drawn, np.uint8)
        return shown(np.asarray(self._observation))

    def move(self, steps: int, episodes: int) -> Moment | None:
        """Time has one direction."""
        return None

    def last(self) -> dict[str, NDArray[Any]]:
        """Observation, action, -1 before the first, and value."""
        return {
            "observations": np.array(self._observation),
            "actions": np.array(self._action),
            "values": np.array(self._acting.value),
        }

    def close(self) -> None:
        """Closes the environment."""
        self._problem.close()


class InImagination:
    """The agent, or a person, in what the world model imagines from a first frame on. See `World`.

    Args:
        problem: gives the first frames.
        temperature: of what is imagined.
    """

    has_agent = True

    def __init__(
        self,
        networks: Networks,
        problem: Problem,
        manner: Manner,
        temperature: float,
        seed: int,
    ) -> None:
        self._networks, self._problem, self._seed = networks, problem, seed
        self.action_space: Any = problem.action_space
        self._temperature = temperature
        self._generator = torch.Generator().manual_seed(seed)
        self._acting = _Acting(networks, manner, self._generator)

    @torch.no_grad()
    def reset(self) -> Moment:
        """From another first frame."""
        observation, _ = self._problem.reset(seed=self._seed)
        self._seed += 1
        tokenizer, model = self._networks.tokenizer, self._networks.world_model
        observed = torch.as_tensor(np.asarray(observation))[None]
        self._frame = tokenizer.seen(observed)
        self._tokens = tokenizer.encode(observed, nothing_before(self._frame))
        snapshots = [save_state(self._problem)] if model.starts_from_snapshots else None
        model.reset(self._tokens, snapshots)
        self._total, self._steps, self._action = 0.0, 0, -1
        self._acting.begin()
        return self._moment(0.0, over=False)

    @torch.no_grad()
    def step(self, action: Any | None) -> Moment:
        """See `World`."""
        self._action = self._acting.action() if action is None else int(action)
        actions = torch.tensor([self._action])
        imagined = self._networks.world_model.step(
            actions, self._generator, frames=self._frame, temperature=self._temperature
        )
        self._tokens = imagined.tokens
        before = Before(self._frame, actions)
        self._frame = self._networks.tokenizer.decode(self._tokens, before)
        reward = float(imagined.rewards[0])
        self._total += reward
        self._steps += 1
        return self._moment(reward, over=bool(imagined.ends[0]))

    def _moment(self, reward: float, *, over: bool) -> Moment:
        self._acting.see(self._frame)
        panels = (Panel("imagined", picture_of(self._frame)),)
        note = f"value {self._acting.value:.2f}"
        return Moment(panels, reward, self._total, self._steps, over, note)

    def move(self, steps: int, episodes: int) -> Moment | None:
        """Time has one direction."""
        return None

    def last(self) -> dict[str, NDArray[Any]]:
        """Tokens, action, -1 before the first, and value."""
        return {
            "tokens": self._tokens[0].numpy().copy(),
            "actions": np.array(self._action),
            "values": np.array(self._acting.value),
        }

    def close(self) -> None:
        """Closes the environment."""
        self._problem.close()


class Kept:
    """Episodes in files, to be looked through. See `World`.

    Args:
        networks: whose reconstruction stands beside each frame; None: nothing does.
    """

    action_space = None
    has_agent = True

    def __init__(self, paths: list[Path], networks: Networks | None) -> None:
        self._paths, self._networks = paths, networks
        self._number = self._place = 0
        self._episode = read_episode(paths[0])

    def reset(self) -> Moment:
        """From the beginning of the episode."""
        self._place = 0
        return self._moment()

    def step(self, action: Any | None) -> Moment:
        """One frame on, up to the end."""
        return self._to(self._place + 1)

    def move(self, steps: int, episodes: int) -> Moment | None:
        """To another frame, or to the beginning of another episode."""
        if episodes:
            self._number = (self._number + episodes) % len(self._paths)
            self._episode, self._place = read_episode(self._paths[self._number]), 0
        return self._to(self._place + steps)

    def _to(self, place: int) -> Moment:
        self._place = int(np.clip(place, 0, len(self._episode["frames"]) - 1))
        return self._moment()

    @torch.no_grad()
    def _moment(self) -> Moment:
        episode, place = self._episode, self._place
        frame, rewards = episode["frames"][place], episode["rewards"]
        panels = [Panel("kept", shown(frame))]
        if self._networks is not None:
            tokenizer = self._networks.tokenizer
            observed = torch.as_tensor(frame)[None]
            before = nothing_before(tokenizer.frames.prepare(observed))
            if place:
                earlier = torch.as_tensor(episode["frames"][place - 1])[None]
                actions = torch.as_tensor(episode["actions"][place - 1 : place])
                before = Before(tokenizer.frames.prepare(earlier), actions)
            decoded = tokenizer.decode(tokenizer.encode(observed, before), before)
            panels.append(Panel("reconstructed", picture_of(decoded)))
        note = self._paths[self._number].name
        if "values" in episode:
            note += f"   value {episode['values'][place]:.2f}"
        return Moment(
            tuple(panels),
            float(rewards[place - 1]) if place else 0.0,
            float(rewards[:place].sum()),
            place,
            place == len(rewards),
            note,
        )

    def last(self) -> dict[str, NDArray[Any]]:
        """The action that was chosen on seeing the frame, -1 at the last."""
        actions = self._episode["actions"]
        return {"actions": np.array(actions[self._place] if self._place < len(actions) else -1)}

    def close(self) -> None:
        """Nothing is open."""


def picture_of(frames: Tensor) -> Picture:
    """The first of frames as networks have them."""
    if frames.dim() == 4:
        picture: Picture = as_pictures(frames[:1])[0]
        return picture
    return shown(frames[0].numpy())


def shown(frame: NDArray[Any]) -> Picture:
    """A frame as it was observed: a picture; or numbers as cells, grey where 0, white and black
    where they are far from it."""
    if frame.dtype == np.uint8 and frame.ndim == 4:
        frame = frame[-1]  # of a stack
    if frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3:
        return frame
    cells = frame.astype(np.float64).reshape(frame.shape[0], -1)
    scaled = cells / 255 if frame.dtype == np.uint8 else 0.5 + 0.5 * np.tanh(cells)
    pixels = (255 * scaled).round().astype(np.uint8).reshape(1, -1)
    return np.repeat(pixels.repeat(_CELL, 0).repeat(_CELL, 1)[..., None], 3, axis=2)
