"""How fast the linear actor-critic acts and learns, against the same algorithm in plain numpy.

    python benchmarks/linear_speed.py [--steps 100000] [--repeats 5]

Both run in this process on one thread, in turns, on the continuing Pendulum with 16 tilings of 8
bins; CPU seconds of the process are counted, the best repeat is reported. The numpy version is
written the usual way: a dense trace vector for each function, features by array arithmetic.
A second table has whole runs through the training loop, alone and in groups of one process.
"""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import click
import msgspec
import numpy as np

import envs
from agents.base import Transition
from agents.linear.actor_critic import LinearActorCritic
from agents.linear.settings import LinearACSettings
from envs.wrappers import Problem
from experiment.configuration import build_experiment
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.run import Options, build_training

ENVIRONMENT = {
    "env_name": "sweep/PendulumContinuing-v1",
    "steps_per_episode": None,
    "eval_episodes": 0,
    "gamma": 1.0,
}
SETTINGS = LinearACSettings(
    decay=0.5, critic_lr=0.3, actor_lr=0.01, avg_reward_lr=0.002, scaled=True
)


class NumpyActorCritic:
    """The average-reward Gaussian actor-critic with dense traces, in numpy alone."""

    def __init__(self, low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> None:
        self.T, self.B, self.rng = 16, 8, rng
        self.low, self.width = low.astype(float), (high - low).astype(float)
        self.offsets = np.arange(self.T)[:, None] / (self.B * self.T)
        self.radix = self.B ** np.arange(len(low))[::-1]
        self.first = 1 + np.arange(self.T) * self.B ** len(low)
        size = self.T * self.B ** len(low) + 1
        self.v, self.u_mean, self.u_std = np.zeros(size), np.zeros(size), np.zeros(size)
        self.e_v, self.e_mean, self.e_std = np.zeros(size), np.zeros(size), np.zeros(size)
        self.average_reward = 0.0

    def features(self, observation: np.ndarray) -> np.ndarray:
        z = np.clip((observation - self.low) / self.width, 0, 1) + self.offsets
        cells = np.minimum((z * self.B).astype(int), self.B - 1)
        return np.append(cells @ self.radix + self.first, 0)

    def act(self, observation: np.ndarray, *, explore: bool) -> np.ndarray:
        self.x = self.features(observation)
        self.mean = self.u_mean[self.x].sum()
        self.std = math.exp(min(max(self.u_std[self.x].sum(), -6.9), 6.9))
        return np.array([self.mean + self.std * self.rng.standard_normal()])

    def observe(self, transition: Transition) -> None:
        successor = self.features(transition.next_observation)
        decay, active = SETTINGS.decay, self.T + 1
        delta = transition.reward - self.average_reward
        delta += self.v[successor].sum() - self.v[self.x].sum()
        self.average_reward += SETTINGS.avg_reward_lr * delta
        error = transition.action[0] - self.mean
        for trace, gradient in (
            (self.e_v, 1.0),
            (self.e_mean, error / self.std**2),
            (self.e_std, error**2 / self.std**2 - 1),
        ):
            trace *= decay
            trace[self.x] += gradient
        self.v += SETTINGS.critic_lr / active * delta * self.e_v
        actor_step = SETTINGS.actor_lr * self.std**2 / active * delta  # scaled by the variance
        self.u_mean += actor_step * self.e_mean
        self.u_std += actor_step * self.e_std


class Alone:
    """A group of one, handed what the loop hands it, seen as a single agent."""

    def __init__(self, group: LinearActorCritic) -> None:
        self.group = group
        self.observations: list[Any] = [None]
        self.actions: Any = None
        self.rewards, self.false = np.zeros(1), np.zeros(1, dtype=bool)

    def act(self, observation: np.ndarray, *, explore: bool) -> Any:
        if observation is not self.observations[0]:
            self.observations = [observation]
        self.actions = self.group.act(self.observations, [0], explore=explore)
        return self.actions[0]

    def observe(self, transition: Transition) -> None:
        successors = [transition.next_observation]
        self.rewards[0] = transition.reward
        self.group.observe(
            self.observations, self.actions, self.rewards, successors, self.false, self.false, [0]
        )
        self.observations = successors


def agent_seconds(agent: Any, environment: Problem, steps: int) -> tuple[float, float]:
    """CPU seconds of acting and learning alone, and the mean reward, over `steps`."""
    observation, _ = environment.reset(seed=0)
    clock, spent, total = time.process_time, 0.0, 0.0
    for _ in range(steps):
        started = clock()
        action = agent.act(observation, explore=True)
        spent += clock() - started
        successor, reward, terminated, truncated, _ = environment.step(action)
        transition = Transition(
            observation, action, float(reward), successor, terminated, truncated
        )
        started = clock()
        agent.observe(transition)
        spent += clock() - started
        observation, total = successor, total + float(reward)
    return spent, total / steps


def clock_seconds(steps: int) -> float:
    """What reading the clock costs in `agent_seconds`, to be taken off."""
    clock, spent = time.process_time, 0.0
    for _ in range(2 * steps):
        started = clock()
        spent += clock() - started
    return spent


def make_agents(environment: Problem) -> dict[str, Any]:
    """A fresh pair with equal seeds."""
    space: Any = environment.observation_space
    return {
        "linearAC": Alone(
            LinearActorCritic(
                [SETTINGS],
                space,
                environment.action_space,
                gamma=1.0,
                rngs=[np.random.default_rng(0)],
                device="cpu",
            )
        ),
        "plain numpy": NumpyActorCritic(space.low, space.high, np.random.default_rng(0)),
    }


def whole_run(members: int, steps: int) -> tuple[float, float]:
    """Wall and CPU seconds of whole runs through the training loop, all in one group."""
    agent_file = {"agent_name": "linearAC", "parameters": msgspec.to_builtins(SETTINGS)}
    experiment = build_experiment(
        {**ENVIRONMENT, "total_timesteps": steps}, agent_file, "environment", "agent"
    )
    folder = ResultFolder(Path(), Manifest.of(experiment, 0))
    training = build_training(experiment, list(map(folder.run, range(members))), Options())
    wall, cpu = time.perf_counter(), time.process_time()
    training.advance(math.inf)
    return time.perf_counter() - wall, time.process_time() - cpu


#: Members of a group -> timesteps of each, in units of --steps.
GROUPS = {1: 1.0, 10: 0.5, 100: 0.1, 360: 0.1}


@click.command()
@click.option("--steps", default=100_000, show_default=True)
@click.option("--repeats", default=5, show_default=True)
def main(steps: int, repeats: int) -> None:
    """Prints two Markdown tables."""
    settings = envs.EnvironmentSettings(
        env_name="sweep/PendulumContinuing-v1",
        total_timesteps=steps,
        steps_per_episode=None,
        eval_episodes=0,
    )
    environment = envs.make(settings)
    agent_seconds(make_agents(environment)["linearAC"], environment, 1000)  # compiles
    best = {"linearAC": math.inf, "plain numpy": math.inf}
    rewards: dict[str, float] = {}
    runs: dict[int, list[tuple[float, float]]] = {members: [] for members in GROUPS}
    for _ in range(repeats):
        for name, agent in make_agents(environment).items():
            spent, rewards[name] = agent_seconds(agent, environment, steps)
            best[name] = min(best[name], spent - clock_seconds(steps))
        for members, part in GROUPS.items():
            runs[members].append(whole_run(members, int(part * steps)))
    print("| | acting and learning, µs a step | mean reward a step |")
    print("|---|---|---|")
    for name, spent in best.items():
        print(f"| {name} | {spent / steps * 1e6:.1f} | {rewards[name]:.3f} |")
    print(f"\nratio: {best['plain numpy'] / best['linearAC']:.1f}x\n")
    print("| members of the group | member-steps a second | a CPU second | CPU µs a member-step |")
    print("|---|---|---|---|")
    for members, seconds in runs.items():
        taken = members * int(GROUPS[members] * steps)
        wall, cpu = (min(each) for each in zip(*seconds, strict=True))
        print(f"| {members} | {taken / wall:,.0f} | {taken / cpu:,.0f} | {cpu / taken * 1e6:.2f} |")


if __name__ == "__main__":
    main()
