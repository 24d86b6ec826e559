"""From settings to the agent of a group: its random streams, and the simulators of planners."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

import agents
from agents.base import AgentRefused
from agents.group import Ensemble, GroupAgent, Planners
from experiment.agent_file import check_rules
from experiment.configuration import Experiment
from experiment.folder import Run
from experiment.member import Member

if TYPE_CHECKING:
    from agents.base import AgentSettings
    from envs.settings import EnvironmentSettings
    from envs.simulator import Simulator
    from envs.wrappers import Problem


def drives(experiment: Experiment) -> bool:
    """Whether the agent plays in environments of its own: see `agents.base.Driver`."""
    return bool(getattr(agents.agent_type(experiment.agent_name), "DRIVES", False))


def keeps_files(experiment: Experiment) -> bool:
    """Whether the agent is given folders of its own: see `agents.base.Files`."""
    return bool(getattr(agents.agent_type(experiment.agent_name), "KEEPS_FILES", False))


def build_agent(
    experiment: Experiment,
    runs: Sequence[Run],
    members: Sequence[Member],
    device: str,
    further: int,
) -> GroupAgent:
    """The agent of a group.

    Args:
        members: a member for each of `runs`, in their order.
        further: runs that come after these.

    Raises:
        AgentRefused, EnvironmentRefused: the agent or its simulator cannot work here.
    """
    settings_type = agents.settings_type(experiment.agent_name)
    agent_type = agents.agent_type(experiment.agent_name)
    settings, rngs = [], []
    for run, member in zip(runs, members, strict=True):
        setting = experiment.grid.setting(run.setting)
        check_rules(settings_type, setting)
        settings.append(msgspec.convert(setting, settings_type))
        rngs.append(np.random.default_rng(member.streams.agent))
    environment = members[0].environment
    check_players(experiment, environment)
    spaces = (environment.observation_space, environment.action_space)
    common: dict[str, Any] = {"gamma": experiment.environment.gamma, "device": device}
    if getattr(agent_type, "COUNTS_ON_STEPS", False):
        steps = experiment.environment.total_timesteps * (len(runs) + further)
        common["steps"] = math.inf if experiment.environment.eval_episodes else steps
    if getattr(agent_type, "GROUPS", False):
        group: GroupAgent = agent_type(settings, *spaces, rngs=rngs, **common)
        return group
    if getattr(agent_type, "PLANS", False):
        planners = []
        for one, rng, member in zip(settings, rngs, members, strict=True):
            if not member.saves_mid_episode:
                member.environment.remember()
            simulator = _simulator(experiment.environment, one)
            planners.append(agent_type(one, *spaces, rng=rng, simulator=simulator, **common))
        return Planners(planners, device)
    return Ensemble(
        [
            agent_type(one, *spaces, rng=rng, **common)
            for one, rng in zip(settings, rngs, strict=True)
        ],
        device,
    )


def check_players(experiment: Experiment, environment: Problem) -> None:
    """
    Raises:
        AgentRefused: the environment is played from both sides, which the agent does not know.
    """
    players = getattr(environment.unwrapped, "players", 1)
    agent_type = agents.agent_type(experiment.agent_name)
    if players > 1 and not getattr(agent_type, "PLAYS_BOTH_SIDES", False):
        raise AgentRefused(
            f"{experiment.agent_name} would take what is good for the other side for good for its "
            "own: it cannot play both; choose another opponent than self in kwargs"
        )


def _simulator(environment: EnvironmentSettings, settings: AgentSettings) -> Simulator:
    """One of its own for a planner, seen to be exact."""
    from envs.simulator import check_exact, make_simulator

    bins = getattr(settings, "bins", None)
    simulator = make_simulator(environment, **({} if bins is None else {"bins": bins}))
    check_exact(simulator, np.random.default_rng(0))
    return simulator
