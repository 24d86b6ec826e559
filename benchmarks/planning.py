"""How many nodes a second the planners generate, beside what the bare simulator could.

    python benchmarks/planning.py [--decisions 20] [--repeats 5] [--workers] [--only TEXT]

Whole decisions are timed: simulator, features, network and its training, tree, and the step that is
then taken. The bare simulator does what the search had it do and nothing else, in the same process
and in turns: for each node of the same trees, restore the state that it came from, step, save, and
(Atari) take the screen. CPU seconds of one thread are counted; the best repeat of each is reported.
`--workers` also runs two processes at once beside one alone, by the wall clock.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import click
import msgspec
import numpy as np

import agents
import envs
from agents.base import Transition
from agents.planning.planner import Decision
from agents.planning.tree import Tree
from envs.settings import EnvironmentSettings

ROOT = Path(__file__).resolve().parent.parent


class Case(NamedTuple):
    """What is timed: an environment file, an agent and its hyperparameters."""

    environment: str
    agent: str
    settings: dict[str, Any]


CASES = [
    *(
        Case(f"ALE-{game}-v5-planning", "rolloutIW", {"features": features})
        for game in ("Pong", "Breakout")
        for features in ("basic", "pixel", "ram", "b-prost")
    ),
    *(
        Case(f"ALE-{game}-v5-planning", "piIW", {"features": "dynamic", "nodes": 100})
        for game in ("Pong", "Breakout")
    ),
    Case("KeyDoorMaze0-v1", "rolloutIW", {"features": "basic", "nodes": 50}),
    Case("KeyDoorMaze0-v1", "rolloutIW", {"features": "basic", "nodes": 50, "width": 2}),
    Case("KeyDoorMaze0-v1", "piIW", {"features": "basic", "nodes": 50}),
    Case("KeyDoorMaze0-v1", "piIW", {"features": "dynamic", "nodes": 50}),
]


class Player:
    """An agent in its environment, and the steps of the simulator that its searches took.

    Attributes:
        searched: (state stepped from, action) of each node since the list was cleared.
    """

    def __init__(self, case: Case, seed: int = 0) -> None:
        file = json.loads((ROOT / f"config/environment/{case.environment}.json").read_text())
        file.pop("$schema")
        self.file = msgspec.convert(file, EnvironmentSettings)
        self.environment = envs.make(self.file)
        self.agent = agents.agent_type(case.agent)(
            msgspec.convert(case.settings, agents.settings_type(case.agent)),
            self.environment.observation_space,
            self.environment.action_space,
            gamma=self.file.gamma,
            rng=np.random.default_rng(seed),
            device="cpu",
            simulator=envs.make_simulator(self.file),
        )
        self.searched: list[tuple[Any, int]] = []
        self.agent.on_decision = self._look
        self._begin(seed)

    def _begin(self, seed: int | None) -> None:
        self.observation, _ = self.environment.reset(seed=seed)
        self.agent.act_in(self.environment)

    def _look(self, tree: Tree, decision: Decision) -> None:
        first = decision.statistics.cached + 1
        parents, actions = tree.parent[first:].tolist(), tree.action[first:].tolist()
        for parent, action in zip(parents, actions, strict=True):
            self.searched.append((tree.snapshots[parent], action))

    def decide(self, decisions: int) -> None:
        """Decides, acts and learns so many times."""
        for _ in range(decisions):
            action = self.agent.act(self.observation, explore=True)
            successor, reward, terminated, truncated, _ = self.environment.step(action)
            self.agent.observe(
                Transition(
                    self.observation, action, float(reward), successor, terminated, truncated
                )
            )
            self.observation = successor
            if terminated or truncated:
                self._begin(None)


class Bare:
    """The simulator alone: what it costs to be sent where a search sends it."""

    def __init__(self, file: EnvironmentSettings) -> None:
        self._simulator: Any = envs.make_simulator(file)
        self._is_atari = file.env_name.startswith("ALE/")
        self._screen = np.zeros((210, 160), dtype=np.uint8)

    def go(self, steps: list[tuple[Any, int]]) -> None:
        """Takes these steps, each from its state."""
        if not self._is_atari:
            for snapshot, action in steps:
                self._simulator.restore(snapshot)
                self._simulator.step(action)
                self._simulator.save()
            return
        ale, screen = self._simulator.ale, self._screen
        codes = list(ale.getMinimalActionSet())
        for snapshot, action in steps:
            ale.restoreState(snapshot.inside)
            ale.act(codes[action])
            ale.cloneState()
            ale.getScreen(screen)


class Rate(NamedTuple):
    """Nodes a CPU second of agent and bare simulator, and what the agent's time went into."""

    agent: float
    bare: float
    in_simulator: float
    in_evaluator: float
    in_tree: float


def rate(case: Case, decisions: int, repeats: int) -> Rate:
    """The best of so many repeats, agent and bare simulator in turns."""
    best_agent = best_bare = 0.0
    shares = (0.0, 0.0, 0.0)
    clock = time.process_time
    bare = Bare(Player(case).file)
    for _ in range(repeats):
        player = Player(case)  # the same decisions each time
        player.decide(3)  # compiles
        player.searched.clear()
        seconds = player.agent.planners[True].seconds
        before = (seconds.simulator, seconds.evaluator, seconds.total)
        started = clock()
        player.decide(decisions)
        spent = clock() - started
        if len(player.searched) / spent > best_agent:
            best_agent = len(player.searched) / spent
            now = (seconds.simulator, seconds.evaluator, seconds.total)
            in_simulator, in_evaluator, total = np.subtract(now, before).tolist()
            rest = total - in_simulator - in_evaluator
            shares = (in_simulator / total, in_evaluator / total, rest / total)
        started = clock()
        bare.go(player.searched)
        best_bare = max(best_bare, len(player.searched) / (clock() - started))
    return Rate(best_agent, best_bare, *shares)


def work(case: Case, decisions: int, seed: int, begin: Any, results: Any) -> None:
    """A worker process: waits for the others, then reports nodes, wall and CPU seconds."""
    player = Player(case, seed)
    player.decide(3)
    begin.wait()
    player.searched.clear()
    wall, cpu = time.perf_counter(), time.process_time()
    player.decide(decisions)
    results.put((len(player.searched), time.perf_counter() - wall, time.process_time() - cpu))


def together(case: Case, decisions: int, workers: int) -> tuple[float, float]:
    """Nodes a wall second of so many processes together, and a CPU second of one of them."""
    context = multiprocessing.get_context("spawn")
    begin, results = context.Barrier(workers), context.Queue()
    processes = [
        context.Process(target=work, args=(case, decisions, seed, begin, results))
        for seed in range(workers)
    ]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    nodes = sum(count for count, _, _ in found)
    return nodes / max(wall for _, wall, _ in found), nodes / sum(cpu for _, _, cpu in found)


@click.command()
@click.option("--decisions", default=20, show_default=True, help="Decisions of a repeat.")
@click.option("--repeats", default=5, show_default=True)
@click.option("--only", default="", help="Only rows with this in them.")
@click.option("--workers", is_flag=True, help="Two processes at once, beside one alone.")
def main(decisions: int, repeats: int, only: str, workers: bool) -> None:
    """Prints Markdown tables."""
    chosen = [case for case in CASES if only in f"{case.environment} {name(case)}"]
    print("| environment | agent | nodes/s | bare simulator | share | simulator, evaluator, tree |")
    print("|---|---|---|---|---|---|")
    for case in chosen:
        one = rate(case, decisions, repeats)
        print(
            f"| {case.environment} | {name(case)} | {one.agent:,.0f} | {one.bare:,.0f} "
            f"| {one.agent / one.bare:.0%} | {one.in_simulator:.0%}, {one.in_evaluator:.0%}, "
            f"{one.in_tree:.0%} |",
            flush=True,
        )
    if not workers:
        return
    print("\n| environment | agent | one process | two | ratio | ratio by CPU seconds |")
    print("|---|---|---|---|---|---|")
    for case in chosen:
        one_wall = two_wall = one_cpu = two_cpu = 0.0
        for _ in range(repeats):
            wall, cpu = together(case, decisions, 1)
            one_wall, one_cpu = max(one_wall, wall), max(one_cpu, cpu)
            wall, cpu = together(case, decisions, 2)
            two_wall, two_cpu = max(two_wall, wall), max(two_cpu, cpu)
        print(
            f"| {case.environment} | {name(case)} | {one_wall:,.0f} | {two_wall:,.0f} "
            f"| {two_wall / one_wall:.2f} | {2 * two_cpu / one_cpu:.2f} |",
            flush=True,
        )


def name(case: Case) -> str:
    """Agent and hyperparameters in a few words."""
    settings = [f"{key} {value}" for key, value in case.settings.items() if key != "features"]
    return ", ".join([f"{case.agent} {case.settings['features']}", *settings])


if __name__ == "__main__":
    main()
