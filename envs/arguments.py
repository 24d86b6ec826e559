"""The constructor's arguments: ``kwargs`` and ``continuous`` of a file."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.error import DependencyNotInstalled

from envs.errors import EnvironmentRefused, nearest
from envs.lookup import sibling
from envs.settings import EnvironmentSettings

# arguments that another field of the file decides -> that field
DECIDED_ELSEWHERE = {
    "max_episode_steps": "steps_per_episode",
    "max_num_frames_per_episode": "steps_per_episode",
    "frameskip": "atari.frame_skip",
    "repeat_action_probability": "atari.repeat_action_probability",
    "obs_type": "atari.grayscale",
}


def constructor_arguments(
    settings: EnvironmentSettings, spec: EnvSpec, *, evaluation: bool
) -> dict[str, Any]:
    """``kwargs``, with ``continuous`` where the constructor takes it; in evaluation, those of
    ``eval_kwargs`` in their place.

    Raises:
        EnvironmentRefused: the environment does not take one of them.
    """
    accepted = accepted_arguments(creator(spec))
    given = dict.fromkeys(settings.kwargs, "kwargs")
    if evaluation:
        given |= dict.fromkeys(settings.eval_kwargs, "eval_kwargs")
    for name, where in given.items():
        field = f"{where}.{name}"
        if name == "render_mode":
            raise EnvironmentRefused(
                field, "how to render is not part of the problem: leave it out"
            )
        if name in DECIDED_ELSEWHERE:
            raise EnvironmentRefused(
                field, f"is decided by {DECIDED_ELSEWHERE[name]}: leave it out"
            )
        if accepted is not None and name not in accepted:
            choices = sorted(accepted - {"render_mode"})
            match = nearest(name, choices)
            hint = (
                f"did you mean {match!r}?" if match else f"it takes {', '.join(choices) or 'none'}"
            )
            raise EnvironmentRefused(field, f"{spec.id} does not take it; {hint}")
    arguments = {**settings.kwargs, **(settings.eval_kwargs if evaluation else {})}
    if settings.continuous is not None and accepted is not None and "continuous" in accepted:
        said = arguments.get("continuous", spec.kwargs.get("continuous", settings.continuous))
        if said != settings.continuous:
            _refuse_continuous(settings.continuous, spec.id)
        arguments["continuous"] = settings.continuous
    return arguments


def check_continuous(continuous: bool | None, is_continuous: bool, name: str) -> None:
    """Refuses a ``continuous`` that is not what the environment's action space is."""
    if continuous is not None and continuous != is_continuous:
        _refuse_continuous(continuous, name)


def creator(spec: EnvSpec) -> Callable[..., Any]:
    """The class or function that builds the environment.

    Raises:
        EnvironmentRefused: its package is not installed.
    """
    if callable(spec.entry_point):
        return spec.entry_point
    if spec.entry_point is None:
        raise EnvironmentRefused("env_name", f"{spec.id} is registered without an entry point")
    try:
        with warnings.catch_warnings():
            # SWIG's bindings of Box2D warn while they load, and where warnings are errors, crash
            for kind in ("SwigPyPacked", "SwigPyObject", "swigvarlink"):
                warnings.filterwarnings("ignore", f"builtin type {kind}", DeprecationWarning)
            return load_env_creator(spec.entry_point)
    except (ImportError, DependencyNotInstalled) as error:
        raise EnvironmentRefused("env_name", f"{spec.id} cannot be imported: {error}") from error


@functools.cache
def accepted_arguments(create: Callable[..., Any]) -> frozenset[str] | None:
    """Names of its keyword arguments, those it hands to its base class included.

    None: it takes anything.
    """
    if inspect.isclass(create):
        constructors = [vars(cls)["__init__"] for cls in create.__mro__ if "__init__" in vars(cls)]
    else:
        constructors = [create]
    names: set[str] = set()
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    for constructor in constructors:
        parameters = inspect.signature(constructor).parameters.values()
        names |= {parameter.name for parameter in parameters if parameter.kind in by_name}
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters):
            return frozenset(names - {"self"})
    return None


def _refuse_continuous(continuous: bool, name: str) -> None:
    kind, other = ("continuous", "discrete") if continuous else ("discrete", "continuous")
    match = sibling(name, continuous=continuous)
    raise EnvironmentRefused(
        "continuous",
        f"{str(continuous).lower()} asks for {kind} actions, but those of {name} are {other}"
        + (f"; {match} has {kind} ones" if match else ""),
    )
