"""The learner of networks in torch, wherever they are; the loss is that of `dense_learner`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.base import Diverged
from agents.muzero.interfaces import Learnt, check_params
from agents.muzero.networks import Network
from agents.muzero.replay import Batch
from agents.muzero.settings import MuZeroSettings
from agents.muzero.supports import supports
from agents.muzero.torch_inference import Reader, TorchInference
from agents.muzero.torch_optimizer import Vector, optimizer_of
from agents.muzero.torch_scalars import decode, scaled_gradient, two_hot
from agents.search.scalars import Support

Floats = NDArray[np.float32]


class TorchLearner:
    """Gradient steps on batches; see `agents.muzero.interfaces.Learner`.

    Args:
        network: on its device.
        read: from rows of observations to what it reads.
    """

    def __init__(self, settings: MuZeroSettings, network: Network, read: Reader) -> None:
        self.settings, self._network, self._read = settings, network, read
        self._target = copy.deepcopy(network).requires_grad_(False)
        self._device = next(network.parameters()).device
        self._values_of, self._rewards_of = supports(settings)
        K = settings.jumps
        self._scales = torch.full((K + 1, 1), 1 / max(K, 1), device=self._device)
        self._scales[0] = 1
        self.reads_all = settings.ssl != "none" and settings.contrastive_loss_weight > 0 and K > 0
        self.updates = 0
        self._vector = Vector(network)
        self._optimizer = optimizer_of(settings, self._vector)
        both = (self._values_of, self._rewards_of)
        self.online = TorchInference(network, read, *both)
        self.target = TorchInference(self._target, read, *both)
        network.eval()
        self._target.eval()

    def update(self, observations: Floats, batch: Batch, values: Floats, rate: float) -> Learnt:
        self._network.train()
        loss, errors, losses = self._loss(observations, batch, values)
        self._vector.gradients.zero_()
        loss.backward()  # type: ignore[no-untyped-call]
        self._network.eval()
        norm = self._optimizer.step(rate)
        self.updates += 1
        if not np.isfinite(norm):
            raise Diverged("the gradient")
        numbers = torch.stack(list(losses.values())).tolist()
        named = dict(zip(losses, numbers, strict=True)) | {"gradient_norm": norm}
        return Learnt(errors.cpu().numpy(), named)

    def _loss(
        self, observations: Floats, batch: Batch, values: Floats
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The loss, by how much the first values are off [B], and its terms."""
        settings, network, targets = self.settings, self._network, batch.targets
        B = len(batch.starts)
        actions = torch.from_numpy(batch.actions).to(self._device)
        states = [network.represent(self._read(observations[0]))]
        for k in range(settings.jumps):
            entering = scaled_gradient(states[-1], settings.grad_scale_factor)
            states.append(network.step(entering, actions[:, k]))
        every = torch.cat(states)
        logits, value_logits = network.predict(every)

        scales = self._scales * self._to(batch.weights) / B
        log_p = logits.float().log_softmax(-1)
        policies = self._to(batch.policies.transpose(1, 0, 2)).reshape(len(every), -1)
        entropy = -(log_p.exp() * log_p).sum(-1)
        wanted = (scales * self._to(targets.policy_mask.T)).reshape(-1)
        policy_loss = (-(policies * log_p).sum(-1) * wanted).sum()

        value_targets = self._to(values.T)
        wanted_values = (scales * self._to(targets.value_mask.T)).reshape(-1)
        value_loss = _cross_entropy(value_logits, value_targets, wanted_values, self._values_of)
        losses = {"policy_loss": policy_loss, "value_loss": value_loss}
        loss = (
            settings.policy_loss_weight * policy_loss
            + settings.value_loss_weight * value_loss
            - settings.entropy_loss_weight * (entropy * wanted).sum()
        )
        losses["policy_entropy"] = entropy[:B].mean()
        if settings.jumps:
            led = (scales * self._to(targets.reward_mask.T))[1:].reshape(-1)
            losses["reward_loss"] = _cross_entropy(
                network.rewards(every[B:]), self._to(targets.rewards.T)[1:], led, self._rewards_of
            )
            loss = loss + settings.reward_loss_weight * losses["reward_loss"]
        if self.reads_all:
            seen = scales[1:] * self._to((targets.rows.T[1:] >= 0).astype(np.float32))
            losses["ssl_loss"] = self._apart(every[B:], observations[1:], seen.reshape(-1))
            loss = loss + settings.contrastive_loss_weight * losses["ssl_loss"]
        with torch.no_grad():
            errors = decode(value_logits[:B].float(), self._values_of) - value_targets[0]
        return loss, errors, {name: one.detach() for name, one in losses.items()}

    def _apart(self, states: Tensor, observations: Floats, scales: Tensor) -> Tensor:
        """Squared distances of states from what is seen in observations [K, B, inputs]."""
        with torch.no_grad():
            rows = observations.reshape(-1, observations.shape[-1])
            seen = self._network.represent(self._read(rows))
        return ((states - seen).float().square().flatten(1).sum(1) * scales).sum()

    def _to(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

    def renew_target(self) -> None:
        self._target.load_state_dict(self._network.state_dict())

    def state_dict(self) -> dict[str, Any]:
        return {
            "network": _arrays(self._network.state_dict()),
            "target": _arrays(self._target.state_dict()),
            "optimizer": self._optimizer.state_dict(),
            "updates": self.updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for network, saved in ((self._network, "network"), (self._target, "target")):
            network.load_state_dict(
                {name: torch.from_numpy(array) for name, array in state[saved].items()}
            )
        self._optimizer.load_state_dict(state["optimizer"])
        self.updates = state["updates"]

    def learned_params(self) -> dict[str, np.ndarray]:
        return _arrays(self._network.state_dict())

    def set_params(self, params: Mapping[str, np.ndarray]) -> None:
        own = self.learned_params()
        check_params(params, own)
        self._network.load_state_dict({name: torch.from_numpy(params[name]) for name in own})
        self.online.refresh()


def _cross_entropy(logits: Tensor, scalars: Tensor, scales: Tensor, support: Support) -> Tensor:
    """Of distributions [rows, bins] with scalars, summed with scales [rows]."""
    hot = two_hot(scalars.reshape(-1), support)
    return (-(hot * logits.float().log_softmax(-1)).sum(-1) * scales).sum()


def _arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in tensors.items()}
