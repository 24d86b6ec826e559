"""Collection of CarRacing rollouts beside the stock environment's loop, writing included.

    python benchmarks/collecting.py [--rollouts 16] [--max-steps 1000] [--processes 2] [--rounds 2]

The loop is that of ctallec/world-models on Gymnasium's CarRacing-v3: each process plays its share
of the rollouts with Brownian actions, and keeps each with `np.savez_compressed`. Beside it, on as
many processes, `python -m agents.world_models.collect` with the same kind of actions. Both take
turns, as whole programs, their start included; CPU time is that of all of their processes.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


class Measured(NamedTuple):
    """Of one program."""

    frames: int
    seconds: float
    cpu_seconds: float
    megabytes: float


def play_stock(folder: str, first: int, end: int, max_steps: int) -> None:
    """What a process of the stock loop does."""
    import gymnasium

    env = gymnasium.make("CarRacing-v3", max_episode_steps=max_steps)
    low, high = env.action_space.low, env.action_space.high  # type: ignore[attr-defined]
    for number in range(first, end):
        rng = np.random.default_rng(number)
        observation, _ = env.reset(seed=number)
        action = rng.uniform(low, high).astype(np.float32)
        observations, actions, rewards, ends = [], [], [], []
        over = False
        while not over:
            step = math.sqrt(1 / 50) * rng.standard_normal(3)
            action = np.clip(action + step, low, high).astype(np.float32)
            observation, reward, terminated, truncated, _ = env.step(action)
            over = terminated or truncated
            observations.append(observation)
            actions.append(action)
            rewards.append(reward)
            ends.append(terminated)
        np.savez_compressed(
            Path(folder, f"rollout_{number}.npz"),
            observations=np.array(observations),
            rewards=np.array(rewards),
            actions=np.array(actions),
            terminals=np.array(ends),
        )
    env.close()


def stock(folder: str, rollouts: int, max_steps: int, processes: int) -> None:
    """The stock loop as a program."""
    context = multiprocessing.get_context("spawn")
    borders = [k * rollouts // processes for k in range(processes + 1)]
    players = [
        context.Process(target=play_stock, args=(folder, *borders[k : k + 2], max_steps))
        for k in range(processes)
    ]
    for player in players:
        player.start()
    for player in players:
        player.join()
        if player.exitcode:
            sys.exit(f"a process ended with exit code {player.exitcode}")


def measured(command: list[str], folder: Path) -> Measured:
    """A program that fills a folder."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if (manifest := folder / "manifest.json").exists():
        frames = json.loads(manifest.read_text())["steps"]
    else:
        frames = sum(len(np.load(file)["rewards"]) for file in folder.glob("*.npz"))
    size = sum(file.stat().st_size for file in folder.iterdir())
    return Measured(frames, seconds, cpu, size / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    for name, default in (("rollouts", 16), ("max-steps", 1000), ("processes", 2), ("rounds", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    totals: dict[str, list[Measured]] = {"stock": [], "collect": []}
    for _ in range(arguments.rounds):
        for name, several in totals.items():
            with tempfile.TemporaryDirectory() as folder:
                several.append(measured(command(name, folder, arguments), Path(folder)))
            one = several[-1]
            print(
                f"{name:8} {one.frames:7,} frames "
                f"{one.seconds:7.1f} s {one.cpu_seconds:7.1f} CPU s "
                f"{one.frames / one.seconds:6.0f} frames/s "
                f"{one.frames / one.cpu_seconds:6.0f} frames/CPU s "
                f"{one.megabytes * 1e3 / one.frames:5.2f} kB/frame",
                flush=True,
            )
    rates = {
        name: [
            sum(one.frames for one in several) / sum(one[column] for one in several)
            for column in (1, 2)
        ]
        for name, several in totals.items()
    }
    wall, cpu = (a / b for a, b in zip(rates["collect"], rates["stock"], strict=True))
    print(f"collect is {wall:.2f} times as fast, and {cpu:.2f} times for the same CPU time")


def command(name: str, folder: str, arguments: argparse.Namespace) -> list[str]:
    """How a program is started."""
    rollouts, steps, processes = (
        str(number) for number in (arguments.rollouts, arguments.max_steps, arguments.processes)
    )
    if name == "stock":
        return [sys.executable, __file__, "--stock", folder, rollouts, steps, processes]
    return [
        *(sys.executable, "-m", "agents.world_models.collect"),
        *("--env-json", "config/environment/CarRacing-v3-fast.json", "--policy", "brownian"),
        *("--rollouts", rollouts, "--max-steps", steps, "--workers", processes, "--out", folder),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stock"]:
        stock(sys.argv[2], *map(int, sys.argv[3:]))
    else:
        main()
