"""Hyperparameters of soft actor-critic. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import Rule
from agents.neural import settings as neural
from agents.neural.settings import NeuralSettings

#: Hyperparameters that are equal in all members of a batch; the rest may differ.
STATIC = (
    *neural.STATIC,
    "automatic_entropy_tuning",
    "double_q",
    "uniform_exploration_steps",
    "policy_type",
    "num_components",
    "share_std",
    "hard",
    "reparameterized",
    "baseline_actions",
    "reparam_baseline",
    "num_samples",
    "clip_actions",
)


Gradient = bool | Literal["mixed"]


class SoftSettings(NeuralSettings, frozen=True, kw_only=True):
    """What both soft actor-critics have."""

    STATIC: ClassVar[tuple[str, ...]] = STATIC

    alpha: Annotated[
        float,
        Meta(
            ge=0,
            description="entropy temperature; where it is tuned automatically, its first value",
        ),
    ] = 0.2
    automatic_entropy_tuning: Annotated[
        bool, Meta(description="tune the temperature towards target_entropy")
    ] = False
    alpha_lr: Annotated[
        float, Meta(ge=0, description="Adam step size of ln alpha, where that is tuned")
    ] = 1e-3
    soft_q: Annotated[
        bool, Meta(description="action values include the entropy to come; false: rewards only")
    ] = True
    double_q: Annotated[
        bool, Meta(description="two critics and the lower of their values; false: one")
    ] = True
    uniform_exploration_steps: Annotated[
        int, Meta(ge=0, description="timesteps of uniformly random actions at the beginning")
    ] = 0


class SACSettings(SoftSettings, frozen=True, kw_only=True):
    """Soft actor-critic for continuous actions (Haarnoja et al. 2018, second version)."""

    policy_type: Annotated[
        Literal[
            "SquashedGaussian",
            "Gaussian",
            "Beta",
            "BetaV2",
            "StudentT",
            "SquashedGaussianMixture",
            "GaussianMixture",
            "BetaMixture",
        ],
        Meta(description="the law of the action"),
    ] = "SquashedGaussian"
    clip_stddev: Annotated[
        float,
        Meta(
            description="keep the policy's standard deviation within [1/clip, clip]; "
            "0 or less: ln σ within [-5, 2]"
        ),
    ] = 1000.0
    epsilon: Annotated[
        float, Meta(ge=0, description="added to both shapes of a Beta; 1 keeps it unimodal")
    ] = 1.0
    clip_min: Annotated[float, Meta(gt=0, description="least shape of a Beta")] = 1e-6
    clip_max: Annotated[float, Meta(gt=0, description="greatest shape of a Beta")] = 1e6
    num_components: Annotated[
        int, Meta(ge=1, le=1024, description="components of a mixture policy")
    ] = 2
    share_std: Annotated[
        bool, Meta(description="one standard deviation for all components of a mixture")
    ] = False
    temperature: Annotated[
        float, Meta(gt=0, description="of a mixture's relaxed choice of a component")
    ] = 0.1
    hard: Annotated[
        bool, Meta(description="draw one component of a mixture, relaxed in the gradient only")
    ] = True
    target_entropy: Annotated[
        float | None,
        Meta(
            description="target of automatic tuning, of the action in environment units; "
            "null: minus the number of action dimensions"
        ),
    ] = None
    reparameterized: Annotated[
        Gradient,
        Meta(
            description="the policy's gradient goes through the critic; false: by likelihood; "
            '"mixed": through the components of a mixture, by likelihood for their weights'
        ),
    ] = True
    baseline_actions: Annotated[
        int,
        Meta(
            ge=-1,
            le=2**16,
            description="actions whose mean value is the baseline of the likelihood gradient; "
            "0 or less: none (reparameterized true makes no use of it)",
        ),
    ] = 0
    reparam_baseline: Annotated[
        tuple[Gradient, int] | None,
        Meta(description="[reparameterized, baseline_actions] as one value, in place of both"),
    ] = None
    num_samples: Annotated[
        int, Meta(ge=1, le=2**16, description="actions a state of the likelihood gradient")
    ] = 1
    clip_actions: Annotated[
        bool, Meta(description="clip actions to the environment's bounds before they are stored")
    ] = False

    @property
    def gradient(self) -> Gradient:
        """What the policy's gradient goes through; see `reparameterized`."""
        return self.reparameterized if self.reparam_baseline is None else self.reparam_baseline[0]

    @property
    def baseline(self) -> int:
        """Number of baseline actions of the likelihood gradient."""
        given = self.baseline_actions if self.reparam_baseline is None else self.reparam_baseline[1]
        return max(0, given)

    RULES: ClassVar[tuple[Rule, ...]] = (
        *neural.RULES,
        Rule(
            ("automatic_entropy_tuning", "alpha"),
            lambda automatic_entropy_tuning, alpha: alpha > 0 or not automatic_entropy_tuning,
            "automatic_entropy_tuning needs alpha > 0",
        ),
        Rule(
            ("clip_stddev",),
            lambda clip_stddev: clip_stddev <= 0 or clip_stddev >= 1,
            "clip_stddev <= 0 or clip_stddev >= 1",
        ),
        Rule(
            ("clip_min", "clip_max"),
            lambda clip_min, clip_max: clip_min <= clip_max,
            "clip_min <= clip_max",
        ),
        Rule(
            ("reparam_baseline", "reparameterized", "baseline_actions"),
            lambda reparam_baseline, reparameterized, baseline_actions: (
                reparam_baseline is None or (reparameterized is True and baseline_actions <= 0)
            ),
            "reparam_baseline stands in place of reparameterized and baseline_actions",
        ),
        Rule(
            ("num_samples", "reparameterized", "reparam_baseline"),
            lambda num_samples, reparameterized, reparam_baseline: (
                num_samples == 1
                or not (reparameterized if reparam_baseline is None else reparam_baseline[0])
            ),
            "num_samples == 1 unless reparameterized is false",
        ),
        Rule(
            ("policy_type", "reparameterized", "reparam_baseline"),
            lambda policy_type, reparameterized, reparam_baseline: (
                policy_type.endswith("Mixture")
                or (reparam_baseline or [reparameterized])[0] != "mixed"
            ),
            'reparameterized "mixed" needs a mixture policy',
        ),
    )


class SACDiscreteSettings(SoftSettings, frozen=True, kw_only=True):
    """Soft actor-critic for discrete actions, expectations over them exact (Christodoulou 2019)."""

    policy_type: Annotated[Literal["Softmax"], Meta(description="the law of the action")] = (
        "Softmax"
    )
    target_entropy: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="target of automatic tuning; null: 0.98 ln(number of actions)"),
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (*neural.RULES, SACSettings.RULES[len(neural.RULES)])
