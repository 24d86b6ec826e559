"""The environment itself in place of a world model: what a perfect one could do for an agent.

An imagined trajectory begins where the environment was when it showed the frame, and is what the
environment does. One that has ended stays where it is, ended, with rewards of 0.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from agents.base import AgentRefused
from agents.iris.tokenizer.interface import Tokenizer
from agents.iris.world_models.interface import Dynamics, Imagined
from envs.state import restore_state, resumes_mid_episode
from envs.wrappers import Problem, Rules

if TYPE_CHECKING:
    from agents.base import EnvironmentMaker


class Dummy(Dynamics):
    """
    Args:
        tokenizer: makes tokens of what environments show; it is no part of this model.
        make_environment: of the run; these environments are apart from those that it trains in.

    Raises:
        AgentRefused: in `reset`: the environment cannot be put back.
    """

    starts_from_snapshots: ClassVar = True

    def __init__(self, tokenizer: Tokenizer, make_environment: EnvironmentMaker) -> None:
        super().__init__()
        self._encode = tokenizer.encode
        self._make, self._problems = make_environment, list[Problem]()
        self._tokens, self._ended = torch.empty(0), np.zeros(0, bool)

    def reset(self, tokens: Tensor, snapshots: list[Any] | None = None) -> None:
        assert snapshots is not None  # `starts_from_snapshots`
        while len(self._problems) < len(snapshots):
            self._problems.append(self._environment())
        for problem, snapshot in zip(self._problems, snapshots, strict=False):
            restore_state(problem, snapshot)
        self._tokens, self._ended = tokens, np.zeros(len(snapshots), bool)

    def step(
        self,
        actions: Tensor,
        generator: torch.Generator,
        *,
        frames: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Imagined:
        """Nothing is drawn but by the environment."""
        going = np.flatnonzero(~self._ended)
        rewards = torch.zeros(len(self._ended))
        observed = []
        for number, action in zip(going, actions.cpu().numpy()[going], strict=True):
            observation, reward, terminated, truncated, _ = self._problems[number].step(action)
            observed.append(observation)
            rewards[number] = np.sign(reward)
            self._ended[number] = terminated or truncated
        if observed:
            frames = torch.as_tensor(np.stack(observed), device=self._tokens.device)
            self._tokens = self._tokens.index_copy(
                0, torch.as_tensor(going, device=self._tokens.device), self._encode(frames)
            )
        device = self._tokens.device
        ends = torch.as_tensor(self._ended.copy(), device=device)
        return Imagined(self._tokens, rewards.to(device), ends)

    def _environment(self) -> Problem:
        problem = self._make(1 + len(self._problems))
        if not resumes_mid_episode(problem):
            raise AgentRefused(
                'world_model "dummy" needs an environment that can be put back to any state, not '
                f"{problem.unwrapped}"
            )
        # imagination goes on where an episode would be cut off
        problem.rules = Rules(sys.maxsize, problem.rules.overwrite)
        return problem
