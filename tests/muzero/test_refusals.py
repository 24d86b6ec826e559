"""Settings that cannot be, or that leave something untrained, and flags that belong elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from batches import small
from q_runs import driver_of
from sweep_runs import build

from agents.muzero.checks import warn_of_untrained_heads
from experiment.errors import ConfigError


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"value_distribution": ["c51"]}, "needs q_learning and local_target_net"),
        (
            {"value_distribution": ["c51"], "q_learning": [True], "local_target_net": [False]},
            "needs q_learning and local_target_net",
        ),
        ({"q_learning": [True], "value_loss_weight": [0.0]}, "it is the weight of Q's loss"),
        (
            {"num_simulations": [0], "prioritized": [True], "input_priorities": [True]},
            "input_priorities needs a search",
        ),
        ({"c51_bounds": [[3.0, -3.0]]}, "c51_bounds: the first one below the second"),
        (
            {"q_learning": [True], "value_distribution": ["c51"]},
            r"c51_bounds \[-10.0, 10.0\] has no place for values of 9",
        ),
        ({"reward_layers": [1], "value_prefix": [True]}, "reward_layers needs value_prefix false"),
        ({"engine": ["fused"], "value_prefix": [True]}, 'choose "auto"'),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(parameters: Any, sentence: str) -> None:
    agent = {"agent_name": "MuZero", "parameters": parameters}
    with pytest.raises(ConfigError, match=sentence):
        driver_of(build(agent, env_name="CartPole-v1", steps_per_episode=500))


@pytest.mark.parametrize(
    ("options", "head"),
    [
        ({"q_learning": True, "reward_loss_weight": 0.0}, "search reads the reward"),
        ({"q_learning": True, "jumps": 0}, "search reads the reward"),
        (
            {"num_simulations": 0, "eval_simulations": 4, "reward_loss_weight": 0.0},
            "search reads the reward",
        ),
        ({"num_simulations": 0, "policy_loss_weight": 0.0}, "agent reads the policy"),
        ({"num_simulations": 0, "value_loss_weight": 0.0}, "agent reads the value"),
    ],
)
def test_a_head_that_is_read_and_not_trained_is_warned_of(
    options: dict[str, Any], head: str
) -> None:
    with pytest.warns(UserWarning, match=f"the {head} of a head that nothing trains"):
        warn_of_untrained_heads(small(**options))


@pytest.mark.parametrize(
    "options",
    [
        {"q_learning": True, "num_simulations": 0, "jumps": 0, "policy_loss_weight": 0.0},
        {"num_simulations": 0, "jumps": 0},
        {"q_learning": True, "entropy_loss_weight": 0.1},
    ],
)
def test_a_head_that_nothing_reads_is_not(
    options: dict[str, Any], recwarn: pytest.WarningsRecorder
) -> None:
    warn_of_untrained_heads(small(**options))
    assert not recwarn.list


@pytest.mark.parametrize(
    ("name", "refused", "accepted", "instead"),
    [
        ("virtual_threads", 4, None, "num_envs"),
        ("num_reanalyze_workers", 2, None, "num_reanalyze_envs"),
        ("cpu_search", False, True, "--device"),
        ("fp16", True, False, "single precision"),
    ],
)
def test_flags_of_the_original_without_a_counterpart_say_where_to_ask(
    name: str, refused: object, accepted: object, instead: str
) -> None:
    def read(value: object) -> None:
        build({"agent_name": "MuZero", "parameters": {name: [value]}}, env_name="CartPole-v1")

    read(accepted)
    with pytest.raises(ConfigError, match=instead):
        read(refused)
