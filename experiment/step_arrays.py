"""Step-level arrays (`--record`): kept on request, written beside the record as `.npz`."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

#: name -> what it is
NAMES = {
    "train_states": "the observation at each training step",
    "train_actions": "the action at each training step",
    "train_rewards": "the reward of each training step",
    "eval_states": "the observation at each evaluation step",
    "update_states": "the observations that each update used",
    "update_actions": "the actions that each update used",
    "update_rewards": "the rewards that each update used",
    "update_next_states": "the successor observations that each update used",
    "learned_params": "everything learned, as it is at the end (arrays learned_params.<name>)",
}


class StepArrays:
    """What `--record` asked for, growing with the run.

    Attributes:
        names: of NAMES.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self.names_of_steps = {n for n in self.names if n.startswith("train_")}
        self.names_of_updates = {n for n in self.names if n.startswith("update_")}
        self._values: dict[str, list[Any]] = {
            name: [] for name in sorted(self.names - {"learned_params"})
        }

    def add(self, name: str, value: Any) -> None:
        """One more entry of `name`, if it was asked for."""
        if name in self._values:
            self._values[name].append(np.array(value))

    def encode(self, learned_params: Mapping[str, np.ndarray]) -> bytes:
        """The content of the `.npz`."""
        arrays = {name: np.array(values) for name, values in self._values.items()}
        if "learned_params" in self.names:
            arrays |= {f"learned_params.{name}": array for name, array in learned_params.items()}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    def state_dict(self) -> dict[str, Any]:
        """All entries so far."""
        return self._values

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes the entries back."""
        self._values = state
