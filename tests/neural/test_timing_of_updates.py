"""When learners learn, when their targets follow, and what is told of it."""

from __future__ import annotations

import msgspec
import pytest
from members import VARIANTS, World, batch

from agents.soft_actor_critic.settings import SACSettings


@pytest.mark.parametrize("variant", ["pathwise", "VACDiscrete", "GreedyAC", "FKL", "TD3", "DQN"])
def test_updates_come_at_their_interval_so_many_at_a_time(variant: str) -> None:
    settings = msgspec.structs.replace(
        VARIANTS[variant],
        batch_size=4,
        steps_before_learning=5,
        update_interval=3,
        gradient_steps=2,
        uniform_exploration_steps=0,
    )
    agent = batch([settings] * 2, [0, 1])
    world, made = World([0, 1]), []
    for _ in range(12):
        world.run(agent, 1)
        made.append(agent._learner.updates)
    assert made == [0, 0, 0, 0, 0, 2, 2, 2, 4, 4, 4, 6]


def test_every_gradient_step_has_a_batch_of_its_own() -> None:
    agent = batch([SACSettings(batch_size=4, update_interval=20, gradient_steps=3)], [0])
    batches: list[bytes] = []
    agent.report_updates(
        0, lambda name, x: batches.append(x.tobytes()) if name == "update_states" else None
    )
    World([0]).run(agent, 20)
    assert len(batches) == len(set(batches)) == 3


@pytest.mark.parametrize("variant", ["pathwise", "VAC", "GreedyACDiscrete", "FKL", "DQN"])
def test_targets_follow_at_their_interval(variant: str) -> None:
    changes = {"batch_size": 4, "target_update_interval": 3, "update_interval": 1}
    settings = msgspec.structs.replace(VARIANTS[variant], **changes, gradient_steps=1)
    agent = batch([settings], [0])
    world, learner = World([0]), agent._learner
    world.run(agent, 3)
    before = learner.state_dict(0)["critics"]["targets"]
    moved = []
    for _ in range(6):
        world.run(agent, 1)
        after = learner.state_dict(0)["critics"]["targets"]
        moved.append(bool((after != before).any()))
        before = after
    assert moved == [False, False, True] * 2


def test_learning_begins_when_due() -> None:
    agent = batch([SACSettings(batch_size=4, steps_before_learning=9)], [0])
    world = World([0])
    world.run(agent, 8)
    assert agent.metrics(0) == {} and agent._learner.updates == 0
    world.run(agent, 1)
    assert agent._learner.updates == 1
    assert set(agent.metrics(0)) == {"critic_loss", "actor_loss", "entropy", "alpha"}


def test_what_an_update_used_is_reported() -> None:
    agent = batch([SACSettings(batch_size=4)] * 2, [0, 1])
    seen: dict[str, tuple[int, ...]] = {}
    agent.report_updates(1, lambda name, value: seen.__setitem__(name, value.shape))
    World([0, 1]).run(agent, 5)
    assert seen == {
        "update_states": (4, 3),
        "update_actions": (4, 2),
        "update_rewards": (4,),
        "update_next_states": (4, 3),
    }
