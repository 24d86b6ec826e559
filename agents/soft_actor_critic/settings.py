"""Hyperparameters of soft actor-critic. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from agents.base import Rule
from agents.neural import settings as neural
from agents.neural.policy_settings import (
    CONTINUOUS_RULES,
    CONTINUOUS_STATIC,
    ContinuousPolicySettings,
    SoftmaxSettings,
)

_STATIC = ("automatic_entropy_tuning", "double_q")

Gradient = bool | Literal["mixed"]
Alpha = Annotated[
    float,
    Meta(
        ge=0,
        description="entropy temperature; where it is tuned automatically, its first value",
    ),
]
Tuning = Annotated[bool, Meta(description="tune the temperature towards target_entropy")]
AlphaStepSize = Annotated[
    float, Meta(ge=0, description="Adam step size of ln alpha, where that is tuned")
]
SoftQ = Annotated[
    bool, Meta(description="action values include the entropy to come; false: rewards only")
]
DoubleQ = Annotated[bool, Meta(description="two critics and the lower of their values; false: one")]

_TUNED = Rule(
    ("automatic_entropy_tuning", "alpha"),
    lambda automatic_entropy_tuning, alpha: alpha > 0 or not automatic_entropy_tuning,
    "automatic_entropy_tuning needs alpha > 0",
)


class SACSettings(ContinuousPolicySettings, frozen=True, kw_only=True):
    """Soft actor-critic for continuous actions (Haarnoja et al. 2018, second version)."""

    alpha: Alpha = 0.2
    automatic_entropy_tuning: Tuning = False
    alpha_lr: AlphaStepSize = 1e-3
    soft_q: SoftQ = True
    double_q: DoubleQ = True
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

    @property
    def gradient(self) -> Gradient:
        """What the policy's gradient goes through; see `reparameterized`."""
        return self.reparameterized if self.reparam_baseline is None else self.reparam_baseline[0]

    @property
    def baseline(self) -> int:
        """Number of baseline actions of the likelihood gradient."""
        given = self.baseline_actions if self.reparam_baseline is None else self.reparam_baseline[1]
        return max(0, given)

    STATIC: ClassVar[tuple[str, ...]] = (
        *CONTINUOUS_STATIC,
        *_STATIC,
        "reparameterized",
        "baseline_actions",
        "reparam_baseline",
        "num_samples",
    )
    RULES: ClassVar[tuple[Rule, ...]] = (
        *CONTINUOUS_RULES,
        _TUNED,
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
        Rule(
            ("lmbda", "reparameterized", "reparam_baseline"),
            lambda lmbda, reparameterized, reparam_baseline: (
                lmbda == -1 or (reparam_baseline or [reparameterized])[0] is False
            ),
            "lmbda == -1 unless reparameterized is false",
        ),
    )


class SACDiscreteSettings(SoftmaxSettings, frozen=True, kw_only=True):
    """Soft actor-critic for discrete actions, expectations over them exact (Christodoulou 2019)."""

    alpha: Alpha = 0.2
    automatic_entropy_tuning: Tuning = False
    alpha_lr: AlphaStepSize = 1e-3
    soft_q: SoftQ = True
    double_q: DoubleQ = True
    target_entropy: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="target of automatic tuning; null: 0.98 ln(number of actions)"),
    ] = None

    STATIC: ClassVar[tuple[str, ...]] = (*neural.STATIC, *_STATIC)
    RULES: ClassVar[tuple[Rule, ...]] = (*neural.ACTOR_RULES, _TUNED)
