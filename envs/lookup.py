"""From the name in a file to Gymnasium's registered environment."""

from __future__ import annotations

from importlib import import_module

import gymnasium
from gymnasium.envs.registration import EnvSpec

from envs import minatar
from envs.errors import EnvironmentRefused, did_you_mean
from envs.registration import register

# namespace -> (module that registers it, package to install)
NAMESPACE_PACKAGES = {
    "ALE": ("ale_py", "ale-py"),
    "dm_control": ("shimmy", "shimmy[dm-control]"),
    minatar.NAMESPACE: ("minatar", "minatar"),
}


def find_spec(name: str) -> EnvSpec:
    """The registered environment; ``module:Name-v0`` imports the module first, as in Gymnasium.

    Raises:
        EnvironmentRefused: nothing has that name, or its package is not installed.
    """
    register()
    module, _, identifier = name.rpartition(":")
    if module:
        _import(module, f"there is no module {module!r} that could be imported")
    namespace = identifier.rpartition("/")[0]
    if namespace in NAMESPACE_PACKAGES:
        module, package = NAMESPACE_PACKAGES[namespace]
        _import(module, f"{identifier} needs the package {package}: pip install '{package}'")
    if namespace == minatar.NAMESPACE:
        minatar.register()
    if identifier in gymnasium.registry:
        return gymnasium.registry[identifier]
    choices = list(gymnasium.registry)
    if namespace and not any(choice.startswith(f"{namespace}/") for choice in choices):
        known = sorted({choice.rpartition("/")[0] for choice in choices if "/" in choice})
        raise EnvironmentRefused(
            "env_name",
            f"nothing is registered under {namespace!r} (there are {', '.join(known)}); a package "
            f"that registers it when imported is named as 'package:{identifier}'",
        )
    # the version is the part most often wrong: look for it among the versions of that very name
    stem = identifier.rpartition("-v")[0] or identifier
    versions = [choice for choice in choices if choice.rpartition("-v")[0] == stem]
    if versions:
        problem = f"{identifier!r} is not registered; there is {', '.join(sorted(versions))}"
    else:
        problem = f"{identifier!r} is not registered{did_you_mean(identifier, choices)}"
    raise EnvironmentRefused("env_name", problem)


def sibling(name: str, *, continuous: bool) -> str | None:
    """The registered environment that has the other kind of actions, e.g. MountainCar's."""
    stem, _, version = name.rpartition("-v")
    if "Discrete" in stem or "Continuous" in stem:
        neutral = stem.replace("Discrete", "").replace("Continuous", "")
    else:
        neutral = stem
    stems = [f"{neutral}Continuous"] if continuous else [f"{neutral}Discrete", neutral]
    for candidate in stems:
        identifier = f"{candidate}-v{version}"
        if identifier != name and identifier in gymnasium.registry:
            return identifier
    return None


def _import(module: str, problem: str) -> None:
    try:
        imported = import_module(module)
    except ImportError as error:
        raise EnvironmentRefused("env_name", problem) from error
    gymnasium.register_envs(imported)
