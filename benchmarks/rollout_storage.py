"""How fast rollouts are written, read and verified, beside .npz files and Minari in the same run.

    python benchmarks/rollout_storage.py [--rollouts 60] [--played 6] [--steps 500] [--repeats 3]

Rollouts of CarRacing, driven at random, rows 0 to 83 of each picture resized to 64 x 64 RGB; those
played are kept several times until there are --rollouts. All ways keep the same arrays on the same
disk, in turns, and are read from the operating system's cache. CPU seconds of the process are
counted, user and system, the least of the repeats. "Random" draws observations: 100 of each rollout
that is drawn, or one. Prints a Markdown table; MB are of pixels before compression.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import gymnasium
import numpy as np

from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.rollout import Rollout
from agents.rollouts.spec import FolderSpec
from agents.rollouts.verifying import verify

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / "config" / "environment" / "CarRacing-v3-fast.json"
SHAPE = (64, 64, 3)
PER_ROLLOUT = 100
VISITS = 40
SINGLE = 40


def play(count: int, steps: int) -> list[Rollout]:
    """Rollouts of a random driver, who keeps an action for some steps."""
    import cv2

    import envs
    from experiment.configuration import check_environment
    from experiment.files import read_json_object

    content = read_json_object(ENVIRONMENT)
    environment = envs.make(check_environment(content, ENVIRONMENT.name))
    made = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        seen, _ = environment.reset(seed=seed)
        pictures, over = [seen], False
        actions: list[Any] = []
        rewards: list[float] = []
        action = np.zeros(3, np.float32)
        while not over and len(actions) < steps:
            if rng.random() < 0.1:
                action = rng.uniform([-1, 0, 0], [1, 1, 0.3]).astype(np.float32)
            seen, reward, terminated, truncated, _ = environment.step(action)
            over = terminated or truncated
            pictures.append(seen)
            actions.append(action)
            rewards.append(reward)
        small = [cv2.resize(one[:84], SHAPE[:2], interpolation=cv2.INTER_AREA) for one in pictures]
        made.append(
            Rollout(
                np.stack(small),
                np.stack(actions),
                np.array(rewards, np.float32),
                bool(over and terminated),
                bool(over and truncated),
                seed,
            )
        )
    environment.close()
    return made


def seconds(work: Callable[[], object], repeats: int, before: Callable[[], object]) -> float:
    """Least CPU time."""
    times = []
    for _ in range(repeats):
        before()
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times)


class Way(ABC):
    """A way to keep rollouts in a folder."""

    name: str

    def __init__(self, place: Path) -> None:
        self.place = place

    @abstractmethod
    def write(self, rollouts: list[Rollout]) -> None: ...

    @abstractmethod
    def open(self) -> None:
        """What reading begins with; not timed."""

    @abstractmethod
    def observations(self, i: int) -> Any:
        """All of one rollout."""

    def draw(self, rng: np.random.Generator, i: int, wanted: Any) -> Any:
        return self.observations(i)[wanted]


class Shards(Way):
    name = "these shards"

    def write(self, rollouts: list[Rollout]) -> None:
        spec = FolderSpec(
            environment=json.loads(ENVIRONMENT.read_bytes()),
            observation_space=gymnasium.spaces.Box(0, 255, SHAPE, np.uint8),
            action_space=gymnasium.spaces.Box(-1.0, 1.0, (3,)),
            policy={"name": "held"},
            rollouts=len(rollouts),
        )
        with RolloutFolder.create(self.place, spec).writer() as writer:
            for number, rollout in enumerate(rollouts):
                writer.add(number, rollout)

    def open(self) -> None:
        self.data = Rollouts(self.place)

    def observations(self, i: int) -> Any:
        rollout = self.data.rollout(i)
        assert isinstance(rollout, Rollout)
        return rollout.observations

    def draw(self, rng: np.random.Generator, i: int, wanted: Any) -> Any:
        return self.data.sample_observations(rng, len(wanted), per_rollout=len(wanted))


class Npz(Way):
    name = "np.savez_compressed"

    def write(self, rollouts: list[Rollout]) -> None:
        self.place.mkdir()
        for number, rollout in enumerate(rollouts):
            arrays: dict[str, Any] = rollout._asdict()
            arrays["attributes"] = json.dumps(arrays["attributes"])
            np.savez_compressed(self.place / f"{number}.npz", **arrays)

    def open(self) -> None:
        """Each file is opened as it is read."""

    def observations(self, i: int) -> Any:
        with np.load(self.place / f"{i}.npz") as arrays:
            return arrays["observations"]


class Minari(Way):
    name = "Minari, jpeg_encoding=False"
    jpeg = False

    def write(self, rollouts: list[Rollout]) -> None:
        from minari.data_collector import EpisodeBuffer
        from minari.dataset.minari_storage import MinariStorage

        self.place.mkdir()
        storage = MinariStorage.new(
            self.place,
            gymnasium.spaces.Box(0, 255, SHAPE, np.uint8),
            gymnasium.spaces.Box(-1.0, 1.0, (3,)),
            jpeg_encoding=self.jpeg,
        )
        for number, rollout in enumerate(rollouts):
            ended = np.zeros(rollout.length, bool)
            buffer = EpisodeBuffer(
                id=number,
                observations=list(rollout.observations),
                actions=list(rollout.actions),
                rewards=list(rollout.rewards),
                terminations=list(ended),
                truncations=list(ended),
            )
            storage.update_episodes([buffer])

    def open(self) -> None:
        from minari.dataset.minari_storage import MinariStorage

        self.storage = MinariStorage.read(self.place)

    def observations(self, i: int) -> Any:
        (episode,) = self.storage.get_episodes([i])
        return episode["observations"]


class MinariJpeg(Minari):
    name = "Minari, its default (JPEG, lossy)"
    jpeg = True


def measure(way: Way, rollouts: list[Rollout], repeats: int) -> list[str]:
    """A row of the table."""
    pixels = sum(rollout.observations.nbytes for rollout in rollouts)

    def clear() -> None:
        shutil.rmtree(way.place, ignore_errors=True)

    write = seconds(lambda: way.write(rollouts), repeats, clear)
    size = sum(file.stat().st_size for file in way.place.rglob("*") if file.is_file())
    way.open()
    rng = np.random.default_rng(0)

    def read_all() -> None:
        for i in range(len(rollouts)):
            way.observations(i)

    def draw(visits: int, per_rollout: int) -> None:
        for i in rng.integers(0, len(rollouts), visits):
            wanted = np.sort(rng.integers(0, rollouts[i].length + 1, per_rollout))
            way.draw(rng, int(i), wanted)

    read = seconds(read_all, repeats, way.open)
    many = seconds(lambda: draw(VISITS, PER_ROLLOUT), repeats, way.open)
    single = seconds(lambda: draw(SINGLE, 1), repeats, way.open)
    return [
        way.name,
        f"{pixels / 1e6 / write:,.0f}",
        f"{size / pixels:.1%}",
        f"{pixels / 1e6 / read:,.0f}",
        f"{VISITS * PER_ROLLOUT / many:,.0f}",
        f"{SINGLE / single:,.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=60)
    parser.add_argument("--played", type=int, default=6)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    played = play(arguments.played, arguments.steps)
    rollouts = [played[i % len(played)] for i in range(arguments.rollouts)]
    pixels = sum(rollout.observations.nbytes for rollout in rollouts)
    print(f"{len(rollouts)} rollouts, {pixels / 1e6:,.0f} MB of pixels\n", flush=True)
    print(
        "| kept as | write MB/s | size | read MB/s | "
        f"random/s, {PER_ROLLOUT} per rollout | random/s, single |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as place:
        kinds: list[Callable[[Path], Way]] = [Shards, Npz, Minari, MinariJpeg]
        for number, kind in enumerate(kinds):
            row = measure(kind(Path(place) / str(number)), rollouts, arguments.repeats)
            print(f"| {' | '.join(row)} |", flush=True)
        folder = RolloutFolder(Path(place) / "0")
        size = sum(path.stat().st_size for path in folder.shards())
        data = Rollouts(folder.path)
        rng = np.random.default_rng(0)
        repeats = arguments.repeats
        hashed = seconds(lambda: verify(folder, "hash"), repeats, lambda: None)
        decoded = seconds(lambda: verify(folder, "decode"), repeats, lambda: None)
        sliced = seconds(lambda: data.sample_slices(rng, 500, 32), repeats, lambda: None)
    print(
        f"\nverify by hash {size / 1e9 / hashed:,.1f} GB/s on disk, "
        f"{pixels / 1e9 / hashed:,.1f} GB/s of pixels; "
        f"by decoding {pixels / 1e9 / decoded:,.2f} GB/s of pixels; "
        f"windows of 32 steps: {500 / sliced:,.0f} a second"
    )


if __name__ == "__main__":
    main()
