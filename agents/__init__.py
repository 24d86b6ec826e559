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
    "VAC": (
        "agents.vac.settings:VACSettings",
        "agents.vac.agent:VAC",
    ),
    "VACDiscrete": (
        "agents.vac.settings:VACDiscreteSettings",
        "agents.vac.agent:VACDiscrete",
    ),
    "GreedyAC": (
        "agents.greedy_ac.settings:GreedyACSettings",
        "agents.greedy_ac.agent:GreedyAC",
    ),
    "GreedyACDiscrete": (
        "agents.greedy_ac.settings:GreedyACDiscreteSettings",
        "agents.greedy_ac.agent:GreedyACDiscrete",
    ),
    "FKL": (
        "agents.forward_kl.settings:FKLSettings",
        "agents.forward_kl.agent:FKL",
    ),
    "TD3": (
        "agents.td3.settings:TD3Settings",
        "agents.td3.agent:TD3",
    ),
    "DQN": (
        "agents.dqn.settings:DQNSettings",
        "agents.dqn.agent:DQN",
    ),
    "rolloutIW": (
        "agents.rollout_iw.settings:RolloutIWSettings",
        "agents.rollout_iw.agent:RolloutIWAgent",
    ),
    "piIW": (
        "agents.piiw.settings:PiIWSettings",
        "agents.piiw.agent:PiIWAgent",
    ),
    "piHIW": (
        "agents.piiw.settings:PiHIWSettings",
        "agents.piiw.hierarchical_agent:PiHIWAgent",
    ),
    "MuZero": (
        "agents.muzero.settings:MuZeroSettings",
        "agents.muzero.agent:MuZero",
    ),
    "WorldModel": (
        "agents.world_models.settings:WorldModelSettings",
        "agents.world_models.agent:WorldModel",
    ),
    "IRIS": (
        "agents.iris.settings:IrisSettings",
        "agents.iris.agent:IRIS",
    ),
    "randomPolicy": (
        "agents.random_policy:RandomPolicySettings",
        "agents.random_policy:RandomPolicy",
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
