"""Features: which atoms hold in a state. The only list of their names."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from agents.base import AgentRefused
from agents.planning.evaluation import Atoms, Evaluation

if TYPE_CHECKING:
    from envs.simulator import Simulator

NAMES = ("auto", "basic", "ram", "pixel", "b-prost")


class Features(Protocol):
    """Atoms of states.

    Attributes:
        atom_count: they are 0, ..., atom_count - 1.
        ascending: whether those of a state come in ascending order.
    """

    atom_count: int
    ascending: bool

    def atoms(self, simulator: Simulator, parent: Atoms | None) -> Atoms:
        """Those of the state that the simulator has just reached by a step, a reset or an adoption;
        a new array or one that never changes.

        Args:
            parent: the atoms of the state before; None at a root.
        """
        ...

    def name(self, atom: int) -> str:
        """An atom in words."""
        ...


class Unguided:
    """The evaluator without a network: features, a uniform policy, no values."""

    def __init__(self, features: Features) -> None:
        self.features = features
        self.atom_count = features.atom_count

    def __call__(self, simulator: Simulator, parent: Atoms | None = None) -> Evaluation:
        return Evaluation(self.features.atoms(simulator, parent))


def make_features(
    name: str, simulator: Simulator, rng: np.random.Generator, *, background_steps: int = 100
) -> Features:
    """The features of that name, for states of `simulator`, which may be left anywhere.

    Args:
        name: one of `NAMES`, or "module:function" (see `agents.planning.features.custom`); "auto"
            is BASIC where there is such a thing, and pixels where observations are pictures.
        rng: for the random steps that show what the background is.
        background_steps: how many of them; 0: nothing is background.

    Raises:
        AgentRefused: the name is unknown, or this environment has no such features.
    """
    from agents.planning.features import b_prost, basic, custom, pixels, ram

    simulator.reset(int(rng.integers(2**31)))
    is_grid, is_atari = hasattr(simulator, "basic_atoms"), _has_screen(simulator)
    shape = simulator.observation_space.shape or ()
    is_picture = simulator.observation_space.dtype == np.uint8 and len(shape) >= 2
    if name == "auto":
        name = "basic" if is_grid or is_atari else "pixel" if is_picture else "none"
    if ":" in name:
        return custom.Custom(name, simulator)
    if name == "basic" and is_grid:
        return basic.GridBasic(simulator)
    if name in ("basic", "b-prost") and is_atari:
        background = basic.background(simulator, rng, background_steps)
        return basic.AtariBasic(background) if name == "basic" else b_prost.BProst(background)
    if name == "ram" and is_atari:
        return ram.Ram()
    if name == "pixel" and is_picture:
        return pixels.Pixels(simulator.observation_space)
    usable = [
        *(["basic"] if is_grid or is_atari else []),
        *(["ram", "b-prost"] if is_atari else []),
        *(["pixel"] if is_picture else []),
    ]
    has = ", ".join(usable) if usable else "none by name"
    raise AgentRefused(
        f"features {name!r} are not to be had here: this environment has {has}, and your own are "
        "named 'module:function'"
    )


def _has_screen(simulator: Simulator) -> bool:
    try:
        simulator.ram()
    except (RuntimeError, AttributeError):
        return False
    return True


def load(path: str) -> Any:
    """The object that "module:name" names.

    Raises:
        AgentRefused: there is none.
    """
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise AgentRefused(f"features {path!r} cannot be loaded: {error}") from error
