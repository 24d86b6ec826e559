"""A member's numbers are the same to the bit whatever company it trains in."""

from __future__ import annotations

import pickle

import msgspec
import numpy as np
import pytest
from members import VARIANTS, World, batch, equal_states, mixed

from agents.base import AgentRefused
from agents.neural.group import LearnerGroup
from agents.neural.policies.factory import CONTINUOUS
from agents.soft_actor_critic.settings import SACSettings

MEMBERS = 12
STEPS = 330


def train(
    variant: str, members: list[int], steps: int = STEPS
) -> tuple[LearnerGroup, World, np.ndarray]:
    settings = mixed(VARIANTS[variant], MEMBERS)
    agent = batch([settings[m] for m in members], members)
    world = World(members)
    return agent, world, np.stack(world.run(agent, steps))


@pytest.mark.parametrize("variant", VARIANTS)
def test_company_does_not_change_a_bit(variant: str) -> None:
    everybody = list(range(MEMBERS))
    agent, _, actions = train(variant, everybody)
    for members in (everybody[::-1], [7, 2, 10], [3], [11]):
        other, _, other_actions = train(variant, members)
        for slot, member in enumerate(members):
            assert other_actions[:, slot].tobytes() == actions[:, member].tobytes()
            assert equal_states(other.state_dict(slot), agent.state_dict(member))
            assert other.metrics(slot) == agent.metrics(member)


@pytest.mark.parametrize("policy_type", CONTINUOUS)
def test_company_does_not_change_a_bit_of_any_policy(policy_type: str) -> None:
    base = msgspec.structs.replace(SACSettings(), policy_type=policy_type, batch_size=9)
    settings = mixed(base, 5)
    states = []
    for members in ([0, 1, 2, 3, 4], [4, 1], [4]):
        agent = batch([settings[m] for m in members], members)
        World(members).run(agent, 60)
        states.append(agent.state_dict(members.index(4)))
        assert not agent.diverged
    assert equal_states(states[0], states[1])
    assert equal_states(states[0], states[2])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_loaded_member_goes_on_to_the_bit(variant: str) -> None:
    agent, world, _ = train(variant, [0, 1, 2])
    saved = pickle.dumps([agent.state_dict(member) for member in range(3)])
    states, rngs = world.states[1:2].copy(), pickle.dumps(world.rngs[1:2])
    expected = world.run(agent, 300)

    # the middle one goes on alone
    other, other_world, _ = train(variant, [1], steps=40)
    other.load_state_dict(0, pickle.loads(saved)[1])
    other_world.states, other_world.rngs = states, pickle.loads(rngs)
    resumed = other_world.run(other, 300)
    assert np.stack(resumed)[:, 0].tobytes() == np.stack(expected)[:, 1].tobytes()
    assert equal_states(other.state_dict(0), agent.state_dict(1))


def test_members_go_on_from_one_timestep() -> None:
    agent, world, _ = train("pathwise", [0, 1], steps=50)
    early = agent.state_dict(0)
    world.run(agent, 1)
    agent.load_state_dict(0, early)
    with pytest.raises(ValueError, match=r"different timesteps: \[50, 51\]"):
        world.run(agent, 1)


def test_saving_changes_nothing() -> None:
    agent, world, _ = train("pathwise", [0, 1], steps=100)
    before = pickle.dumps(agent.state_dict(0))
    assert pickle.dumps(agent.state_dict(0)) == before
    world.run(agent, 20)
    assert pickle.loads(before)["steps"] == 100


@pytest.mark.parametrize("variant", VARIANTS)
def test_members_that_leave_together_leave_the_others_alone(variant: str) -> None:
    everybody, leaving, staying = list(range(6)), [4, 1, 2], [0, 3, 5]
    agent, world, _ = train(variant, everybody, steps=60)
    left, left_world, _ = train(variant, everybody, steps=60)
    left.freeze(leaving)
    assert left.live == tuple(staying)
    frozen = pickle.dumps([(left.state_dict(m), left.metrics(m)) for m in leaving])
    for member in everybody:
        assert equal_states(left.state_dict(member), agent.state_dict(member))

    expected, actual = np.stack(world.run(agent, 60)), np.stack(left_world.run(left, 60))
    assert actual[:, staying].tobytes() == expected[:, staying].tobytes()
    for member in staying:
        assert equal_states(left.state_dict(member), agent.state_dict(member))
        assert left.metrics(member) == agent.metrics(member)
    assert pickle.dumps([(left.state_dict(m), left.metrics(m)) for m in leaving]) == frozen


@pytest.mark.parametrize("variant", ["VAC", "GreedyAC", "FKL", "TD3", "DQN"])
def test_members_that_diverge_together_leave_together(variant: str) -> None:
    agent, world, _ = train(variant, [0, 1, 2, 3], steps=60)
    poisoned, poisoned_world, _ = train(variant, [0, 1, 2, 3], steps=60)
    for member in range(4):
        state = poisoned.state_dict(member)
        if member in (0, 2):
            state["critics"]["values"][:] = np.nan
        poisoned.load_state_dict(member, state)
    expected, actual = np.stack(world.run(agent, 40)), np.stack(poisoned_world.run(poisoned, 40))
    assert sorted(poisoned.diverged) == [0, 2] and poisoned.live == (1, 3)
    assert poisoned.state_dict(0)["updates"] == poisoned.state_dict(2)["updates"]
    for member in (1, 3):
        assert actual[:, member].tobytes() == expected[:, member].tobytes()
        assert equal_states(poisoned.state_dict(member), agent.state_dict(member))


@pytest.mark.parametrize("variant", ["pathwise", "likelihood", "discrete"])
def test_a_member_that_diverges_leaves_the_others_alone(variant: str) -> None:
    agent, world, _ = train(variant, [0, 1, 2, 3], steps=200)
    poisoned, poisoned_world, _ = train(variant, [0, 1, 2, 3], steps=200)
    state = poisoned.state_dict(2)
    state["actor"]["values"][:] = np.nan
    poisoned.load_state_dict(2, state)

    expected = np.stack(world.run(agent, 100))
    actual = np.stack(poisoned_world.run(poisoned, 100))
    assert list(poisoned.diverged) == [2]
    assert poisoned.diverged[2] in ("the action", "the critic loss", "the actor loss")
    assert poisoned.live == (0, 1, 3)
    for member in (0, 1, 3):
        assert actual[:, member].tobytes() == expected[:, member].tobytes()
        assert equal_states(poisoned.state_dict(member), agent.state_dict(member))
    frozen = pickle.dumps(poisoned.state_dict(2))
    poisoned_world.run(poisoned, 5)
    assert pickle.dumps(poisoned.state_dict(2)) == frozen
    assert pickle.loads(frozen)["steps"] - 200 in (0, 1)


def test_frozen_members_stand_still_and_all_may_be_frozen() -> None:
    agent, world, _ = train("pathwise", [0, 1], steps=60)
    agent.freeze([0])
    agent.freeze([0])
    frozen = pickle.dumps((agent.state_dict(0), agent.metrics(0), agent.learned_params(0)))
    world.run(agent, 30)
    assert not agent.diverged
    assert pickle.dumps((agent.state_dict(0), agent.metrics(0), agent.learned_params(0))) == frozen
    agent.freeze([1, 0])
    assert agent.live == ()
    world.run(agent, 3)


def test_evaluation_changes_nothing() -> None:
    agent, world, _ = train("pathwise", [0, 1], steps=60)
    before = [agent.state_dict(member) for member in range(2)]
    first = agent.act(world.states, [0, 1], explore=False)
    assert agent.act(world.states, [0, 1], explore=False).tobytes() == first.tobytes()
    assert all(equal_states(agent.state_dict(m), before[m]) for m in range(2))


def test_members_must_agree_on_shapes() -> None:
    with pytest.raises(AgentRefused, match="one hidden_dim"):
        batch([SACSettings(), SACSettings(hidden_dim=32)], [0, 1])
