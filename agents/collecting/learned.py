"""Giving an agent of any kind the arrays that a run has learned.

Agents tell what they have learned (`learned_params`) and take up a state (`load_state_dict`), but
in which places of the state a learned number lies only they know. It is found by marking: every
number of the state gets a mark, and what `learned_params` then says are the marks.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.base import AgentRefused

#: Marks are counted in digits of this base, which every kind of floating-point number holds.
_BASE = 1024


class Stateful(Protocol):
    """The part of an agent that is needed here."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def learned_params(self) -> Mapping[str, np.ndarray]: ...


def adopt(agent: Stateful, learned: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """Gives an agent, as it was built, what another one like it has learned.

    Returns:
        the names of arrays that lie nowhere in its state, such as those computed from others.

    Raises:
        AgentRefused: its arrays are others, or none of them was found.
    """
    own = agent.learned_params()
    for name in own.keys() | learned.keys():
        mine, given = (one[name].shape if name in one else None for one in (own, learned))
        if mine != given:
            raise AgentRefused(
                f"{name} is {_shape(given)} among what was learned, and {_shape(mine)} here: "
                "another agent file or setting"
            )
    state = copy.deepcopy(agent.state_dict())
    places = list(_float_arrays(state))
    marks = _marks(agent, places, state)
    left = []
    flat = np.concatenate([place.ravel() for place in places]) if places else np.empty(0)
    for name, array in learned.items():
        mark = marks[name].ravel()
        if (mark < 0).any() or (mark >= len(flat)).any():
            left.append(name)
        else:
            flat[mark] = array.ravel()
    if learned and len(left) == len(learned):
        raise AgentRefused("this agent cannot take up what was learned")
    _fill(places, flat)
    agent.load_state_dict(state)
    found = agent.learned_params()
    return tuple(
        name for name in learned if not np.array_equal(found[name], learned[name], equal_nan=True)
    )


def _shape(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else f"of shape {shape}"


def _marks(
    agent: Stateful, places: list[NDArray[Any]], state: dict[str, Any]
) -> dict[str, NDArray[np.int64]]:
    """Which number of the state each learned number is; -1: none."""
    before = [place.copy() for place in places]
    size = sum(place.size for place in places)
    marks: dict[str, NDArray[np.int64]] = {}
    factor = 1
    while factor == 1 or factor < size:
        # never zero, which is what a place that is not there would say
        _fill(places, np.arange(size) // factor % _BASE + 1.0)
        agent.load_state_dict(copy.deepcopy(state))
        for name, array in agent.learned_params().items():
            values = np.asarray(array, np.float64)
            digits = np.where(np.isfinite(values), values, 0).astype(np.int64) - 1
            good = (digits >= 0) & (digits < _BASE) & (digits + 1 == values)
            marks[name] = np.where(
                good & (marks.get(name, 0) >= 0), marks.get(name, 0) + digits * factor, -1
            )
        factor *= _BASE
    for place, values in zip(places, before, strict=True):
        place[...] = values
    return marks


def _fill(places: list[NDArray[Any]], flat: NDArray[Any]) -> None:
    start = 0
    for place in places:
        place[...] = flat[start : start + place.size].reshape(place.shape)
        start += place.size


def _float_arrays(state: Any) -> Iterator[NDArray[Any]]:
    """All arrays of floating-point numbers in nested dicts, lists and tuples."""
    if isinstance(state, np.ndarray):
        if state.dtype.kind == "f" and state.size:
            yield state
    elif isinstance(state, Mapping):
        for value in state.values():
            yield from _float_arrays(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from _float_arrays(value)
