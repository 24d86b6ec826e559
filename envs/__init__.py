"""From an environment file to a Gymnasium environment, and its exact snapshots.

Names are imported when first used: ``import envs`` does not import Gymnasium.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envs.errors import EnvironmentRefused
    from envs.factory import make
    from envs.settings import AtariSettings, EnvironmentSettings
    from envs.simulator import Simulator, check_exact, make_simulator
    from envs.state import restore_state, resumes_mid_episode, save_state

__all__ = [
    "AtariSettings",
    "EnvironmentRefused",
    "EnvironmentSettings",
    "Simulator",
    "check_exact",
    "make",
    "make_simulator",
    "restore_state",
    "resumes_mid_episode",
    "save_state",
]

_MODULES = {
    "AtariSettings": "envs.settings",
    "EnvironmentRefused": "envs.errors",
    "EnvironmentSettings": "envs.settings",
    "Simulator": "envs.simulator",
    "check_exact": "envs.simulator",
    "make": "envs.factory",
    "make_simulator": "envs.simulator",
    "restore_state": "envs.state",
    "resumes_mid_episode": "envs.state",
    "save_state": "envs.state",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
