"""An episode of MuZero that learns nothing, and the search of one of its decisions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiment.looking import look_at, read_learned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.muzero.agent import MuZero
    from agents.search.search import Search
    from envs.settings import EnvironmentSettings
    from envs.wrappers import Problem

_HEAD = f"{'':>5} {'action':<16} {'reward':>8} {'search':>9} {'network':>9}  visits"


class Episode:
    """MuZero in an environment.

    Raises:
        SweepError, EnvironmentRefused, AgentRefused: the input cannot be used.
    """

    def __init__(
        self,
        env_json: Path,
        agent_json: Path,
        index: int,
        simulations: int | None,
        opponent: str | None,
        seed: int,
    ) -> None:
        import msgspec
        import numpy as np

        import envs
        from agents.muzero.agent import MuZero
        from experiment.driven import Environments
        from experiment.errors import ConfigError
        from experiment.files import read_json_object
        from experiment.streams import Streams

        looked = look_at(env_json, read_json_object(agent_json), str(agent_json), index)
        if looked.agent_type is not MuZero:
            raise ConfigError(f"{agent_json}: {looked.experiment.agent_name} is not MuZero")
        settings = looked.settings(
            **({} if simulations is None else {"eval_simulations": simulations})
        )
        drawn = looked.experiment.environment
        if opponent is not None:
            kwargs = {**drawn.eval_kwargs, "opponent": opponent}
            drawn = msgspec.structs.replace(drawn, eval_kwargs=kwargs)
        self.drawn: EnvironmentSettings = drawn
        self.environment: Problem = envs.make(drawn, evaluation=True)
        streams = Streams.of(seed)
        self.seed = seed
        self.agent: MuZero = MuZero(
            settings,
            self.environment.observation_space,
            self.environment.action_space,
            gamma=drawn.gamma,
            rng=np.random.default_rng(streams.agent),
            device="cpu",
            make_environment=Environments(drawn, streams, None),
            total_timesteps=drawn.total_timesteps,
            report=lambda _: None,
        )
        self._names = _action_names(self.environment)
        self._total = 0.0
        self._number = 0
        self._record: dict[str, Any] | None = None

    def take_weights(self, path: Path) -> None:
        """Gives the network what a run has learned."""
        from agents.base import AgentRefused
        from agents.muzero.interfaces import check_params

        learner = self.agent.training.learner
        try:
            learned = read_learned(path)
            check_params(learned, learner.learned_params())
        except ValueError as error:
            raise AgentRefused(f"{path}: {error}") from None
        learner.adopt(learned)

    def play(self, most: int | None, wanted: int | None) -> None:
        """Plays until the episode is over or `most` decisions are taken, and prints them.

        Args:
            wanted: the decision whose search is kept.
        """
        import numpy as np

        from envs.masks import mask_of, stacked

        environment, agent = self.environment, self.agent
        if wanted is not None and self._can_be_drawn():
            environment = self._with_pictures()
        two_sided = getattr(environment.unwrapped, "players", 1) == 2
        side = 1
        observation, info = environment.reset(seed=self.seed)
        agent.begin_evaluation(np.random.default_rng(self.seed))
        click.echo(_HEAD)
        over = False
        while not over and (most is None or self._number < most):
            picture: Any = environment.render() if self._number == wanted else None
            legal = stacked([mask_of(info)])
            begun = [] if self._number else [0]
            (action,) = agent.act_many([observation], [0], begun=begun, legal=legal)
            if self._number == wanted:
                self._record = self._recorded(action, picture)
            observation, reward, terminated, truncated, info = environment.step(action)
            self._print(action, float(reward))
            self._total += side * float(reward)
            side = -side if two_sided else side
            over = terminated or truncated
            self._number += 1
        end = "terminated" if over and terminated else "truncated" if over else "left"
        click.echo(f"decisions: {self._number}, return: {self._total:g} ({end})")

    def _can_be_drawn(self) -> bool:
        return "rgb_array" in self.environment.metadata.get("render_modes", ())

    def _with_pictures(self) -> Problem:
        import envs

        self.environment.close()
        self.environment = envs.make(self.drawn, evaluation=True, render_mode="rgb_array")
        return self.environment

    def _searched(self) -> Search:
        search = self.agent.looked_at
        assert search is not None  # the agent has just decided
        return search

    def _print(self, action: Any, reward: float) -> None:
        search = self._searched()
        found = search.found
        assert found is not None
        network = search.trees.nodes[0, 0]["evaluation"]
        visits = " ".join(map(str, found.visits[0].tolist()))
        click.echo(
            f"{self._number:>5} {self._in_words(action):<16} {reward:>8g} "
            f"{found.values[0]:>9.4g} {network:>9.4g}  {visits}"
        )

    def _in_words(self, action: Any) -> str:
        import numpy as np

        if self._names:
            return self._names[int(action) - self._first]
        return " ".join(f"{value:.3g}" for value in np.ravel(action))

    @property
    def _first(self) -> int:
        return int(getattr(self.environment.action_space, "start", 0))

    def _recorded(self, action: Any, picture: NDArray[Any] | None) -> dict[str, Any]:
        from agents.base import AgentRefused
        from agents.search.record import tree_record

        if not self._names:
            raise AgentRefused(
                f"-o writes searches over finitely many actions: those of {self.drawn.env_name} "
                f"are {self.environment.action_space}"
            )
        search = self._searched()
        simulations = search.settings.simulations
        return tree_record(
            search,
            self._names,
            chosen=int(action) - self._first,
            title=f"MuZero, {self.drawn.env_name}, {simulations} simulations, "
            f"decision {self._number}",
            environment=self.drawn.env_name,
            name="MuZero",
            picture=picture,
        )

    def write_search(self, path: Path, wanted: int) -> None:
        """Writes the search that was kept."""
        from agents.search_file import save

        click.echo(save(self._record, path, wanted, self._number))

    def close(self) -> None:
        """Closes all environments."""
        self.environment.close()
        self.agent.close()


def _action_names(environment: Problem) -> list[str]:
    """Empty where there are not finitely many."""
    from gymnasium.spaces import Discrete

    from envs.simulators.base import finite_actions

    if not isinstance(environment.action_space, Discrete):
        return []
    return list(finite_actions(environment, 1)[1])
