"""What is written is what is read, and which action belongs to which observation."""

from __future__ import annotations

import builtins
import pickle
import tempfile
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from rollout_cases import a_folder, a_latent_rollout, a_rollout, a_spec, same

from agents.rollouts.errors import FolderRefused
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.rollout import Rollout
from agents.rollouts.spaces import build, describe

DTYPES = [
    np.dtype(name) for name in ("bool", "u1", "i2", "<i8", "f2", "f4", "f8", ">f4", ">i4", "u8")
]


@st.composite
def _entries(draw: st.DrawFn, length: int) -> NDArray[Any]:
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=3, max_side=4))
    return draw(arrays.arrays(draw(st.sampled_from(DTYPES)), (length, *shape)))


@st.composite
def _rollouts(draw: st.DrawFn) -> list[Rollout]:
    """One or two of the same shapes and dtypes."""
    lengths = draw(st.lists(st.integers(1, 25), min_size=1, max_size=2))
    observations = draw(_entries(sum(lengths) + len(lengths)))
    actions = draw(_entries(sum(lengths)))
    made, step = [], 0
    for place, length in enumerate(lengths):
        rewards = draw(arrays.arrays(np.float32, length))
        end = slice(step + place, step + place + length + 1)
        steps = slice(step, step + length)
        ended, seed = draw(st.tuples(st.booleans(), st.booleans())), draw(st.integers(0, 2**63 - 1))
        attributes = draw(
            st.dictionaries(st.text(max_size=3), st.integers() | st.text(), max_size=2)
        )
        made.append(Rollout(observations[end], actions[steps], rewards, *ended, seed, attributes))
        step += length
    return made


@given(_rollouts())
@settings(max_examples=30)
def test_what_is_written_is_read_to_the_bit(rollouts: list[Rollout]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = RolloutFolder.create(place, a_spec(len(rollouts)))
        folder.write_shard(range(len(rollouts)), rollouts)
        data = Rollouts(place)
        assert data.lengths.tolist() == [rollout.length for rollout in rollouts]
        assert data.observation_dtype == rollouts[0].observations.dtype
        assert data.observation_shape == rollouts[0].observations.shape[1:]
        assert data.action_dtype == rollouts[0].actions.dtype
        for read, written in zip(data, rollouts, strict=True):
            assert same(read, written)


def test_an_action_lies_between_the_observation_it_was_chosen_on_and_the_one_it_led_to(
    tmp_path: Path,
) -> None:
    class Counting(gymnasium.Env[Any, Any]):
        """Shows how many steps there were; the reward is 10 times that plus the action."""

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            self.count = 0
            return np.array([0.0], np.float32), {}

        def step(self, action: Any) -> Any:
            self.count += 1
            seen = np.array([self.count], np.float32)
            return seen, 10.0 * self.count + float(action), self.count == 5, False, {}

    environment = Counting()
    observation, _ = environment.reset()
    observations, actions, rewards, terminated = [observation], [], [], False
    while not terminated:
        action = int(observation[0]) % 3  # chosen on seeing it
        observation, reward, terminated, _, _ = environment.step(action)
        observations.append(observation)
        actions.append(action)
        rewards.append(reward)
    rollout = Rollout(
        np.array(observations), np.array(actions), np.array(rewards, np.float32), True, False, 0
    )
    RolloutFolder.create(tmp_path, a_spec(1)).write_shard([0], [rollout])
    data = Rollouts(tmp_path)
    read = data.rollout(0)
    assert isinstance(read, Rollout)
    assert len(read.observations) == 6 and len(read.actions) == len(read.rewards) == 5
    window: Any = data.sample_slices(np.random.default_rng(0), 20, 3)
    for seen, acts, paid in (
        (read.observations[:, 0], read.actions, read.rewards),
        *zip(window.observations[..., 0], window.actions, window.rewards, strict=True),
    ):
        assert (acts == seen[:-1] % 3).all()
        assert (seen[1:] == seen[:-1] + 1).all()
        assert (paid == 10 * seen[1:] + acts).all()
    assert window.terminated[:, -1].tolist() == (window.observations[:, -1, 0] == 5).tolist()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_latent_rollouts_lie_in_the_same_container(dtype: Any, tmp_path: Path) -> None:
    spec = a_spec(3, kind="latent", latent_dtype=dtype, source={"encoder": "ab"})
    folder = RolloutFolder.create(tmp_path, spec)
    written = [a_latent_rollout(number, 700 * number + 5) for number in range(3)]
    path = folder.write_shard(range(3), written)
    assert path.name.startswith("latents-")
    data = Rollouts(tmp_path)
    assert data.is_latent and data.observation_shape == (4,)
    for read, one in zip(data, written, strict=True):
        assert same(read, one)
    assert (data.observations(2, 3, 9) == written[2].means[3:9]).all()


def test_a_latent_too_large_for_its_dtype_is_refused(tmp_path: Path) -> None:
    folder = RolloutFolder.create(tmp_path, a_spec(kind="latent"))
    one = a_latent_rollout(0, 3)
    with pytest.raises(ValueError, match="100000 is too large for float16"):
        folder.write_shard([0], [one._replace(means=np.full((4, 4), -1e5, np.float32))])


def test_a_folder_of_latents_takes_no_raw_rollout(tmp_path: Path) -> None:
    folder = RolloutFolder.create(tmp_path, a_spec(kind="latent"))
    with pytest.raises(ValueError, match="holds latent rollouts"):
        folder.write_shard([0], [a_rollout(0)])
    assert [path.name for path in tmp_path.iterdir()] == ["folder.json"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"observations": np.zeros((4, 2))}, "4 actions has 5 observations, not 4"),
        ({"actions": np.zeros((0, 2))}, "one step at least"),
        ({"rewards": np.zeros(5, np.float32)}, "4 actions have 4 rewards"),
        ({"observations": np.array(["a"] * 5)}, "observations are numbers"),
        ({"seed": -1}, "a seed lies between"),
    ],
)
def test_what_is_no_rollout_is_refused(
    changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = RolloutFolder.create(tmp_path, a_spec())
    with pytest.raises(ValueError, match=message):
        folder.write_shard([0], [a_rollout(0, 4)._replace(**changed)])
    assert folder.shards() == []


def test_rollouts_of_one_shard_have_one_shape(tmp_path: Path) -> None:
    folder = RolloutFolder.create(tmp_path, a_spec())
    other = a_rollout(1)._replace(actions=np.zeros((5, 7), np.float32))
    with folder.writer() as writer:
        writer.add(0, a_rollout(0))
        with pytest.raises(ValueError, match=r"actions of float32 \(7,\) among those of"):
            writer.add(1, other)
        writer.add(1, a_rollout(1))
    assert [read.seed for read in Rollouts(tmp_path)] == [1000, 1001]


def test_without_the_plugin_gzip_is_used_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "hdf5plugin":
            raise ImportError(name)
        return real(name, *rest)

    a_folder(tmp_path / "zstd", 2)
    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda number: number < 32000)
    with pytest.warns(UserWarning, match="hdf5plugin is not installed: shards are compressed with"):
        a_folder(tmp_path / "gzip", 2)
    assert same(Rollouts(tmp_path / "gzip").rollout(1), a_rollout(1))


def test_the_hash_is_that_of_the_rollouts_not_of_the_shards(tmp_path: Path) -> None:
    one, other = a_folder(tmp_path / "one", 6, 2), a_folder(tmp_path / "other", 6, 4)
    assert Rollouts(one.path).content_hash == Rollouts(other.path).content_hash
    changed = RolloutFolder.create(tmp_path / "changed", a_spec(6))
    rollouts = [a_rollout(number) for number in range(6)]
    rollouts[3].rewards[0] = 1
    changed.write_shard(range(6), rollouts)
    assert Rollouts(changed.path).content_hash != Rollouts(one.path).content_hash


def test_a_data_set_can_be_sent_to_another_process(tmp_path: Path) -> None:
    data = Rollouts(a_folder(tmp_path).path)
    data.rollout(0)
    assert same(pickle.loads(pickle.dumps(data)).rollout(5), a_rollout(5))


@pytest.mark.parametrize(
    "space",
    [
        gymnasium.spaces.Box(0, 255, (4, 3), np.uint8),
        gymnasium.spaces.Box(-np.inf, np.array([1.5, np.inf], np.float32), (2,)),
        gymnasium.spaces.Box(-(2**62) - 1, 2**62 + 1, (2,), np.int64),
        gymnasium.spaces.Discrete(5, start=-2),
        gymnasium.spaces.MultiDiscrete([3, 4]),
        gymnasium.spaces.MultiBinary(4),
        gymnasium.spaces.MultiBinary([2, 3]),
    ],
    ids=str,
)
def test_spaces_are_written_down(space: gymnasium.Space[Any]) -> None:
    assert build(describe(space)) == space


def test_a_space_that_cannot_be_written_down_is_refused(tmp_path: Path) -> None:
    space = gymnasium.spaces.Dict({"a": gymnasium.spaces.Discrete(2)})
    with pytest.raises(FolderRefused, match="the kinds of spaces that can: Box"):
        RolloutFolder.create(tmp_path / "folder", a_spec(observation_space=space))
