"""Atari games: the preprocessing around the Arcade Learning Environment."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from envs.errors import EnvironmentRefused
from envs.settings import AtariSettings, EnvironmentSettings


def is_atari(spec: EnvSpec) -> bool:
    return spec.namespace == "ALE"


def check(settings: EnvironmentSettings, spec: EnvSpec) -> None:
    """Refuses Atari settings for other environments, and continuous actions for Atari."""
    if not is_atari(spec):
        if settings.atari is not None:
            raise EnvironmentRefused("atari", f"{spec.id} is no Atari game (ALE/...): leave it out")
        return
    if settings.continuous or settings.kwargs.get("continuous"):
        raise EnvironmentRefused("continuous", f"{spec.id} is played with discrete actions")


def emulator_arguments() -> dict[str, Any]:
    """Arguments that leave one frame a step and nothing random to the emulator.

    Sticky actions are left to a wrapper: the emulator's own remember the last action where no
    snapshot of it reaches.
    """
    return {
        "frameskip": 1,
        "repeat_action_probability": 0.0,
        "max_num_frames_per_episode": 0,
        "obs_type": "rgb",
    }


def steps_per_episode(spec: EnvSpec, settings: AtariSettings) -> int | None:
    """The registered limit, which is in frames, in steps."""
    frames = spec.kwargs.get("max_num_frames_per_episode")
    return None if not frames else int(frames) // settings.frame_skip


def preprocess(env: gymnasium.Env[Any, Any], settings: AtariSettings) -> gymnasium.Env[Any, Any]:
    """Observation uint8 [frame_stack, screen_size, screen_size], [..., 3] in colour."""
    from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation, StickyAction

    if settings.repeat_action_probability > 0:
        # below the frame skip, so that every frame repeats anew, as in Machado et al. (2018)
        env = StickyAction(env, settings.repeat_action_probability)
    env = AtariPreprocessing(
        env,
        noop_max=settings.noop_max,
        frame_skip=settings.frame_skip,
        screen_size=settings.screen_size,
        terminal_on_life_loss=settings.terminal_on_life_loss,
        grayscale_obs=settings.grayscale,
    )
    return FrameStackObservation(env, settings.frame_stack)
