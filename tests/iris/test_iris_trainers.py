"""IRIS with several trainers, real processes: the steps of one, and what is left when one ends."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small_iris import catch_settings, catch_trainer
from small_runs import short
from torch import Tensor

from agents.base import AgentRefused, WorkerLost
from agents.iris.actor_critic import actor_critic_loss
from agents.iris.agent import IRIS
from agents.iris.imagination import Trajectories
from agents.iris.trainers import _generator, devices_of, share_of
from agents.iris.training import Trainer
from experiment.driven import DrivenTraining
from experiment.errors import ConfigError
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.run import Options, build_training

# a process has one group of trainers at a time
pytestmark = pytest.mark.xdist_group("trainers of IRIS")

SMALL: dict[str, Any] = {
    "tokenizer_codebook": "ema_cosine",
    "tokenizer_revive_after": 0,
    "tokenizer_critic_loss_weight": 0.1,
    "tokenizer_ignore_last_of_incomplete": 3,
    "tokenizer_vocab_size": 8,
    "tokenizer_batch_size": 8,
    "tokenizer_grad_acc_steps": 2,
    "tokenizer_steps": 2,
    "world_model_batch_size": 4,
    "world_model_start_epoch": 0,
    "world_model_steps": 2,
    "world_model_learning_rate": 1e-4,
    "actor_critic_batch_size": 6,
    "actor_critic_start_epoch": 0,
    "actor_critic_steps": 3,
    "actor_critic_target_rate": 0.1,
    "collection_num_steps": 40,
}


def trainer(count: int) -> Trainer:
    return catch_trainer(steps=40, num_trainers=count, **SMALL)


def to(phase: str, one: Trainer) -> Trainer:
    while one.position.phase != phase:
        one.unit()
    return one


@pytest.fixture(scope="module")
def two() -> Iterator[Trainer]:
    """At its first update of the actor-critic."""
    one = to("actor_critic", trainer(2))
    yield one
    one.close()


def test_two_take_the_steps_of_one_with_the_whole_batch(two: Trainer) -> None:
    alone = to("actor_critic", trainer(1))
    for name, module in alone.modules().items():
        its = two.modules()[name].state_dict()
        for key, value in module.state_dict().items():
            torch.testing.assert_close(its[key], value, rtol=1e-4, atol=2e-6, msg=f"{name} {key}")
    assert two.losses.keys() == alone.losses.keys()
    for part, loss in alone.losses.items():
        torch.testing.assert_close(two.losses[part].float(), loss.float(), rtol=1e-4, atol=1e-5)


def test_each_imagines_its_share_and_gradients_are_those_of_all(two: Trainer) -> None:
    alone, learner = trainer(1), two.learner
    alone.load_state_dict(pickle.loads(pickle.dumps(two.state_dict())))
    two.unit()

    starts = alone.starts()
    seed = int(torch.randint(2**62, (), generator=alone._generator))
    shares = [
        alone.learner.imagine(
            share_of(starts, rank, 2), _generator(seed, "actor_critic", rank, alone.device)
        )
        for rank in range(2)
    ]
    assert not torch.equal(shares[0].actions, shares[1].actions)
    whole = together(shares)
    network = alone.actor_critic
    loss, parts = actor_critic_loss(network, alone.target, whole, alone.settings)
    loss.backward()  # type: ignore[no-untyped-call]
    for name, value in parts.items():
        found = two.losses[f"actor_critic/{name}"]
        torch.testing.assert_close(found, value, rtol=1e-4, atol=1e-6)
    theirs = dict(learner.actor_critic.named_parameters())
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(theirs[name].grad, parameter.grad, rtol=1e-3, atol=1e-6)


def together(shares: list[Trajectories]) -> Trajectories:
    def one(parts: list[Any]) -> Any:
        if isinstance(parts[0], Tensor):
            return torch.cat(parts)
        return tuple(torch.cat(states, 1) for states in zip(*parts, strict=True))

    return Trajectories(*(one(list(fields)) for fields in zip(*shares, strict=True)))


def test_one_that_ends_is_missed_and_the_run_goes_on_to_the_same_bits(two: Trainer) -> None:
    saved = pickle.dumps(two.state_dict())
    two.unit()
    before = bits(two.state_dict())
    assert two._trainers is not None
    (worker,) = two._trainers._workers
    os.kill(worker.pid, signal.SIGSTOP)  # in the middle of an update: the other one waits for it
    threading.Timer(0.3, os.kill, (worker.pid, signal.SIGKILL)).start()
    with pytest.raises(WorkerLost, match="trainer 2 of 2 was killed by SIGKILL"):
        two.unit()
    assert bits(two.state_dict()) == before
    two.load_state_dict(pickle.loads(saved))
    two.unit()
    assert bits(two.state_dict()) == before
    two.close()


def bits(state: Any) -> bytes:
    """Of networks, optimizers and random numbers."""
    names = ("position", "version", "modules", "optimizers", "rng", "generator", "losses")
    return repr([_plain(state[name]) for name in names]).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.numpy().tobytes() if isinstance(value, Tensor) else value


def test_a_run_says_which_of_them_was_lost_and_stops(tmp_path: Path) -> None:
    experiment = short("transformer", {"num_trainers": [2]}, eval_episodes=0)
    folder = ResultFolder(tmp_path, Manifest.of(experiment, 0))
    training = build_training(experiment, [folder.run(0)], Options(), folder)
    assert isinstance(training, DrivenTraining) and isinstance(training.driver, IRIS)
    driver = training.driver
    driver.advance(31, lambda: False)
    trainers = driver.trainer._trainers
    assert trainers is not None
    os.kill(trainers._workers[0].pid, signal.SIGKILL)
    training.advance(float("inf"))
    assert training.stop and training.lost == (
        "trainer 2 of 2 was killed by SIGKILL (as by a machine that is out of memory)"
    )
    assert training.state_dict(0)
    driver.close()


def test_batches_that_cannot_be_shared_are_refused() -> None:
    with pytest.raises(ConfigError, match="world_model_batch_size a multiple of num_trainers"):
        short("transformer", {"num_trainers": [4], "world_model_batch_size": [6]})


def test_trainers_find_their_gpus_themselves() -> None:
    settings = catch_settings(num_trainers=2)
    assert devices_of(settings, "cpu") == ["cpu", "cpu"]
    with pytest.raises(AgentRefused, match="num_trainers 2 finds a GPU for each itself"):
        devices_of(settings, "cuda:1")
    assert devices_of(catch_settings(), "cuda:1") == ["cuda:1"]
