"""The environment file: what it may say, of what type, and what is meant where it is silent."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Count = Annotated[int, Meta(ge=1)]


class AtariSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How frames of an Atari game become observations.

    The defaults are the protocol of Machado et al. (2018), "Revisiting the Arcade Learning
    Environment": sticky actions, no end at the loss of a life; with the 84 x 84 greyscale stack of
    four frames and the random no-op start of Mnih et al. (2015).
    """

    LATER_FIELDS: ClassVar[frozenset[str]] = frozenset(
        {"max_pool", "resize", "after_life_loss", "eval_terminal_on_life_loss", "eval_noop_max"}
    )
    """At their defaults these are no part of a problem's identity, which is older than they are."""

    frame_skip: Annotated[int, Meta(ge=1, description="Frames for which an action is held.")] = 4
    screen_size: Annotated[int, Meta(ge=1, description="Side of the square picture, pixels.")] = 84
    grayscale: Annotated[bool, Meta(description="One grey channel instead of three.")] = True
    frame_stack: Annotated[int, Meta(ge=1, description="Pictures in one observation.")] = 4
    noop_max: Annotated[int, Meta(ge=0, description="Most no-ops that open an episode.")] = 30
    terminal_on_life_loss: Annotated[
        bool, Meta(description="Whether the loss of a life ends the episode.")
    ] = False
    repeat_action_probability: Annotated[
        float, Meta(ge=0, lt=1, description="Chance, each frame, that the last action is repeated.")
    ] = 0.25
    max_pool: Annotated[
        bool,
        Meta(description="Whether a picture is the brighter of a step's last two, or its last."),
    ] = True
    resize: Annotated[
        Literal["area", "linear"], Meta(description="How pixels of the screen become a picture's.")
    ] = "area"
    after_life_loss: Annotated[
        Literal["reset", "continue"],
        Meta(
            description="After an episode that ended with a life, whether the next begins a new "
            "game, or with a no-op in the same one, as in Mnih et al. (2015)."
        ),
    ] = "reset"
    eval_terminal_on_life_loss: Annotated[
        bool | None, Meta(description="The same in evaluation; null: as in training.")
    ] = None
    eval_noop_max: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="The same in evaluation; null: as in training."),
    ] = None


class NoiseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How pictures are disturbed before an agent sees them; by default not at all."""

    gaussian: Annotated[
        float, Meta(ge=0, description="Standard deviation of each number's, as a share of 255.")
    ] = 0.0
    salt_and_pepper: Annotated[
        float, Meta(ge=0, le=1, description="Share of pixels that become black or white.")
    ] = 0.0
    occlusion: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Side of a grey square, elsewhere in each picture, as a share of the "
            "picture's shorter side.",
        ),
    ] = 0.0


class EnvironmentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One environment file, e.g. ``{"env_name": "Pendulum-v1", "total_timesteps": 100000}``."""

    EVALUATION_FIELDS: ClassVar[frozenset[str]] = frozenset(
        {
            "eval_interval_timesteps",
            "eval_episodes",
            "eval_steps_per_episode",
            "eval_kwargs",
            "eval_observation_noise",
        }
    )
    """The fields that do not change the problem that is trained on."""
    LATER_FIELDS: ClassVar[frozenset[str]] = frozenset({"eval_kwargs", "eval_observation_noise"})
    """As `AtariSettings.LATER_FIELDS`."""

    env_name: Annotated[
        str, Meta(min_length=1, description="Gymnasium id, or one of this project's: sweep/...")
    ]
    total_timesteps: Annotated[int, Meta(ge=1, description="Training steps of one run.")]
    steps_per_episode: (
        Annotated[
            int,
            Meta(
                ge=1,
                description="Steps after which an episode is truncated; "
                "left out: the environment's registered limit; null: never.",
            ),
        ]
        | UnsetType
        | None
    ) = UNSET
    eval_interval_timesteps: Annotated[
        int, Meta(ge=1, description="Training steps between two evaluations.")
    ] = 10_000
    eval_episodes: Annotated[
        int, Meta(ge=0, description="Episodes of one evaluation; 0: no evaluation.")
    ] = 10
    eval_steps_per_episode: Annotated[
        Count | None,
        Meta(description="Steps after which an evaluation episode is cut; null: as in training."),
    ] = None
    gamma: Annotated[float, Meta(ge=0, le=1, description="Discount of the problem.")] = 0.99
    continuous: Annotated[
        bool | None,
        Meta(description="Continuous or discrete actions; null: what the environment has."),
    ] = None
    overwrite_rewards: Annotated[
        bool, Meta(description="Whether `rewards` replaces or shifts the environment's rewards.")
    ] = False
    rewards: Annotated[
        dict[str, float],
        Meta(description='{"timestep", "goal"}, or {"shift", "gamma"}; {} without overwriting.'),
    ] = {}
    start_state: Annotated[
        list[float], Meta(description="State in which every episode starts; []: the environment's.")
    ] = []
    observation_ranges: Annotated[
        list[tuple[float, float] | None] | None,
        Meta(
            description="[low, high] for each observation dimension, or null to keep its bounds; "
            "used by tile coding."
        ),
    ] = None
    atari: Annotated[
        AtariSettings | None,
        Meta(description="Preprocessing of ALE/... games; null: its defaults."),
    ] = None
    kwargs: Annotated[
        dict[str, Any], Meta(description="Further arguments of the environment's constructor.")
    ] = {}
    eval_kwargs: Annotated[
        dict[str, Any],
        Meta(description="Of these, what is different or new where agents are evaluated."),
    ] = {}
    observation_noise: Annotated[
        NoiseSettings | None,
        Meta(description="Noise on pictures that are observed; null: none."),
    ] = None
    eval_observation_noise: Annotated[
        NoiseSettings | None,
        Meta(description="The same where agents are evaluated; null: as in training; {}: none."),
    ] = None
