"""The agents by name. The only list of them; nothing is imported before it is asked for."""

from __future__ import annotations

import importlib
from typing import Any

#: agent_name -> (settings class, agent class). Settings modules import neither numba nor torch.
AGENTS: dict[str, tuple[str, str]] = {
    "linearAC": (
        "agents.linear.settings:LinearACSettings",
        "agents.linear.actor_critic:LinearActorCritic",
    ),
    "ESarsa": (
        "agents.linear.settings:ExpectedSarsaSettings",
        "agents.linear.expected_sarsa:ExpectedSarsa",
    ),
    "SAC": (
        "agents.soft_actor_critic.settings:SACSettings",
        "agents.soft_actor_critic.agent:SAC",
    ),
    "SACDiscrete": (
        "agents.soft_actor_critic.settings:SACDiscreteSettings",
        "agents.soft_actor_critic.agent:SACDiscrete",
    ),
    "random": (
        "agents.uniform_random:UniformRandomSettings",
        "agents.uniform_random:UniformRandom",
    ),
}


def settings_type(name: str) -> Any:
    """The settings class of agent `name`. Raises KeyError for an unknown name."""
    return _load(AGENTS[name][0])


def agent_type(name: str) -> Any:
    """The class of agent `name`. Raises KeyError for an unknown name."""
    return _load(AGENTS[name][1])


def _load(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)
