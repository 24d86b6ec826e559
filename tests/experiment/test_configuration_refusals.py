"""What cannot be used is refused in one sentence: file, path inside it, value, nearest choice."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_runs import LINEAR_AC, environment

from agents.base import AgentSettings, Rule
from experiment.agent_file import build_grid
from experiment.configuration import build_experiment
from experiment.errors import ConfigError


class Sample(AgentSettings, frozen=True, kw_only=True):
    """Every kind of hyperparameter."""

    lr: float
    layers: list[int] = msgspec.field(default_factory=list)
    nested: list[list[int]] = msgspec.field(default_factory=list)
    anything: Any = None
    optimizer: Literal["adam", "sgd"] = "adam"
    batch_size: int = 32
    capacity: int = 1000

    RULES = (
        Rule(
            ("batch_size", "capacity"),
            lambda batch_size, capacity: bool(batch_size <= capacity),
            "batch_size <= capacity",
        ),
    )


def refusal_of_grid(settings_type: type[AgentSettings] = Sample, **keys: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        build_grid(keys, settings_type, "agent.json")
    return str(caught.value)


def refusal(agent: Any, **fields: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        build_experiment(environment(**fields), agent, "environment.json", "agent.json")
    return str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lrr": [1]}, "parameters.lrr names no hyperparameter 'lrr'; did you mean 'lr'?"),
        ({"lr": ["a"]}, 'parameters.lr[0] is "a": expected float, got str'),
        ({"lr": [0.1, None]}, "parameters.lr[1] is null: expected float, got null"),
        ({"lr": [True]}, "parameters.lr[0] is true: expected float, got bool"),
        ({"lr": {"a": 1}}, 'parameters.lr is {"a":1}: expected float, got object'),
        ({"lr": [[0.1]]}, "parameters.lr[0] is [0.1]: expected float, got array"),
        ({"lr": []}, "parameters.lr is an empty list: a grid over no values has no settings"),
        (
            {"lr": [0.1, 0.3, 0.1]},
            "parameters.lr[2] is 0.1, as is [0] already: one setting would run twice",
        ),
        ({"lr": [1, 1.0]}, "parameters.lr[1] is 1.0, as is [0] already"),
        ({}, "parameters lacks 'lr', which has no default"),
        (
            {"lr": 1, "optimizer": ["Adam"]},
            "parameters.optimizer[0] is \"Adam\": not a choice of optimizer; did you mean 'adam'?",
        ),
        (
            {"lr": 1, "batch_size": [1.5]},
            "parameters.batch_size[0] is 1.5: expected int, got float",
        ),
        ({"lr": 1, "layers": []}, "parameters.layers is []: write [[]] for one value"),
    ],
)
def test_a_list_of_values(parameters: dict[str, Any], message: str) -> None:
    assert f"agent.json: {message}" in refusal_of_grid(parameters=parameters)


def test_a_bare_list_that_could_mean_two_things_is_refused_with_both() -> None:
    message = refusal_of_grid(parameters={"lr": 1, "anything": [1, 2]})
    assert message == (
        "agent.json: parameters.anything is [1,2], which could be one value of anything or "
        "2 values; write [[1,2]] for one value, or put each value in brackets of its own"
    )
    nested = refusal_of_grid(parameters={"lr": 1, "nested": [[], []]})
    assert "could be one value of nested or 2 values" in nested


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"decay": [1.5]}, "parameters.decay[0] is 1.5: expected float <= 1.0"),
        ({"tilings": [0]}, "parameters.tilings[0] is 0: expected int >= 1"),
        ({"temperature": [0]}, "parameters.temperature[0] is 0: expected float > 0.0"),
    ],
)
def test_a_value_out_of_range(values: dict[str, Any], message: str) -> None:
    agent = {"agent_name": "linearAC", "parameters": values}
    assert refusal(agent) == f"agent.json: {message}"


def test_a_law_of_the_agent_is_checked_for_every_combination() -> None:
    batches = {"lr": 1, "batch_size": [8, 64], "capacity": [32, 100]}
    assert refusal_of_grid(parameters=batches) == (
        "agent.json: parameters.batch_size gives batch_size 64, capacity 32, against the rule "
        'batch_size <= capacity; add "constraints": ["batch_size <= capacity"] to leave such '
        "settings out"
    )
    grid = build_grid(
        {"parameters": batches, "constraints": ["batch_size <= capacity"]}, Sample, "agent.json"
    )
    assert grid.size == 3
    assert "against the rule" in refusal_of_grid(parameters={"lr": 1, "capacity": 8})


def test_a_law_is_checked_for_draws_too() -> None:
    message = refusal_of_grid(
        parameters={"lr": 1},
        random={"samples": 50, "parameters": {"batch_size": {"integer": [1, 2000]}}},
    )
    assert message.startswith("agent.json: random.parameters.batch_size gives batch_size ")


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ([{"batch_size": [1, 2], "capacity": [10]}], "zip[0] needs lists of one length above 0"),
        ([{}], "zip[0] needs lists of one length above 0: none"),
        ([{"batch_size": []}], "zip[0] needs lists of one length above 0: batch_size has 0"),
        ({"batch_size": 3}, "zip.batch_size is a number, not a list"),
        ([5], "zip[0] is a number, not an object"),
        ("x", "zip[0] is a string, not an object"),
        ([{"lr": [1]}], "zip[0].lr is given at parameters.lr already"),
        (
            [{"batchsize": [1]}],
            "zip[0].batchsize names no hyperparameter 'batchsize'; did you mean",
        ),
        ([{"batch_size": [1, "b"]}], 'zip[0].batch_size[1] is "b": expected int, got str'),
        (
            [{"batch_size": [1, 1], "capacity": [9, 9]}],
            "zip[0] has the same row twice: one setting would run twice",
        ),
    ],
)
def test_a_zip_group(group: Any, message: str) -> None:
    if group == "x":
        message = message.replace("zip[0]", "zip")
    assert f"agent.json: {message}" in refusal_of_grid(parameters={"lr": 1}, zip=group)


@pytest.mark.parametrize(
    ("random", "message"),
    [
        ({"parameters": {"lr": {"uniform": [0, 1]}}}, 'random lacks "samples"'),
        ({"samples": 0}, "random.samples is 0: expected an integer from 1 to"),
        ({"samples": True}, "random.samples is true: expected an integer from 1 to"),
        ({"samples": 10**18}, "random.samples is 1000000000000000000: expected an integer"),
        ({"samples": 3, "seed": "a"}, 'random.seed is "a": expected an integer'),
        ({"samples": 3, "sample": 4}, "random.sample is not a key of random draws; did you mean"),
        ({"samples": 3}, "random.parameters names no hyperparameter to draw"),
        ({"samples": 3, "parameters": 5}, "random.parameters is a number, not an object"),
        (5, "random is a number, not an object"),
        (None, "random is null, not an object"),
    ],
)
def test_random_draws(random: Any, message: str) -> None:
    assert f"agent.json: {message}" in refusal_of_grid(parameters={}, random=random)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        ({"unifrom": [0, 1]}, "lr is not a random draw; did you mean 'uniform'?; expected"),
        ([0, 1], 'lr is not a random draw; expected {"uniform": [low, high]} or'),
        ({}, "lr is not a random draw; expected"),
        ({"uniform": 3}, "lr.uniform is a number: expected [low, high]"),
        ({"uniform": [0]}, "lr.uniform is [0]: expected [low, high] of lr"),
        ({"uniform": [1, 0]}, "lr.uniform is [1, 0]: the low end must be below the high end"),
        ({"uniform": [0, "a"]}, 'lr.uniform[1] is "a": expected float, got str'),
        ({"log_uniform": [0, 1]}, "lr.log_uniform[0] is 0.0: a logarithmic range begins above 0"),
        (
            {"integer": [0, 1]},
            "lr.integer is [0, 1]: expected [low, high], both ends included of lr",
        ),
        ({"choice": []}, "lr.choice is a list: expected a list of values"),
        ({"choice": ["a"]}, 'lr.choice[0] is "a": expected float, got str'),
    ],
)
def test_one_random_draw(draw: Any, message: str) -> None:
    keys: dict[str, Any] = {"random": {"samples": 3, "parameters": {"lr": draw}}}
    assert f"agent.json: random.parameters.{message}" in refusal_of_grid(**keys)


def test_a_whole_number_is_drawn_by_integer() -> None:
    draws = {"batch_size": {"uniform": [1, 5]}}
    message = refusal_of_grid(parameters={"lr": 1}, random={"samples": 3, "parameters": draws})
    assert message.endswith("for whole numbers use integer")


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        (["batch_size < 1"], "constraints[0] leaves no setting: 'batch_size < 1' holds for none"),
        (["batch_size"], "constraints[0] is 'batch_size': expected NAME <= NAME"),
        ([3], "constraints[0] is 3: expected NAME <= NAME"),
        (["batchsize < 1"], "constraints[0] names no hyperparameter 'batchsize'; did you mean"),
        (
            ["batch_size < capacit"],
            "constraints[0] names no hyperparameter 'capacit'; did you mean",
        ),
        (["lr < optimizer"], "constraints[0] compares values that have no order"),
        ("lr < 1", "constraints is a string, not a list"),
        ({}, "constraints is an object, not a list"),
    ],
)
def test_a_constraint(constraints: Any, message: str) -> None:
    keys = {"parameters": {"lr": 1}, "constraints": constraints}
    assert f"agent.json: {message}" in refusal_of_grid(**keys)


def test_a_constraint_over_too_many_combinations() -> None:
    many = list(range(1, 2001))
    message = refusal_of_grid(
        parameters={"lr": 1, "batch_size": many, "capacity": many},
        constraints=["batch_size <= capacity"],
    )
    assert message == "agent.json: constraints[0] spans more than 2,000,000 combinations"


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ({}, 'agent.json: lacks "agent_name"; known: '),
        ({"agent_name": "linearac"}, "agent_name 'linearac' is unknown; did you mean 'linearAC'?"),
        ({"agent_name": ["linearAC"]}, "agent.json: agent_name is a list, not a string"),
        ({"agent_name": {}}, "agent.json: agent_name is an object, not a string"),
        ({"agent_name": 3}, "agent.json: agent_name is a number, not a string"),
        (
            {"agent_name": "random", "parameter": {}},
            "agent.json: parameter is not a key of an agent file; did you mean 'parameters'?",
        ),
        ({"agent_name": "random", "parameters": []}, "parameters is a list, not an object"),
    ],
)
def test_an_agent_file(agent: Any, message: str) -> None:
    assert message in refusal(agent)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"gama": 0.9},
            "environment.json: gama is not a field of an environment; did you mean 'gamma'?",
        ),
        ({"gamma": 2}, "environment.json: gamma is 2: expected float <= 1.0"),
        ({"total_timesteps": "many"}, 'total_timesteps is "many": expected int, got str'),
        ({"kwargs": []}, "kwargs is []: expected object, got array"),
        ({"env_name": ""}, 'env_name is "": expected str of length >= 1'),
    ],
)
def test_an_environment_file(fields: dict[str, Any], message: str) -> None:
    assert message in refusal(LINEAR_AC, **fields)


def test_a_field_without_default_is_missed_and_its_misspelling_named() -> None:
    with pytest.raises(ConfigError, match="lacks 'env_name', which has no default"):
        build_experiment({"total_timesteps": 5}, LINEAR_AC, "environment.json", "agent.json")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from(["linearAC", "lr", "critic_lr"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["critic_lr", "uniform", "samples", "parameters", "x", "clip_stddev"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
agent_files = st.fixed_dictionaries(
    {},
    optional={
        "agent_name": st.just("linearAC") | json_values,
        "parameters": st.dictionaries(
            st.sampled_from(["critic_lr", "tilings", "scaled", "clip_stddev"]), json_values
        )
        | json_values,
        "zip": json_values,
        "random": json_values,
        "constraints": json_values,
    },
)


@given(agent_files)
def test_any_agent_file_is_used_or_refused_with_a_sentence(agent: dict[str, Any]) -> None:
    try:
        grid = build_experiment(environment(), agent, "environment.json", "agent.json").grid
    except ConfigError as error:
        assert str(error).startswith("agent.json: ")
    else:
        grid.setting(grid.size - 1)


@given(
    st.dictionaries(
        st.sampled_from(
            sorted(
                field.name
                for field in msgspec.structs.fields(__import__("envs").EnvironmentSettings)
            )
        ),
        json_values,
    )
)
def test_any_environment_file_is_used_or_refused_with_a_sentence(fields: dict[str, Any]) -> None:
    try:
        build_experiment(environment(**fields), LINEAR_AC, "environment.json", "agent.json")
    except ConfigError as error:
        assert str(error).startswith("environment.json: ")
