"""Plan an episode without learning. See `python -m agents.piiw.plan --help`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiment import processor
from experiment.looking import look_at, read_learned, refusals

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agents.planning.planner import Decision
    from agents.planning.planning_agent import PlanningAgent
    from envs.wrappers import Problem

processor.settle()
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

HELP = """Plan an episode, decision after decision, and learn nothing.

The planner is Rollout IW, or what an agent file says (the setting of --index); --weights gives the
network of a piIW or piHIW what a run of it has learned (main.py --record learned_params).

A line a decision: its number, the action, the reward that came of it, nodes generated and kept from
before, nodes that were not novel, mean and greatest depth; * where nothing was left to search.

\b
Exit codes: 0 done, 2 the input cannot be used.
"""
_FILE = click.Path(path_type=Path, dir_okay=False)
_HEAD = f"{'':>5} {'action':<16} {'reward':>8} {'nodes':>6} {'kept':>5} {'pruned':>6} {'depth':>9}"


@click.command(help=HELP, context_settings={"max_content_width": 100})
@click.option("--env-json", type=_FILE, required=True, help="Environment file.")
@click.option("--agent-json", type=_FILE, help="Agent file of a planner. [default: rolloutIW's]")
@click.option("--index", type=click.IntRange(min=0), default=0, help="Setting of the agent file.")
@click.option("--budget", type=click.IntRange(min=1), help="New nodes of a decision.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of episode and planner.")
@click.option("--decisions", type=click.IntRange(min=1), help="Stop after so many.")
@click.option("--one-step", is_flag=True, help="Plan one decision and stop.")
@click.option("--weights", type=_FILE, help="What a network has learned, as .npz.")
@click.option("-o", "--output", type=_FILE, help="Write the search of a decision as JSON.")
@click.option(
    "--decision",
    "searched",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which one -o writes; plotting/search_tree.py draws it.",
)
@click.option("--video", type=_FILE, help="Write the episode as .mp4 or .gif.")
def main(
    env_json: Path,
    agent_json: Path | None,
    index: int,
    budget: int | None,
    seed: int,
    decisions: int | None,
    one_step: bool,
    weights: Path | None,
    output: Path | None,
    searched: int,
    video: Path | None,
) -> None:
    with refusals(env_json), contextlib.ExitStack() as stack:
        episode = Episode(env_json, agent_json, index, budget, seed)
        stack.callback(episode.close)
        if weights is not None:
            episode.take_weights(weights)
        if video is not None:
            episode.film(video, stack)
        episode.play(1 if one_step else decisions, searched if output else None)
        stack.close()
        if output is not None:
            episode.write_search(output, searched)


class Episode:
    """A planner in an environment.

    Raises:
        SweepError, EnvironmentRefused, AgentRefused: the input cannot be used.
    """

    def __init__(
        self, env_json: Path, agent_json: Path | None, index: int, budget: int | None, seed: int
    ) -> None:
        import numpy as np

        import envs
        from agents.base import AgentRefused
        from envs.simulator import check_exact, make_simulator
        from experiment.errors import ConfigError
        from experiment.files import read_json_object

        agent_file: Any = {"agent_name": "rolloutIW", "parameters": {}}
        if agent_json is not None:
            agent_file = read_json_object(agent_json)
        looked = look_at(env_json, agent_file, str(agent_json), index)
        experiment, agent_type, _ = looked
        if not getattr(agent_type, "PLANS", False):
            raise ConfigError(f"{agent_json}: {experiment.agent_name} is no planner")
        settings = looked.settings(**({} if budget is None else {"nodes": budget}))
        self.name, self.settings = experiment.agent_name, settings
        self.environment: Problem = envs.make(experiment.environment, render_mode=None)
        self.drawn = experiment.environment
        simulator = make_simulator(experiment.environment, bins=settings.bins)
        check_exact(simulator, np.random.default_rng(0))
        self.seed = seed
        self.agent: PlanningAgent[Any] = agent_type(
            settings,
            self.environment.observation_space,
            self.environment.action_space,
            gamma=experiment.environment.gamma,
            rng=np.random.default_rng(seed),
            device="cpu",
            simulator=simulator,
        )
        if getattr(settings, "evaluation", "planning") != "planning":
            raise AgentRefused(f'{agent_json}: evaluation is "policy", which plans nothing')
        self.total = 0.0
        self._search: dict[str, Any] | None = None
        self._number = 0
        self._nodes = 0
        self._wanted: int | None = None
        self._decision: Decision | None = None
        self._guide: NDArray[np.float64] | None = None
        self._video: Any = None
        self.agent.on_decision = self._see

    def take_weights(self, path: Path) -> None:
        """Gives the network what a run has learned."""
        from agents.base import AgentRefused

        learner = getattr(self.agent, "learner", None)
        if learner is None:
            raise AgentRefused(f"{self.name} has no network that could take {path}")
        try:
            learner.network.set_params(read_learned(path))
        except ValueError as error:
            raise AgentRefused(f"{path}: {error}") from None

    def film(self, path: Path, stack: contextlib.ExitStack) -> None:
        """Has the episode written to a video when `stack` is left."""
        import envs
        from agents.planning.episode_video import EpisodeVideo

        self.environment.close()
        self.environment = envs.make(self.drawn, render_mode="rgb_array")
        self._video = stack.enter_context(
            EpisodeVideo(path, self.agent.simulator.action_names, title=self._title)
        )

    @property
    def _title(self) -> str:
        return f"{self.name}, {self.drawn.env_name}, {self.settings.nodes} nodes"

    def play(self, most: int | None, wanted: int | None) -> None:
        """Plays until the episode is over or `most` decisions are taken, and prints them.

        Args:
            wanted: the decision whose search is kept.
        """
        import numpy as np

        environment, agent = self.environment, self.agent
        self._wanted = wanted
        observation, _ = environment.reset(seed=self.seed)
        agent.evaluation_rng = np.random.default_rng(self.seed)
        agent.act_in(environment)
        click.echo(_HEAD)
        over = False
        while not over and (most is None or self._number < most):
            picture = environment.render() if self._video else None
            action = agent.act(observation, explore=False)
            if self._video:
                self._film(picture, self._decision)
            observation, reward, terminated, truncated, _ = environment.step(action)
            self.total += float(reward)
            self._print(float(reward))
            over = terminated or truncated
            self._number += 1
        if self._video:
            self._film(environment.render(), None)
        end = "terminated" if over and terminated else "truncated" if over else "left"
        click.echo(
            f"decisions: {self._number}, nodes: {self._nodes}, return: {self.total:g} ({end})"
        )

    def _see(self, tree: Any, decision: Decision) -> None:
        """What the agent decided, before its tree is cut."""
        self._decision = decision
        self._nodes += decision.statistics.generated
        self._guide = tree.prior_table[0].copy()
        if self._number == self._wanted:
            self._search = self._record(tree, decision)

    def _record(self, tree: Any, decision: Decision) -> dict[str, Any]:
        from agents.planning.search_record import search_record, simulated_pictures

        simulator, evaluator = self.agent.simulator, self.agent.evaluator
        whole = tree.whole() if hasattr(tree, "whole") else tree
        features: Any = getattr(evaluator, "features", evaluator)
        return search_record(
            whole,
            decision,
            self.agent.planners[False],
            actions=simulator.action_names,
            title=f"{self._title}, decision {self._number}",
            environment=self.drawn.env_name,
            name=self.name,
            budget=self.agent.budget,
            atom_name=features.name,
            pictures=simulated_pictures(whole, simulator),
        )

    def _film(self, picture: Any, decision: Decision | None) -> None:
        self._video.add(picture, decision, episode_return=self.total, guide=self._guide)

    def _print(self, reward: float) -> None:
        decision = self._decision
        assert decision is not None  # the agent has just decided
        seen = decision.statistics
        name = self.agent.simulator.action_names[decision.action]
        click.echo(
            f"{self._number:>5} {name:<16} {reward:>8g} {seen.generated:>6} {seen.cached:>5} "
            f"{seen.pruned:>6} {seen.mean_depth:>5.1f} {seen.max_depth:>3}"
            f"{' *' if seen.solved else ''}"
        )

    def write_search(self, path: Path, wanted: int) -> None:
        """Writes the search that was kept."""
        from agents.search_file import save

        click.echo(save(self._search, path, wanted, self._number))

    def close(self) -> None:
        self.environment.close()
        self.agent.simulator.close()


if __name__ == "__main__":
    main()
