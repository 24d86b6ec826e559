"""Who acts in rollouts, by a description of JSON that a folder of rollouts keeps."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args

import gymnasium
import numpy as np

from agents.base import AgentRefused
from agents.collecting.noise import Brownian, Held, Perlin, Uniform
from agents.collecting.random_network import RandomNetwork
from agents.collecting.settings import PolicyName, RandomPolicySettings

if TYPE_CHECKING:
    from envs.settings import EnvironmentSettings
    from envs.wrappers import Problem

#: Those that learn nothing.
NAMES: tuple[str, ...] = get_args(PolicyName)


class RolloutPolicy(Protocol):
    """Acts in one episode at a time.

    A policy that looks at the environment itself has a method `act_in(environment)`, which is
    called after each reset.
    """

    def begin(self, rng: np.random.Generator) -> None:
        """An episode begins; all that is drawn in it comes from `rng`."""
        ...

    def act(self, observation: Any) -> Any:
        """An action of the action space."""
        ...


def describe_policy(
    name: str,
    setting: Mapping[str, Any] | None = None,
    *,
    weights: Path | None = None,
    random_share: float = 0.0,
) -> dict[str, Any]:
    """What `make_policy` makes a policy from.

    Args:
        name: random, held, brownian, perlin or random_network; of an agent; or
            package.module:function, which is called with the description, the environment file's
            settings and an environment.
        setting: hyperparameters; what is left out has its default.
        weights: what an agent has learned, as .npz (`main.py --record learned_params`).
        random_share: chance, each step, of a uniform action instead.

    Raises:
        AgentRefused: there is no such policy, or the weights cannot be read.
    """
    import msgspec

    import agents

    description: dict[str, Any] = {"name": name}
    if name in NAMES or name == "randomPolicy":
        given = dict(setting or {}) | ({"policy": name} if name in NAMES else {})
        settings = msgspec.convert(given, RandomPolicySettings)
        description = {"name": settings.policy, "parameters": settings.parameters}
    elif name in agents.AGENTS:
        typed = msgspec.convert(dict(setting or {}), agents.settings_type(name))
        description["setting"] = msgspec.to_builtins(typed)
    elif ":" in name:
        description["parameters"] = dict(setting or {})
    else:
        known = ", ".join([*NAMES, *agents.AGENTS])
        raise AgentRefused(f"there is no policy {name!r}; known: {known}")
    if weights is not None:
        if "setting" not in description:
            raise AgentRefused(f"{name} learns nothing: it has no use for {weights}")
        description["weights"] = str(weights.absolute())
        description["sha256"] = _digest(weights)
    if random_share:
        description["random_share"] = random_share
    return description


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise AgentRefused(f"{path}: cannot be read: {error.strerror}") from None


def make_policy(
    description: Mapping[str, Any], settings: EnvironmentSettings, environment: Problem
) -> RolloutPolicy:
    """The policy that is described, for an environment of these settings.

    Raises:
        AgentRefused: it cannot act there, or its weights are not what they were.
    """
    policy = _policy(description, settings, environment)
    if share := description.get("random_share", 0.0):
        return SometimesUniform(policy, environment.action_space, share)
    return policy


def _policy(
    description: Mapping[str, Any], settings: EnvironmentSettings, environment: Problem
) -> RolloutPolicy:
    name, parameters = description["name"], description.get("parameters", {})
    if name in NAMES:
        spaces = (environment.observation_space, environment.action_space)
        return noise_policy(name, parameters, *spaces)
    if ":" in name:
        module, _, function = name.partition(":")
        made: RolloutPolicy = getattr(importlib.import_module(module), function)(
            description, settings, environment
        )
        return made
    from agents.collecting.trained import TrainedAgent

    weights = description.get("weights")
    if weights is not None and _digest(Path(weights)) != description["sha256"]:
        raise AgentRefused(f"{weights} is not what it was when collecting began")
    return TrainedAgent(name, description["setting"], weights, settings, environment)


def noise_policy(
    name: str,
    parameters: Mapping[str, Any],
    observation_space: gymnasium.Space[Any],
    action_space: gymnasium.Space[Any],
) -> RolloutPolicy:
    """One of `NAMES`.

    Raises:
        AgentRefused: it has no such actions.
    """
    match name:
        case "random":
            return Uniform(action_space)
        case "held":
            return Held(action_space, **parameters)
        case "brownian":
            return Brownian(action_space, **parameters)
        case "perlin":
            return Perlin(action_space, **parameters)
        case _:
            return RandomNetwork(observation_space, action_space, **parameters)


class SometimesUniform:
    """Another policy, some of whose actions are replaced by uniform ones."""

    def __init__(
        self, policy: RolloutPolicy, action_space: gymnasium.Space[Any], share: float
    ) -> None:
        self._policy, self._uniform, self._share = policy, Uniform(action_space), share

    def begin(self, rng: np.random.Generator) -> None:
        self._rng, uniform, policy = rng.spawn(3)
        self._uniform.begin(uniform)
        self._policy.begin(policy)

    def act_in(self, environment: Problem) -> None:
        """See `RolloutPolicy`."""
        if hasattr(self._policy, "act_in"):
            self._policy.act_in(environment)

    def act(self, observation: Any) -> Any:
        action = self._policy.act(observation)
        return self._uniform.act(observation) if self._rng.random() < self._share else action
