"""MuZero in several processes, real ones: what they do together, and what is left when one ends."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from batches import small, some_batch
from killed_runs import saved_timestep, wait_for_checkpoint
from sweep_runs import build, command, write_files

from agents.base import AgentRefused, WorkerLost
from agents.muzero.agent import MuZero
from agents.muzero.building import widths_of
from agents.muzero.dense import initial
from agents.muzero.networks import Network
from agents.muzero.observations import Observations
from agents.muzero.parallel.actors import Actors
from agents.muzero.parallel.devices import check_trainers, trainer_gpu
from agents.muzero.parallel.letters import Mailbox
from agents.muzero.parallel.trainers import Trainers
from agents.muzero.parallel.weights import SharedWeights
from agents.muzero.replay import Field, Replay
from agents.muzero.settings import MuZeroSettings
from agents.muzero.targets import LAST, STEP, TERMINAL
from agents.muzero.torch_building import build_torch_learner, dense_network
from agents.processes import CONTEXT
from experiment.configuration import Experiment
from experiment.driven import DrivenTraining
from experiment.errors import ConfigError
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.run import Options, build_training
from experiment.signals import EXIT_SAVED

BEGINS, RATIO, LAG, ENVIRONMENTS, STEPS_PER_EPISODE = 30, 0.25, 4, 5, 23
QUICK: dict[str, Any] = {
    "actors": [2],
    "max_policy_lag": [LAG],
    "num_envs": [ENVIRONMENTS],
    "batch_size_per_worker": [8],
    "hidden_size": [8],
    "hidden_dim": [8],
    "num_simulations": [4],
    "multistep": [5],
    "jumps": [2],
    "steps_before_learning": [BEGINS],
    "replay_ratio": [RATIO],
    "buffer_size": [2000],
}
CARTPOLE: dict[str, Any] = {
    "env_name": "CartPole-v1",
    "total_timesteps": 403,
    "steps_per_episode": STEPS_PER_EPISODE,
}


def agent(**parameters: Any) -> dict[str, Any]:
    return {"agent_name": "MuZero", "parameters": QUICK | parameters}


def training_of(experiment: Experiment) -> DrivenTraining:
    folder = ResultFolder(Path(), Manifest.of(experiment, 0))
    training = build_training(experiment, [folder.run(0)], Options())
    assert isinstance(training, DrivenTraining)
    return training


def test_actors_go_on_where_they_were_and_where_one_was_killed_its_episodes_begin_anew() -> None:
    """Each row of the replay follows on the one before it, by the equations of CartPole."""
    experiment = build(agent(), **CARTPOLE, eval_episodes=0)
    training = training_of(experiment)
    driver, fleet = parts_of(training)
    advance(driver, fleet, 150)
    lost = fleet._crews[1]
    assert lost.worker is not None
    os.kill(lost.worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerLost, match="actor 2 of 2 was killed by SIGKILL"):
        driver.advance(400, lambda: False)
    saved = pickle.dumps(training.state_dict(0))
    training.close()

    training = training_of(experiment)
    training.load_state_dict(0, pickle.loads(saved))
    driver, fleet = parts_of(training)
    assert driver.timestep >= 150
    advance(driver, fleet, 303)
    found = training.provenance(0)
    training.close()
    assert 0 < found["updates_of_policy_lag_at_most"] <= np.ceil((LAG + 1) * ENVIRONMENTS * RATIO)
    assert found["actors"] == 2
    assert found["steps_per_second_of_acting"] > 0
    assert found["updates_per_second_of_learning"] > 0
    assert found["equal_in_any_group"] == "statistically"
    replay = driver.training.replay
    begun_anew = [beginnings_but_for_ends(replay, e) for e in range(ENVIRONMENTS)]
    assert [begun_anew[slot] for slot in fleet._crews[0].slots] == [0, 0]
    assert [begun_anew[slot] for slot in fleet._crews[1].slots] == [1, 1, 1]
    # different environments, and different beginnings of each
    begun = replay.arrays["observations"][:, 0]
    assert len(np.unique(begun, axis=0)) == ENVIRONMENTS
    assert driver.reward_sum == 303


def parts_of(training: DrivenTraining) -> tuple[MuZero, Actors]:
    driver = training.driver
    assert isinstance(driver, MuZero)
    assert isinstance(driver.fleet, Actors)
    return driver, driver.fleet


def advance(driver: MuZero, fleet: Actors, until: int) -> None:
    """In stretches that end within rounds; the ratio of updates holds at each of them."""
    while driver.timestep < until:
        border = min(driver.timestep + 17, until)
        driver.advance(border, lambda: False)
        assert driver.timestep == border
        rounds = border // ENVIRONMENTS
        due = int((rounds * ENVIRONMENTS - BEGINS) * RATIO)
        assert driver.training.learner.updates == max(0, due)
        assert all(crew.received <= rounds + 1 + LAG for crew in fleet._crews)


def beginnings_but_for_ends(replay: Replay, environment: int) -> int:
    """How often an episode begins where none had ended by itself or by its time."""
    model: Any = gymnasium.make("CartPole-v1").unwrapped
    model.reset(seed=0)
    rows = range(int(replay.written[environment]))
    assert len(rows) > 55
    arrays = {name: array[environment] for name, array in replay.arrays.items()}
    anew = begun = 0
    for before, after in pairwise(rows):
        if arrays["kinds"][before] in (TERMINAL, LAST):
            assert (np.abs(arrays["observations"][after]) <= 0.05).all()  # an episode begins
            in_time = arrays["kinds"][before] == TERMINAL or before - begun == STEPS_PER_EPISODE
            anew += not in_time
            begun = after
            continue
        model.state = arrays["observations"][before].astype(np.float64)
        seen, *_ = model.step(arrays["actions"][before])
        assert arrays["observations"][after] == pytest.approx(seen, abs=1e-5)
    return anew


def test_signals_reach_a_run_through_one_of_its_processes_and_no_other_survives_it(
    tmp_path: Path,
) -> None:
    fields = CARTPOLE | {"total_timesteps": 10**6, "eval_episodes": 0}
    arguments = write_files(tmp_path, agent(actors=[1]), **fields)

    def run_until(end: Callable[[int], None]) -> tuple[int, str]:
        process = subprocess.Popen(
            command(*arguments, "--checkpoint-minutes", "0.003"),
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        wait_for_checkpoint(process, tmp_path)
        end(process.pid)
        _, said = process.communicate(timeout=60)
        deadline = time.monotonic() + 20
        while is_there(process.pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return process.returncode, said

    code, said = run_until(lambda pid: os.killpg(pid, signal.SIGTERM))
    assert code == EXIT_SAVED, said
    before = saved_timestep(tmp_path)
    code, said = run_until(lambda pid: os.kill(actor_of(pid), signal.SIGKILL))
    assert code == 1, said
    assert "error: index 0: actor 1 of 1 was killed by SIGKILL" in said
    assert f"saved at timestep {saved_timestep(tmp_path):,}, run it again to go on" in said
    assert "Traceback" not in said
    between = saved_timestep(tmp_path)
    code, _ = run_until(lambda pid: os.kill(pid, signal.SIGKILL))
    assert code == -signal.SIGKILL
    assert 0 < before < between < saved_timestep(tmp_path)


def actor_of(pid: int) -> int:
    """The process that a process has started to act."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (actor,) = [
        child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    return int(actor)


def is_there(group: int) -> bool:
    """Whether any process of a group is."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def new_network(settings: MuZeroSettings) -> Network:
    widths = widths_of(settings, 5, 3)
    first = initial(widths, np.random.default_rng(0), zero_heads=False)
    return dense_network(settings, widths, first, np.random.default_rng(0))


def test_two_trainers_take_the_steps_of_one_with_twice_the_batch_and_one_that_ends_is_missed() -> (
    None
):
    one, both = small(batch_size_per_worker=12), small(num_trainers=2)
    observations = Observations(gymnasium.spaces.Box(-1, 1, (5,)))
    rng = np.random.default_rng(1)
    alone = build_torch_learner(one, new_network(one), observations, "cpu", rng)
    together = Trainers(both, new_network(both), observations, "cpu", rng)
    for _ in range(3):
        batch = some_batch(rng, one, inputs=5, actions=3)
        its, theirs = alone.update(*batch, 0.01), together.update(*batch, 0.01)
        assert theirs.errors == pytest.approx(its.errors, rel=1e-5, abs=1e-5)
        assert theirs.losses == pytest.approx(its.losses, rel=1e-5, abs=1e-6)
        for name, array in alone.learned_params().items():
            assert together.learned_params()[name] == pytest.approx(array, abs=1e-6)
        alone.renew_target()
        together.renew_target()
    assert together.updates == 3

    before = together.state_dict()
    (worker,) = together._workers
    os.kill(worker.pid, signal.SIGSTOP)  # in the middle of an update: the other one waits for it
    threading.Timer(0.3, os.kill, (worker.pid, signal.SIGKILL)).start()
    with pytest.raises(WorkerLost, match="trainer 2 of 2 was killed by SIGKILL"):
        together.update(*batch, 0.01)
    after = together.state_dict()
    assert all(np.array_equal(after["network"][k], v) for k, v in before["network"].items())
    assert after["updates"] == together.updates == 3
    together.close()


def test_weights_are_never_read_half_written() -> None:
    arrays: dict[str, Any] = {"one": np.zeros(300_000, np.float32), "other": np.zeros((), np.int64)}
    shared = SharedWeights(arrays)
    stop = threading.Event()

    def write() -> None:
        version = 0
        while not stop.is_set():
            version += 1
            shared.write(version, {name: np.full_like(a, version) for name, a in arrays.items()})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        versions = []
        for _ in range(50):
            version, read = shared.read()
            assert all((array == version).all() for array in read.values())
            versions.append(version)
    finally:
        stop.set()
        writer.join()
    assert versions == sorted(versions)


def test_messages_that_do_not_fit_into_their_memory_come_through_the_pipe() -> None:
    near, far = CONTEXT.Pipe()
    mailbox = Mailbox([np.zeros(10)])
    for message in ([np.arange(10.0)], [np.arange(10.0), np.arange(50)]):
        mailbox.send(near, message)
        opened = mailbox.open(far.recv())
        assert [array.tolist() for array in opened] == [array.tolist() for array in message]


@pytest.mark.parametrize(("newest", "becomes"), [(STEP, LAST), (TERMINAL, TERMINAL), (LAST, LAST)])
def test_nothing_follows_on_a_row_after_which_the_environment_was_lost(
    newest: int, becomes: int
) -> None:
    fields = {"policies": Field((2,), np.float32)}
    replay = Replay(1, 20, fields, unroll=2, actions=2, discount=0.9)
    replay.cut(0)
    for kind in (STEP, STEP, newest):
        replay.add(0, kinds=kind, rewards=1.0, values=5.0)
    replay.cut(0)
    replay.add(0, kinds=STEP, rewards=100.0, values=1000.0)
    assert replay.arrays["kinds"][0, :4].tolist() == [STEP, STEP, becomes, STEP]
    assert len(replay) == 4 - (becomes == LAST)
    batch = replay.sample(64, np.random.default_rng(0), horizon=5)
    old = batch.starts < 3
    assert batch.targets.sums[old].max() <= 3
    assert not (batch.targets.rows[old] == 3).any()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"actors": [3], "num_envs": [2], "buffer_size": [100]}, "actors <= num_envs"),
        ({"actors": [0], "actor_device": ["cuda"]}, 'actor_device "cuda" needs actors'),
        ({"no_gpu_0_train": [True], "num_trainers": [2]}, "add --device cuda"),
        pytest.param(
            {"actor_device": ["cuda"]},
            "torch finds no GPU",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_what_cannot_be_shared_is_said(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        training_of(build(agent(**parameters), **CARTPOLE))


def test_nobody_watches_environments_of_other_processes() -> None:
    experiment = build(agent(), **CARTPOLE)
    folder = ResultFolder(Path(), Manifest.of(experiment, 0))
    with pytest.raises(ConfigError, match="other processes, where --monitor sees nothing"):
        build_training(experiment, [folder.run(0)], Options(monitor_after=0))


def test_trainers_have_the_gpus_in_turn_and_may_leave_the_first_one_alone() -> None:
    assert [trainer_gpu(rank, 3, spare_first=False) for rank in range(4)] == [0, 1, 2, 0]
    assert [trainer_gpu(rank, 3, spare_first=True) for rank in range(4)] == [1, 2, 1, 2]
    with pytest.raises(AgentRefused, match="two GPUs or more"):
        check_trainers(small(num_trainers=2, no_gpu_0_train=True), "cuda", 1)
    with pytest.raises(AgentRefused, match="--device cuda, not cuda:1"):
        check_trainers(small(num_trainers=2), "cuda:1", 4)
