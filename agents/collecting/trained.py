"""A trained agent of this project as a policy, as it acts in evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.base import AgentRefused
from agents.collecting.learned import adopt

if TYPE_CHECKING:
    from envs.settings import EnvironmentSettings
    from envs.wrappers import Problem


class TrainedAgent:
    """See `agents.collecting.policies.RolloutPolicy`.

    Args:
        name: of the agent.
        setting: its hyperparameters.
        weights: what it has learned, as .npz; None: as it begins.

    Raises:
        AgentRefused: the agent cannot act here, or the weights are another agent's.
    """

    def __init__(
        self,
        name: str,
        setting: Mapping[str, Any],
        weights: str | None,
        settings: EnvironmentSettings,
        environment: Problem,
    ) -> None:
        import msgspec

        import agents

        typed = msgspec.convert(dict(setting), agents.settings_type(name))
        kind = agents.agent_type(name)
        spaces = (environment.observation_space, environment.action_space)
        common: dict[str, Any] = {"gamma": settings.gamma, "device": "cpu"}
        # what it begins with is the same in every process; an episode brings its own numbers
        rng = np.random.default_rng(0)
        if getattr(kind, "DRIVES", False):
            self._actor: _Member | _Single | _Driver = _Driver(
                kind(typed, *spaces, rng=rng, **_driver_arguments(settings), **common)
            )
        elif getattr(kind, "GROUPS", False):
            if getattr(kind, "COUNTS_ON_STEPS", False):
                common["steps"] = settings.total_timesteps
            self._actor = _Member(kind([typed], *spaces, rngs=[rng], **common))
        else:
            if getattr(kind, "PLANS", False):
                common["simulator"] = _simulator(settings, typed)
                environment.remember()
            self._actor = _Single(kind(typed, *spaces, rng=rng, **common))
        if weights is not None:
            self._actor.take(_read(Path(weights)), weights)

    def begin(self, rng: np.random.Generator) -> None:
        self._actor.begin(rng)

    def act_in(self, environment: Problem) -> None:
        """Tells a planner where it acts."""
        self._actor.act_in(environment)

    def act(self, observation: Any) -> Any:
        return self._actor.act(observation)


class _Single:
    """An `agents.base.Agent`."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent

    def take(self, learned: dict[str, Any], where: str) -> None:
        learner = getattr(self._agent, "learner", None)
        if learner is None:
            adopt(self._agent, learned)
            return
        try:
            learner.network.set_params(learned)
        except ValueError as error:
            raise AgentRefused(f"{where}: {error}") from None

    def begin(self, rng: np.random.Generator) -> None:
        self._agent.evaluation_rng = rng

    def act_in(self, environment: Problem) -> None:
        if hasattr(self._agent, "act_in"):
            self._agent.act_in(environment)

    def act(self, observation: Any) -> Any:
        return self._agent.act(observation, explore=False)


class _Member:
    """An `agents.group.GroupAgent` of one."""

    def __init__(self, group: Any) -> None:
        self._group = group

    def take(self, learned: dict[str, Any], where: str) -> None:
        adopt(self, learned)

    def begin(self, rng: np.random.Generator) -> None:
        self._group.begin_evaluation(0, rng)

    def act_in(self, environment: Problem) -> None:
        """It sees observations alone."""

    def act(self, observation: Any) -> Any:
        return self._group.act([observation], [0], explore=False)[0]

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = self._group.state_dict(0)
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._group.load_state_dict(0, state)

    def learned_params(self) -> Mapping[str, np.ndarray]:
        learned: Mapping[str, np.ndarray] = self._group.learned_params(0)
        return learned


class _Driver:
    """An `agents.base.Driver`."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._begun = [0]

    def take(self, learned: dict[str, Any], where: str) -> None:
        adopt(self._driver, learned)

    def begin(self, rng: np.random.Generator) -> None:
        self._driver.begin_evaluation(rng)
        self._begun = [0]

    def act_in(self, environment: Problem) -> None:
        """It sees observations alone."""

    def act(self, observation: Any) -> Any:
        begun, self._begun = self._begun, []
        (action,) = self._driver.act_many([observation], [0], begun=begun, legal=None)
        return action


def _driver_arguments(settings: EnvironmentSettings) -> dict[str, Any]:
    from experiment.driven import Environments
    from experiment.streams import Streams

    return {
        "make_environment": Environments(settings, Streams.of(0), None),
        "total_timesteps": settings.total_timesteps,
        "report": lambda episode: None,
    }


def _simulator(settings: EnvironmentSettings, typed: Any) -> Any:
    from envs.simulator import check_exact, make_simulator

    bins = getattr(typed, "bins", None)
    simulator = make_simulator(settings, **({} if bins is None else {"bins": bins}))
    check_exact(simulator, np.random.default_rng(0))
    return simulator


def _read(path: Path) -> dict[str, Any]:
    from experiment.errors import ConfigError
    from experiment.looking import read_learned

    try:
        return read_learned(path)
    except (ConfigError, OSError) as error:
        raise AgentRefused(str(error)) from None
