"""Collecting rollouts: policies, and processes that play.

Names are imported when first used: the settings of agents import neither Gymnasium nor h5py.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.collecting.collection import Collection, collect
    from agents.collecting.episodes import collect_rollout
    from agents.collecting.policies import RolloutPolicy, describe_policy, make_policy

__all__ = [
    "Collection",
    "RolloutPolicy",
    "collect",
    "collect_rollout",
    "describe_policy",
    "make_policy",
]

_MODULES = {
    "Collection": "agents.collecting.collection",
    "RolloutPolicy": "agents.collecting.policies",
    "collect": "agents.collecting.collection",
    "collect_rollout": "agents.collecting.episodes",
    "describe_policy": "agents.collecting.policies",
    "make_policy": "agents.collecting.policies",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
