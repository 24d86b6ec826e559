"""Hyperparameters of controllers and of their training. Imports no torch.

Who has more settings continues the chain, `class MoreSettings(ControllerSettings, ...)`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import Rule
from agents.encoders.settings import Count, NotNegative, Positive
from agents.world_models.sequence.settings import SequenceSettings

Share = Annotated[float, Meta(ge=0, le=1)]
#: How a number within [-1, 1] becomes one of an action.
Range = Literal["scale", "cut"]


class ControllerSettings(SequenceSettings, frozen=True, kw_only=True):
    """From latents and what the sequence model remembers to actions."""

    # -- the controller
    controller: Annotated[
        Literal["linear", "mlp"],
        Meta(description="linear: tanh(W [z; h] + b), as in Ha and Schmidhuber 2018"),
    ] = "linear"
    controller_hidden: Annotated[
        int, Meta(ge=1, le=2**12, description="mlp: units of its hidden layer")
    ] = 40
    controller_inputs: Annotated[
        Literal["zh", "z", "h"],
        Meta(
            description="what it sees: the latent z, what the sequence model remembers h, or both"
        ),
    ] = "zh"
    controller_ranges: Annotated[
        Range | tuple[Range, ...],
        Meta(
            description="how outputs within [-1, 1] become actions of a box: scaled to its bounds, "
            "or cut to them; one for all dimensions, or one for each"
        ),
    ] = "scale"
    controller_choice: Annotated[
        Literal["greatest", "sampled"],
        Meta(description="discrete actions: that of the greatest output, or drawn by a softmax"),
    ] = "greatest"

    # -- its training
    controller_trainer: Annotated[
        Literal["cma", "policy_gradient"],
        Meta(
            description="cma: evolution (CMA-ES) of its weights by returns; policy_gradient: of a "
            "stochastic controller along imagined latents, in the dream"
        ),
    ] = "cma"
    controller_world: Annotated[
        Literal["environment", "dream"],
        Meta(
            description="where it is trained. The environment takes timesteps; the dream, which "
            "the sequence model makes up, takes none, and those that are left are acted"
        ),
    ] = "environment"
    controller_generations: Annotated[
        Count | None,
        Meta(
            description="generations of cma (policy_gradient: updates) of an iteration; null: in "
            "the environment until its share of the timesteps is used up, in the dream 100"
        ),
    ] = None
    controller_envs: Annotated[
        int,
        Meta(
            ge=1,
            le=1024,
            description="episodes in the environment that are played side by side, by one pass of "
            "the models",
        ),
    ] = 8
    controller_evaluation_interval: Annotated[
        Count,
        Meta(
            description="generations between two evaluations on fresh seeds, of the mean and of "
            "the best candidate since the last"
        ),
    ] = 25
    controller_evaluation_episodes: Annotated[
        Count, Meta(description="episodes, each of another fresh seed, in one of them")
    ] = 16
    controller_patience: Annotated[
        Count, Meta(description="evaluations without a new best after which it counts as stuck")
    ] = 4

    # -- evolution
    cma_population: Annotated[
        int, Meta(ge=4, le=2**14, description="candidates of a generation")
    ] = 64
    cma_episodes: Annotated[
        Count,
        Meta(
            description="episodes of a candidate; those of a generation are the same, and new, for "
            "all of its candidates"
        ),
    ] = 16
    cma_sigma: Annotated[Positive, Meta(description="σ₀, standard deviation at the start")] = 0.1
    cma_covariance: Annotated[
        Literal["full", "diagonal"],
        Meta(description="what is adapted; diagonal is faster to learn and to compute"),
    ] = "full"
    cma_fitness: Annotated[
        Literal["returns", "ranks"],
        Meta(
            description="mean return, or mean rank among the candidates, from -1/2 to 1/2, in each "
            "episode, which no single lucky one can sway"
        ),
    ] = "returns"
    cma_l2: Annotated[
        NotNegative, Meta(description="weight of the mean squared weight, taken off the fitness")
    ] = 0.01
    cma_centred: Annotated[
        bool,
        Meta(
            description="candidates weigh what they see less its mean over the rollouts, so that "
            "one at σ₀ is not mostly a constant action"
        ),
    ] = False
    cma_restarts: Annotated[
        bool, Meta(description="begin again around the best so far, with σ₀, when stuck")
    ] = False

    # -- the dream
    dream_temperature: Annotated[
        NotNegative,
        Meta(description="τ: of the mixture's logits, and of the noise by its root; 0: the mode"),
    ] = 1.0
    dream_max_steps: Annotated[
        Count | None,
        Meta(description="steps after which it is cut; null: as the environment's episodes"),
    ] = None
    dream_reward: Annotated[
        Literal["model", "survival"],
        Meta(description="the sequence model's, or 1 for each step survived"),
    ] = "model"
    dream_ends: Annotated[
        Literal["sampled", "likely", "never"],
        Meta(
            description="drawn by the predicted probability, where it is above 1/2, or not at all"
        ),
    ] = "sampled"

    # -- the policy gradient
    gradient_method: Annotated[
        Literal["actor_critic", "reinforce"],
        Meta(
            description="actor_critic: λ-returns and a learned value of [z; h]; reinforce: returns "
            "of whole dreams, less their mean over the batch at each step"
        ),
    ] = "actor_critic"
    gradient_batch: Annotated[Count, Meta(description="dreams of an update")] = 64
    gradient_learning_rate: Annotated[Positive, Meta(description="Adam's step size")] = 3e-3
    gradient_lambda: Annotated[Share, Meta(description="actor_critic: λ of the returns")] = 0.95
    gradient_entropy: Annotated[
        NotNegative, Meta(description="weight of the controller's entropy, which is raised")
    ] = 1e-3
    gradient_critic_hidden: Annotated[
        int, Meta(ge=1, le=2**12, description="actor_critic: units of the value's hidden layer")
    ] = 64

    RULES: ClassVar[tuple[Rule, ...]] = (
        *SequenceSettings.RULES,
        Rule(
            ("controller_trainer", "controller_world"),
            lambda controller_trainer, controller_world: (
                controller_trainer == "cma" or controller_world == "dream"
            ),
            'controller_trainer "policy_gradient" needs controller_world "dream"',
        ),
        Rule(
            ("controller_world", "sequence_model"),
            lambda controller_world, sequence_model: (
                controller_world != "dream" or sequence_model != "null"
            ),
            'controller_world "dream" needs a sequence_model that is not "null"',
        ),
        Rule(
            ("controller_inputs", "sequence_model"),
            lambda controller_inputs, sequence_model: (
                controller_inputs != "h" or sequence_model != "null"
            ),
            'controller_inputs "h" needs a sequence_model that is not "null"',
        ),
        Rule(
            ("controller_world", "dream_reward", "sequence_reward"),
            lambda controller_world, dream_reward, sequence_reward: (
                controller_world != "dream" or dream_reward != "model" or sequence_reward
            ),
            'dream_reward "model" needs sequence_reward',
        ),
    )
