"""One rollout, and the random numbers that its number gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.spaces import Box

from agents.collecting.policies import RolloutPolicy
from agents.rollouts.rollout import Rollout

if TYPE_CHECKING:
    from envs.wrappers import Problem

#: Steps between two questions whether to go on.
_LOOK_UP = 64


def streams_of(seed: int, number: int) -> tuple[int, np.random.Generator]:
    """What rollout `number` resets its environment with, and what its policy draws from. Nothing
    else of a rollout is random, so it comes out the same in any process."""
    reset, policy = np.random.SeedSequence(seed, spawn_key=(number,)).spawn(2)
    return int(reset.generate_state(1, np.uint32)[0]), np.random.default_rng(policy)


def collect_rollout(
    environment: Problem,
    policy: RolloutPolicy,
    seed: int,
    rng: np.random.Generator,
    max_steps: int | None,
    *,
    attributes: Mapping[str, Any] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Rollout | None:
    """Plays one episode. Actions are kept as the environment gets them, within their bounds.

    Args:
        seed: of the reset.
        rng: what the policy draws from.
        max_steps: after which it is cut, which truncates it; None: at its end.
        stop: asked now and then whether to give up; None: never.

    Returns:
        the rollout, or None where it was given up.
    """
    observation, _ = environment.reset(seed=seed)
    policy.begin(rng)
    act_in = getattr(policy, "act_in", None)
    if act_in is not None:
        act_in(environment)
    space = environment.action_space
    box = space if isinstance(space, Box) else None
    observations = [np.array(observation)]
    actions: list[Any] = []
    rewards: list[float] = []
    terminated = truncated = False
    while not (terminated or truncated):
        if stop is not None and len(rewards) % _LOOK_UP == 0 and stop():
            return None
        action = policy.act(observation)
        if box is not None:
            action = np.clip(action, box.low, box.high).astype(box.dtype, copy=False)
        observation, reward, terminated, truncated, _ = environment.step(action)
        observations.append(np.array(observation))
        actions.append(action)
        rewards.append(float(reward))
        truncated = truncated or (not terminated and len(rewards) == max_steps)
    kind = None if box is not None else np.int64
    return Rollout(
        np.stack(observations),
        np.array(actions, kind),
        np.array(rewards, np.float32),
        bool(terminated),
        bool(truncated),
        seed,
        attributes or {},
    )
