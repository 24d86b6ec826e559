"""Features of the user's own: "module:function", importable from where the program is run.

The function takes the simulator, in the state in question, and returns what holds there: a vector
of booleans, one an atom (its length may not change); or an array of distinct atom ids, ascending,
if the function has an attribute `atom_count`:

    def near_goal(simulator):
        position, velocity = simulator.observation()
        return [position > 0.4, velocity > 0]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from agents.base import AgentRefused
from agents.planning.evaluation import Atoms
from agents.planning.features import load

if TYPE_CHECKING:
    from envs.simulator import Simulator


class Custom:
    """See the module's text.

    Raises:
        AgentRefused: there is no such function, or it returns something else.
    """

    ascending = True

    def __init__(self, path: str, simulator: Simulator) -> None:
        self._path, self._function = path, load(path)
        if not callable(self._function):
            raise AgentRefused(f"features {path!r} is no function")
        count: Any = getattr(self._function, "atom_count", None)
        self._by_number = count is not None
        if count is None:
            count = len(self._found(simulator))
        self.atom_count = int(count)
        self.atoms(simulator, None)

    def atoms(self, simulator: Simulator, parent: Atoms | None) -> Atoms:
        found = self._found(simulator)
        if not self._by_number:
            if len(found) != self.atom_count:
                raise AgentRefused(
                    f"features {self._path!r} gave {len(found)} booleans, {self.atom_count} before"
                )
            return np.flatnonzero(found).astype(np.int32)
        if len(found) and not (found[0] >= 0 and found[-1] < self.atom_count):
            raise AgentRefused(
                f"features {self._path!r} gave atoms that are not in 0 to {self.atom_count - 1}"
            )
        if (np.diff(found) <= 0).any():
            raise AgentRefused(f"features {self._path!r} gave atoms that do not ascend")
        return found.astype(np.int32)

    def name(self, atom: int) -> str:
        return f"{self._path.partition(':')[2]} {atom}"

    def _found(self, simulator: Simulator) -> np.ndarray[Any, Any]:
        found = np.asarray(self._function(simulator))
        kinds = "iu" if self._by_number else "b"
        if found.ndim != 1 or (found.dtype.kind not in kinds and found.size):
            expected = "integers" if self._by_number else "booleans"
            raise AgentRefused(
                f"features {self._path!r} gave {found.dtype} {list(found.shape)}, "
                f"not a vector of {expected}"
            )
        return found
