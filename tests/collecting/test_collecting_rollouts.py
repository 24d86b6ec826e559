"""A rollout is its number's, whoever plays; nothing is lost, and nobody waits in vain."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders_to_fill import Heard, environment, new_folder

from agents.base import AgentRefused, WorkerLost
from agents.collecting import collect, collect_rollout, describe_policy, make_policy
from agents.collecting.claims import Claims
from agents.collecting.episodes import streams_of
from agents.rollouts.reading import Rollouts

SLOW = describe_policy("folders_to_fill:slow")


def play(name: str, max_steps: int | None = None, policy: str = "random", number: int = 0) -> Any:
    settings, env = environment({"env_name": name, "total_timesteps": 100})
    seed, rng = streams_of(0, number)
    described = describe_policy(policy)
    return env, collect_rollout(env, make_policy(described, settings, env), seed, rng, max_steps)


@pytest.mark.parametrize("name", ["CartPole-v1", "sweep/PendulumContinuous-v1"])
def test_an_action_was_chosen_on_the_observation_of_its_index(name: str) -> None:
    env, rollout = play(name, 40)
    observation, _ = env.reset(seed=rollout.seed)
    for t, action in enumerate(rollout.actions):
        assert np.array_equal(rollout.observations[t], observation)
        observation, reward, terminated, _, _ = env.step(action)
        assert rollout.rewards[t] == np.float32(reward)
        assert terminated == (rollout.terminated and t == len(rollout.actions) - 1)
    assert np.array_equal(rollout.observations[-1], observation)
    assert len(rollout.observations) == len(rollout.actions) + 1


def test_one_that_is_cut_was_truncated_and_one_that_ended_was_not() -> None:
    _, cut = play("CartPole-v1", 5)
    assert (cut.length, cut.terminated, cut.truncated) == (5, False, True)
    _, ended = play("CartPole-v1")
    assert (ended.terminated, ended.truncated) == (True, False)
    _, limited = play("sweep/GridWorld-v1", 4)
    assert (limited.length, limited.terminated, limited.truncated) == (4, False, True)


def test_actions_are_kept_within_their_bounds_in_the_type_of_the_space() -> None:
    env, rollout = play("sweep/PendulumContinuous-v1", 60, "brownian")
    assert rollout.actions.dtype == env.action_space.dtype
    assert (np.abs(rollout.actions) <= env.action_space.high).all()
    _, discrete = play("CartPole-v1", 20)
    assert discrete.actions.dtype == np.int64


def test_the_same_rollouts_come_of_any_number_of_processes_in_any_order(tmp_path: Path) -> None:
    hashes = set()
    for name, workers, first in (("here", 0, [11, 3]), ("beside", 2, None)):
        folder = new_folder(tmp_path / name, 12, describe_policy("held"), seed=5)
        if first is not None:
            assert collect(folder.spec, folder, workers=workers, numbers=first).complete
            assert folder.missing() == [n for n in range(12) if n not in first]
        ended = collect(folder.spec, folder, workers=workers)
        assert ended.complete and ended.rollouts == 12 - len(first or [])
        rollouts = Rollouts(folder.path)
        assert rollouts.numbers.tolist() == [*range(12)]
        hashes.add(rollouts.content_hash)
    assert len(hashes) == 1
    other = new_folder(tmp_path / "other", 12, describe_policy("held"), seed=6)
    collect(other.spec, other, workers=0)
    assert Rollouts(other.path).content_hash not in hashes


def test_what_is_there_is_not_collected_again(tmp_path: Path) -> None:
    folder = new_folder(tmp_path, 5)
    collect(folder.spec, folder, workers=0)
    before = folder.shards()
    assert collect(folder.spec, folder, workers=2).rollouts == 0
    assert folder.shards() == before


def test_more_can_be_asked_for_later(tmp_path: Path) -> None:
    few = new_folder(tmp_path, 3)
    collect(few.spec, few, workers=0)
    few.finalize()
    more = new_folder(tmp_path, 6)
    assert collect(more.spec, more, workers=0).rollouts == 3
    assert more.finalize()["rollouts"] == 6


def test_asked_to_stop_it_keeps_what_is_over_and_goes_on_later(tmp_path: Path) -> None:
    folder = new_folder(tmp_path, 60, SLOW)
    heard = Heard()
    ended = collect(
        folder.spec, folder, workers=0, progress=heard, stop=lambda: heard.rollouts >= 7
    )
    assert not ended.complete
    assert len(folder.missing()) == 53
    again = collect(folder.spec, folder, workers=0)
    assert again.complete and again.rollouts == 53


def test_a_process_that_dies_is_told_of_and_replaced(tmp_path: Path) -> None:
    folder = new_folder(tmp_path, 150, SLOW)
    heard = Heard()
    victims: list[int] = []

    def stop() -> bool:
        """Kills the one that plays, once, in the middle of its work."""
        if heard.rollouts >= 10 and not victims:
            children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
            for child in " ".join(file.read_text() for file in children).split():
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    victims.append(int(child))
                    os.kill(int(child), signal.SIGKILL)
        return False

    ended = collect(folder.spec, folder, workers=1, progress=heard, stop=stop)
    assert ended.complete and ended.lost == 1
    assert folder.missing() == []
    assert any("worker 0 was killed by SIGKILL" in text for text in heard.said)


def test_a_policy_that_takes_its_process_with_it_is_given_up(tmp_path: Path) -> None:
    folder = new_folder(tmp_path, 4, describe_policy("os:_exit"))
    with pytest.raises(WorkerLost, match="worker 0 ended with exit code"):
        collect(folder.spec, folder, workers=1)


def test_what_cannot_be_played_is_refused_in_the_words_of_the_process(tmp_path: Path) -> None:
    weights = {"name": "SAC", "setting": {}, "weights": str(tmp_path / "none"), "sha256": ""}
    folder = new_folder(tmp_path, 4, weights)
    with pytest.raises(AgentRefused, match="cannot be read"):
        collect(folder.spec, folder, workers=1)


def test_what_another_process_has_in_hand_is_left_to_it_until_it_lets_go(tmp_path: Path) -> None:
    folder = new_folder(tmp_path, 6)
    ready, gone = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:  # has two of them in hand, and dies with them
        claims = Claims(folder.path)
        assert claims.take(2) and claims.take(4)
        os.write(ready[1], b"x")
        os.read(gone[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    heard = Heard()
    threading.Timer(1.0, os.write, (gone[1], b"x")).start()
    held: list[list[int]] = []

    def stop() -> bool:
        missing = [*folder.missing()]
        if missing == [2, 4] and not held:
            held.append(missing)
        return False

    began = time.monotonic()
    assert collect(folder.spec, folder, workers=0, progress=heard, stop=stop).complete
    os.waitpid(child, 0)
    assert held == [[2, 4]]
    assert time.monotonic() - began >= 0.9
    assert folder.missing() == []
