"""The learner of π-IW: a policy network that imitates what planning found.

    L = mean CE(π_target, softmax(logits)) + c_v L_v + λ ½ Σ w²

over a minibatch of recent decisions, where w are all parameters and L_v the loss of the value
head, if there is one. One minibatch a decision.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from agents.base import Diverged
from agents.piiw.network import Architecture, PolicyNetwork
from agents.piiw.observations import Reader
from agents.piiw.optimizers import Adam, Optimizer, RMSProp
from agents.piiw.replay import Replay
from agents.piiw.settings import PiIWSettings
from agents.piiw.single import Single, SinglePass
from agents.piiw.values import CategoricalValue, ScalarValue, ValueHead


class Learner:
    """A network, its optimizer and its replay.

    Attributes:
        losses: of the last update: name -> value; empty before the first.
        reader: what turns observations into what the network reads.
    """

    def __init__(
        self,
        settings: PiIWSettings,
        observation_space: gymnasium.Space[Any],
        actions: int,
        *,
        rng: np.random.Generator,
        device: str,
        agent: str,
    ) -> None:
        self._settings, self._rng = settings, rng
        self.reader = Reader(
            observation_space, settings.encoder, settings.image_channels, agent=agent
        )
        self.head = value_head(settings)
        architecture = Architecture(
            self.reader.picture,
            self.reader.inputs,
            settings.hidden_dim,
            actions,
            self.head.outputs if self.head else 0,
            settings.batch_normalization,
        )
        self.network = PolicyNetwork(
            architecture, settings.weight_init, rng, device, settings.input_scale
        )
        self._pass = SinglePass(self.network)
        self._optimizer = _optimizer(settings, self.network)
        self.replay = Replay(settings.replay_capacity, stacked=self.reader.stacked)
        self.losses: dict[str, float] = {}
        self.updates = 0

    def evaluate(self, observation: Any) -> Single:
        """The network's outputs for one observation; overwritten by the next call."""
        return self._pass(self.reader.one(observation))

    def value(self, outputs: Single) -> float:
        """V of `evaluate`'s outputs; 0 without a value head."""
        return self.head.of(outputs.value) if self.head else 0.0

    def update(self) -> dict[str, Any] | None:
        """One minibatch, once the replay holds enough; returns what it used, or None.

        Raises:
            Diverged: the loss is not finite.
        """
        settings = self._settings
        if len(self.replay) < max(settings.batch_size, settings.replay_min_transitions):
            return None
        batch = self.replay.sample(settings.batch_size, self._rng)
        self.step(batch.observations, batch.policies, batch.returns)
        return {
            "update_states": batch.observations,
            "update_actions": batch.policies,
            "update_rewards": batch.returns,
        }

    def step(
        self,
        observations: np.ndarray,
        policies: NDArray[np.float32],
        returns: NDArray[np.float32],
    ) -> None:
        """One step on a batch: observations [B, ...], π_target [B, A], returns [B].

        Raises:
            Diverged: the loss is not finite.
        """
        settings, network = self._settings, self.network
        device = network.device
        read = np.ascontiguousarray(self.reader.batch(observations))
        out = network.forward(torch.from_numpy(read).to(device), training=True)
        logs = functional.log_softmax(out.logits, 1)
        cross_entropy = -(torch.from_numpy(policies).to(device) * logs).sum(1).mean()
        loss = cross_entropy
        losses = {"cross_entropy": cross_entropy}
        if self.head is not None and out.value is not None:
            losses["value_loss"] = self.head.loss(out.value, torch.from_numpy(returns).to(device))
            loss = loss + settings.value_factor * losses["value_loss"]
        factor = settings.regularization_factor
        # the gradient of the penalty, to which that of the rest is added
        torch.mul(network.values, factor, out=network.gradients)
        loss.backward()  # type: ignore[no-untyped-call]
        losses["loss"] = loss + 0.5 * factor * network.values.dot(network.values)
        self.losses = {name: float(value.detach()) for name, value in losses.items()}
        if not math.isfinite(self.losses["loss"]):
            raise Diverged("the loss")
        if settings.max_grad_norm is not None:
            norm = float(network.gradients.norm())
            if norm > settings.max_grad_norm:
                network.gradients.mul_(settings.max_grad_norm / norm)
        self._optimizer.step(network.values, network.gradients)
        network.version += 1
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "replay": self.replay.state_dict(),
            "losses": self.losses,
            "updates": self.updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.replay.load_state_dict(state["replay"])
        self.losses, self.updates = state["losses"], state["updates"]


def value_head(settings: PiIWSettings) -> ValueHead | None:
    """What the settings ask for."""
    match settings.value_head:
        case "none":
            return None
        case "scalar":
            return ScalarValue()
        case "categorical":
            return CategoricalValue(settings.value_bins, settings.value_min, settings.value_max)


def _optimizer(settings: PiIWSettings, network: PolicyNetwork) -> Optimizer:
    if settings.optimizer == "adam":
        return Adam(network.values, settings.learning_rate, settings.betas, settings.adam_eps)
    return RMSProp(
        network.values,
        settings.learning_rate,
        settings.rmsprop_decay,
        settings.rmsprop_epsilon,
        epsilon_inside=settings.rmsprop_epsilon_inside,
        initial=settings.rmsprop_initial,
    )
