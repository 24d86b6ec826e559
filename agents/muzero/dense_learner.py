"""The learner of networks of dense layers, on the processor, its gradients written out.

For K + 1 states in a row, s_0 = h(o_t), s_k = g(s_k-1, a_t+k-1):

    L = 1/B Σ_b w_b (l_0 + 1/K Σ_{k=1..K} l_k)
    l_k = c_p CE(π_k, p(s_k)) + c_v CE(z_k, v(s_k)) + [k > 0] c_r CE(u_k, r(s_k)) - c_e H(p(s_k))

With ssl "consistency" (as in TD-MPC, Hansen et al. 2022) a state of the model is also drawn to what
the network sees in the observation: + [k > 0] c_s |s_k - sg(h(o_t+k))|². The gradient that enters a
step of the model is multiplied by `grad_scale_factor`. The heads read the states of all steps at
once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.base import Diverged
from agents.muzero.dense import Widths
from agents.muzero.dense_inference import DenseInference
from agents.muzero.interfaces import Learnt
from agents.muzero.losses import PolicyLoss, ScalarLoss
from agents.muzero.optimizers import Optimizer
from agents.muzero.replay import Batch
from agents.muzero.sampled.loss import SampledPolicyLoss
from agents.muzero.settings import MuZeroSettings
from agents.muzero.supports import supports
from agents.muzero.unroll import Unroll
from agents.search.sampling import Sampling

Floats = NDArray[np.float32]


class DenseLearner:
    """Gradient steps on batches; see `agents.muzero.interfaces.Learner`.

    Args:
        values: [P] the first parameters; they are stepped in place.
        capacity: the most observations that are acted on at once.
        sampling: how actions of a box are drawn; None: they are not a box.
    """

    def __init__(
        self,
        settings: MuZeroSettings,
        widths: Widths,
        values: Floats,
        *,
        capacity: int,
        sampling: Sampling | None = None,
    ) -> None:
        batch, unroll = settings.batch_size_per_worker, settings.jumps
        self.widths, self.values, self._target_values = widths, values, values.copy()
        self._gradients = np.zeros_like(values)
        self._batch = batch
        self._unroll = Unroll(
            widths,
            widths.views(values),
            widths.views(self._gradients),
            batch=batch,
            unroll=unroll,
            activation=settings.activation,
            transform=settings.latent_transform,
            residual=settings.residual,
            gradient_scale=settings.grad_scale_factor,
        )
        every = (unroll + 1) * batch
        values_of, rewards_of = supports(settings)
        weight, entropy_weight = settings.policy_loss_weight, settings.entropy_loss_weight
        self._policy_loss: PolicyLoss | SampledPolicyLoss
        if sampling is None:
            self._policy_loss = PolicyLoss(
                every, widths.actions, weight=weight, entropy_weight=entropy_weight
            )
        else:
            self._policy_loss = SampledPolicyLoss(
                every, sampling, weight=weight, entropy_weight=entropy_weight
            )
        self._value_loss = ScalarLoss(values_of, every)
        self._reward_loss = ScalarLoss(rewards_of, unroll * batch)
        self._value_weight = np.float32(settings.value_loss_weight)
        self._reward_weight = np.float32(settings.reward_loss_weight)
        self._optimizer = Optimizer(settings, values)
        # l_0 counts once, the K others together as much
        self._scales = np.full((unroll + 1, 1), 1 / max(unroll, 1), np.float32)
        self._scales[0] = 1
        self._consistency = np.float32(
            settings.ssl_weight if settings.self_supervision == "consistency" and unroll else 0
        )
        self.reads_all = bool(self._consistency > 0)
        self.reads_stored = False
        self.updates = 0
        self.online, self.target = (
            DenseInference(
                settings, widths, of, capacity=max(every, capacity), continuous=sampling is not None
            )
            for of in (values, self._target_values)
        )

    def update(self, observations: Floats, batch: Batch, values: Floats, rate: float) -> Learnt:
        self.updates += 1
        targets, B = batch.targets, self._batch
        unroll = self._unroll
        policies, value_logits, reward_logits = unroll.forward(observations[0], batch.actions)
        scales = self._scales * (batch.weights / np.float32(B))
        policy_scales = scales * targets.policy_mask.T
        value_scales = scales * targets.value_mask.T
        wanted = batch.policies.transpose(1, 0, 2)
        policy = self._policy_loss(
            policies, wanted.reshape(-1, wanted.shape[2]), policy_scales.reshape(-1)
        )
        value_targets = values.T.reshape(-1)
        value = self._value_loss(
            value_logits, value_targets, (value_scales * self._value_weight).reshape(-1)
        )
        losses = {
            "policy_loss": _weighted(policy.losses, policy_scales),
            "value_loss": _weighted(value.losses, value_scales),
            "policy_entropy": float(policy.scalars[:B].mean()),
        }
        if reward_logits is not None:
            reward_scales = (scales * targets.reward_mask.T)[1:]
            reward = self._reward_loss(
                reward_logits,
                targets.rewards.T[1:].reshape(-1),
                (reward_scales * self._reward_weight).reshape(-1),
            )
            losses["reward_loss"] = _weighted(reward.losses, reward_scales)
        errors = value.scalars[:B] - value_targets[:B]
        d_states = None
        if self._consistency > 0:
            seen = scales[1:] * (targets.rows.T[1:] >= 0)
            d_states, losses["ssl_loss"] = self._drawn(observations[1:], seen)
        unroll.backward(policies, value_logits, reward_logits, d_states)
        losses["gradient_norm"] = self._optimizer.step(self._gradients, rate)
        if not np.isfinite(losses["gradient_norm"]):
            raise Diverged("the gradient")
        return Learnt(errors, losses)

    def _drawn(self, observations: Floats, scales: Floats) -> tuple[Floats, float]:
        """The consistency's gradient [K, B, H], and its loss, of the states after the first.

        Args:
            observations: [K, B, inputs].
            scales: [K, B].
        """
        states = self._unroll.states[1:]
        seen = self.online.states(observations.reshape(-1, observations.shape[-1]))
        apart = states - seen.reshape(states.shape)
        loss = float(np.vdot(np.einsum("kbh,kbh->kb", apart, apart), scales))
        apart *= (np.float32(2) * self._consistency * scales)[..., None]
        return apart, loss

    def renew_target(self) -> None:
        self._target_values[:] = self.values
        self.target.refresh()

    def state_dict(self) -> dict[str, Any]:
        return {
            "values": self.values.copy(),
            "target": self._target_values.copy(),
            "optimizer": self._optimizer.state_dict(),
            "updates": self.updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.values[:], self._target_values[:] = state["values"], state["target"]
        self._optimizer.load_state_dict(state["optimizer"])
        self.updates = state["updates"]
        self.online.refresh()
        self.target.refresh()

    def learned_params(self) -> dict[str, np.ndarray]:
        return {name: array.copy() for name, array in self._named().items()}

    def _named(self) -> dict[str, Floats]:
        return {
            f"{name}_{kind}_{place}": array
            for name, stack in self.widths.views(self.values).items()
            for place, layer in enumerate(stack)
            for kind, array in zip(("weight", "bias"), layer, strict=True)
        }

    def adopt(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name, stack in self.widths.views(self.values).items():
            for place, layer in enumerate(stack):
                for kind, array in zip(("weight", "bias"), layer, strict=True):
                    given = arrays.get(f"{name}_{kind}_{place}")
                    # torch has them as [writes, reads]
                    array[:] = arrays[f"{name}.{place}.{kind}"].T if given is None else given
        self.online.refresh()

    def close(self) -> None:
        """See `agents.muzero.interfaces.Learner`."""


def _weighted(losses: Floats, scales: Floats) -> float:
    return float(np.vdot(losses, scales))
