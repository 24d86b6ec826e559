"""This project for `world_models.py`: the work of each row."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec
import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from serving import Work, serve
from world_models_work import (
    ACTIONS,
    BATCH,
    BATCHES,
    COLLECTED,
    DREAM_STEPS,
    DREAMT,
    ENVIRONMENT_STEPS,
    FEW,
    GENERATIONS,
    HIDDEN,
    LATENTS,
    MANY,
    MIXTURES,
    POPULATION,
    READ_STEPS,
    SIDE,
    STEPS,
    UPDATES,
)

import envs
from agents.collecting.collection import collect
from agents.collecting.policies import describe_policy
from agents.encoders.building import build_encoder
from agents.encoders.files import save_encoder
from agents.encoders.learning import EncoderLearner
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.rollout import Rollout
from agents.rollouts.spec import FolderSpec
from agents.rollouts.verifying import verify
from agents.world_models.controller.company import Company
from agents.world_models.controller.controllers import Controllers
from agents.world_models.controller.imagining import Starts, dream_returns
from agents.world_models.controller.playing import Block, Cast
from agents.world_models.controller.search import Search, Trial
from agents.world_models.dream import Dream
from agents.world_models.sequence.building import build_sequence_model
from agents.world_models.sequence.model import LearnedModel
from agents.world_models.settings import WorldModelSettings
from envs.wrappers import Problem
from experiment.configuration import check_environment
from experiment.files import read_json_object

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / "config" / "environment" / "CarRacing-v3-fast.json"
ACTION_SPACE = Box(np.array([-1, 0, 0], np.float32), np.ones(3, np.float32))
PICTURES = Box(0, 255, (SIDE, SIDE, 3), np.uint8)
#: Rollouts that are played; data sets have each of them several times.
PLAYED = 4


class Maker:
    """Environments with short episodes."""

    def __init__(self, steps: int) -> None:
        content = read_json_object(ENVIRONMENT) | {"steps_per_episode": steps}
        self.settings = check_environment(content, ENVIRONMENT.name)

    def __call__(self, number: int) -> Problem:
        """All are alike: an episode is its seed's."""
        return envs.make(self.settings)

    def seed(self, number: int) -> int:
        """Any."""
        return number


def settings_of(**chosen: Any) -> WorldModelSettings:
    """The published sizes."""
    sizes: dict[str, Any] = {
        "encoder": "vae",
        "representation_size": LATENTS,
        "encoder_batch_size": BATCH,
        "sequence_hidden": HIDDEN,
        "sequence_mixtures": MIXTURES,
        "sequence_reward": True,
        "sequence_end": True,
        "cma_population": POPULATION,
        "cma_episodes": 1,
        "controller_evaluation_interval": 10**6,
    }
    return msgspec.convert(sizes | chosen, WorldModelSettings)


def begin(name: str, folder: Path) -> Work:
    """See `serve`."""
    kind, _, which = name.partition(" ")
    if kind == "data":
        return lambda: make_data(folder)
    if kind == "collect":
        return collecting
    if kind == "verify":
        return verifying(folder / f"shards-{MANY}", which)
    if kind == "read":
        return reading(folder / f"shards-{MANY}")
    if kind == "random":
        count, per_rollout = which.split()
        return drawing(folder / f"shards-{count}", int(per_rollout))
    if kind == "encoder":
        return training(folder / f"shards-{FEW}", which)
    if kind == "imagine":
        return imagining(int(which))
    return evolving_in_dream() if which == "dream" else evolving_in_environment(folder)


def make_data(folder: Path) -> float:
    """The same rollouts as shards, and as .npz as simulusion's collection writes them."""
    played = list(play())
    for count in (FEW, MANY):
        spec = FolderSpec(
            environment=read_json_object(ENVIRONMENT),
            observation_space=PICTURES,
            action_space=ACTION_SPACE,
            policy={"name": "random"},
            rollouts=count,
        )
        files = folder / f"npz-{count}"
        files.mkdir()
        with RolloutFolder.create(folder / f"shards-{count}", spec).writer() as writer:
            for number, one in zip(range(count), itertools.cycle(played), strict=False):
                writer.add(number, one._replace(seed=number))
                np.savez(
                    files / f"rollout_{number:04}.npz",
                    observations=one.observations[:-1],
                    rewards=one.rewards,
                    actions=one.actions,
                    terminals=np.zeros(one.length, np.float32),
                )
    return len(played)


def play() -> Iterator[Rollout]:
    """Rollouts of uniform actions, their pictures resized."""
    import cv2

    environment = Maker(READ_STEPS)(0)
    for seed in range(PLAYED):
        rng = np.random.default_rng(seed)
        seen, _ = environment.reset(seed=seed)
        pictures, rewards = [seen], []
        actions = rng.uniform(ACTION_SPACE.low, ACTION_SPACE.high, (READ_STEPS, ACTIONS))
        for action in actions.astype(np.float32):
            seen, reward, terminated, truncated, _ = environment.step(action)
            pictures.append(seen)
            rewards.append(float(reward))
            if terminated or truncated:
                break
        small = [cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for one in pictures]
        done = actions[: len(rewards)].astype(np.float32)
        yield Rollout(np.stack(small), done, np.array(rewards, np.float32), False, True, seed)
    environment.close()


def collecting() -> float:
    """Uniform actions; pictures as they are, 96 x 96, in shards."""
    with tempfile.TemporaryDirectory() as place:
        environment = Maker(STEPS)(0)
        spec = FolderSpec(
            environment=read_json_object(ENVIRONMENT),
            observation_space=environment.observation_space,
            action_space=environment.action_space,
            policy=describe_policy("random", None, weights=None, random_share=0.0),
            rollouts=COLLECTED,
            max_steps=STEPS,
        )
        folder = RolloutFolder.create(Path(place) / "rollouts", spec)
        collected = collect(spec, folder, workers=0)
        folder.finalize()
        return collected.steps / STEPS


def verifying(place: Path, depth: str) -> Work:
    """Gigabytes: of shards by hash, of pixels by decoding."""
    folder, data = RolloutFolder(place), Rollouts(place)
    size = sum(path.stat().st_size for path in folder.shards())
    if depth == "decode":
        size = data.frames * SIDE * SIDE * 3

    def work() -> float:
        report = verify(folder, "decode" if depth == "decode" else "hash")
        assert not report.damaged
        return size / 1e9

    return work


def reading(place: Path) -> Work:
    """Gigabytes of pixels, each rollout compared with its hash."""
    data = Rollouts(place)

    def work() -> float:
        total = 0
        for one in data:
            assert isinstance(one, Rollout)
            total += one.observations.nbytes
        return total / 1e9

    return work


def drawing(place: Path, per_rollout: int) -> Work:
    """Batches of observations."""
    data, rng = Rollouts(place), np.random.default_rng(0)

    def work() -> float:
        for _ in range(BATCHES):
            data.sample_observations(rng, BATCH, per_rollout=per_rollout)
        return BATCHES * BATCH

    return work


def training(place: Path, precision: str) -> Work:
    """Updates of the encoder, drawing included."""
    settings = settings_of(encoder_precision=precision)
    data, rng = Rollouts(place), np.random.default_rng(0)
    encoder = build_encoder(settings, data.spec.observation_space, 0)
    learner = EncoderLearner(settings, encoder, 0)
    each = settings.encoder_observations_per_rollout

    def updates() -> float:
        for _ in range(UPDATES):
            drawn = data.sample_observations(rng, BATCH, per_rollout=each)
            learner.update(encoder.prepare(drawn))
        learner.means()
        return UPDATES * BATCH

    return updates


def model_of(settings: WorldModelSettings) -> LearnedModel:
    """Untrained; its episodes do not end."""
    model = build_sequence_model(settings, LATENTS, ACTION_SPACE, 0)
    assert isinstance(model, LearnedModel)
    assert model.end_head is not None
    with torch.no_grad():
        model.end_head.bias.fill_(-20.0)
    return model.eval()


def imagining(members: int) -> Work:
    """Frames of latents, rewards and ends."""
    dream = Dream(model_of(settings_of()), max_steps=10**9)
    latents = np.random.default_rng(0).standard_normal((members, LATENTS), np.float32)
    action = torch.zeros(members, ACTIONS)

    def steps() -> float:
        dream.reset(latents, np.arange(members))
        for _ in range(DREAMT[members]):
            dream.step(action)
        return members * DREAMT[members]

    return steps


def search_of(settings: WorldModelSettings, controllers: Controllers) -> Search:
    """CMA-ES of 867 weights."""
    rng = np.random.default_rng(0)
    return Search(settings, controllers.size, rng, np.random.SeedSequence(0), None, np.array)


def next_of(search: Search) -> Trial:
    """The next generation."""
    trial = search.trial()
    assert trial is not None
    return trial


def evolving_in_dream() -> Work:
    """Generations."""
    settings = settings_of(controller_world="dream")
    model = model_of(settings)
    controllers = Controllers(settings, LATENTS, model.feature_size, ACTION_SPACE)
    dream = Dream(model, max_steps=DREAM_STEPS)
    means = np.random.default_rng(0).standard_normal((FEW, LATENTS), np.float32)
    starts, search = Starts(means, np.zeros_like(means)), search_of(settings, controllers)

    def generations() -> float:
        for _ in range(GENERATIONS):
            trial = next_of(search)
            found = dream_returns(
                dream, controllers, starts, trial.weights, trial.seeds, lambda: False
            )
            assert found is not None
            search.tell(trial, found[0])
        return GENERATIONS

    return generations


def evolving_in_environment(folder: Path) -> Work:
    """One generation, its candidates side by side in one process."""
    settings, maker = settings_of(encoder_rows=(0, 84)), Maker(ENVIRONMENT_STEPS)
    space = Box(0, 255, (96, 96, 3), np.uint8)
    save_encoder(folder / "encoder", build_encoder(settings, space, 0))
    memory = model_of(settings).export()
    controllers = Controllers(settings, LATENTS, memory.feature_size, ACTION_SPACE)
    cast = Cast(settings, folder / "encoder", memory, ACTION_SPACE, maker)
    company, search = Company(cast, 0), search_of(settings, controllers)
    width = settings.controller_envs

    def generation() -> float:
        trial = next_of(search)
        weights: NDArray[np.float32] = trial.weights.astype(np.float32)
        seeds = np.repeat(trial.seeds, POPULATION)
        blocks = [
            Block(weights[first : first + width], seeds[first : first + width])
            for first in range(0, POPULATION, width)
        ]
        played = [one for _, some in company.play(blocks, lambda: False) for one in some]
        search.tell(trial, np.array([[one.rewards.sum()] for one in played]))
        return 1

    return generation


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(begin, {name: version(name) for name in ("torch", "gymnasium", "cma")})
