"""The learner of networks in torch, wherever they are; the loss is that of `dense_learner`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.base import Diverged
from agents.muzero.interfaces import Learnt
from agents.muzero.mirrored_inference import MirroredInference
from agents.muzero.networks import DenseNetwork, Network
from agents.muzero.replay import Batch
from agents.muzero.sampled.torch_loss import cross_entropy
from agents.muzero.self_supervision.augmentation import Augmentation
from agents.muzero.self_supervision.base import SelfSupervision, Unrolled
from agents.muzero.settings import MuZeroSettings
from agents.muzero.supports import supports
from agents.muzero.torch_inference import Reader, TorchInference
from agents.muzero.torch_optimizer import Vector, optimizer_of
from agents.muzero.torch_scalars import decode, scaled_gradient, two_hot
from agents.muzero.value_prefix import sums
from agents.precision import Precision, computed_in
from agents.search.sampling import Sampling
from agents.search.scalars import Support

Floats = NDArray[np.float32]


class TorchLearner:
    """Gradient steps on batches; see `agents.muzero.interfaces.Learner`.

    Args:
        network: on its device.
        read: from rows of observations to pictures or vectors, bytes to bytes.
        ssl: what else its states are drawn to.
        augmentation: what is done to the pictures of a batch.
        sampling: how actions of a box are drawn; None: they are not a box.
        scale: that bytes are multiplied by.
    """

    def __init__(
        self,
        settings: MuZeroSettings,
        network: Network,
        read: Reader,
        *,
        ssl: SelfSupervision | None = None,
        augmentation: Augmentation | None = None,
        sampling: Sampling | None = None,
        scale: float = 1.0,
    ) -> None:
        self.settings, self._network, self._read = settings, network, read
        self._ssl, self._augmentation = ssl, augmentation
        self._sampling, self._scale = sampling, scale
        self._target = copy.deepcopy(network).requires_grad_(False)
        self._device = next(network.parameters()).device
        self._values_of, self._rewards_of = supports(settings)
        K = settings.jumps
        self._scales = torch.full((K + 1, 1), 1 / max(K, 1), device=self._device)
        self._scales[0] = 1
        self.reads_all, self.reads_stored = ssl is not None, True
        self.updates = 0
        self._modules = network if ssl is None else nn.ModuleList((network, ssl))
        self._vector = Vector(self._modules)
        self._optimizer = optimizer_of(settings, self._vector)
        self.online = self._inference(network)
        self.target = self._inference(self._target)
        self._precision: Precision = "bfloat16" if settings.autocast else "float32"
        self.target.precision = self._precision
        network.eval()
        self._target.eval()
        self._forward: Callable[..., Any] = self._loss
        self._settled: Callable[[], None] = _at_once

    def distribute(
        self, averaged: Callable[[nn.Module], nn.Module], settled: Callable[[], None]
    ) -> None:
        """Makes it one of several learners that take the same steps.

        Args:
            averaged: makes, of a module whose output is the loss, one whose gradients are the mean
                of all learners'.
            settled: called when gradients have been asked for; returns when they are there.
        """
        self._forward, self._settled = averaged(_Loss(self._modules, self._loss)), settled

    def _inference(self, network: Network) -> TorchInference:
        both = (self._values_of, self._rewards_of)
        if self._is_mirrored(network):
            return MirroredInference(
                self.settings, network, self._read, *both, continuous=self._sampling is not None
            )
        return TorchInference(network, self._read, *both)

    def _is_mirrored(self, network: Network) -> TypeGuard[DenseNetwork]:
        """Whether searches may have a copy of it that needs no torch."""
        dense = isinstance(network, DenseNetwork) and network.prefix is None
        return dense and self._device.type == "cpu"

    def update(
        self, observations: NDArray[Any], batch: Batch, values: Floats, rate: float
    ) -> Learnt:
        self._network.train()
        with computed_in(self._precision, self._device):
            loss, errors, losses = self._forward(observations, batch, values)
        self._vector.gradients.zero_()
        loss.backward()
        self._settled()
        self._network.eval()
        norm = self._optimizer.step(rate)
        if self._ssl is not None:
            self._ssl.follow(self._network)
        self.updates += 1
        if not np.isfinite(norm):
            raise Diverged("the gradient")
        numbers = torch.stack(list(losses.values())).tolist()
        named = dict(zip(losses, numbers, strict=True)) | {"gradient_norm": norm}
        return Learnt(errors.cpu().numpy(), named)

    def _loss(
        self, observations: NDArray[Any], batch: Batch, values: Floats
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The loss, by how much the first values are off [B], and its terms."""
        settings, network, targets = self.settings, self._network, batch.targets
        B = len(batch.starts)
        actions = torch.from_numpy(batch.actions).to(self._device)
        seen = self._read(observations.reshape(-1, observations.shape[-1]))
        seen = seen.view(len(observations), B, *seen.shape[1:])
        states = [network.represent(self._augmented(seen[0]))]
        for k in range(settings.jumps):
            entering = scaled_gradient(states[-1], settings.grad_scale_factor)
            states.append(network.step(entering, actions[:, k]))
        every = torch.cat(states)
        scales = self._scales * self._to(batch.weights) / B
        loss, errors, losses = self._head_losses(every, batch, values, scales)
        if settings.jumps:
            led = (scales * self._to(targets.reward_mask.T))[1:].reshape(-1)
            rewards = self._to(targets.rewards.T)[1:]
            if network.prefix is None:
                said = network.rewards(every[B:])
            else:
                said = network.prefix.unrolled(torch.stack(states[1:])).flatten(0, 1)
                rewards = sums(rewards)
            losses["reward_loss"] = _cross_entropy(said, rewards, led, self._rewards_of)
            loss = loss + settings.reward_loss_weight * losses["reward_loss"]
        if self._ssl is not None:
            rows = self._to(targets.rows.T)
            unrolled = Unrolled(
                torch.stack(states), self._augmented(seen), rows, scales * (rows >= 0)
            )
            losses["ssl_loss"] = self._ssl(network, unrolled)
            loss = loss + settings.ssl_weight * losses["ssl_loss"]
        return loss, errors, {name: one.detach() for name, one in losses.items()}

    def _head_losses(
        self, every: Tensor, batch: Batch, values: Floats, scales: Tensor
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """What the heads that decide are off, in states [(K + 1) B, ...]: as of `_loss`.

        Args:
            scales: [K + 1, B].
        """
        settings, targets = self.settings, batch.targets
        B = len(batch.starts)
        logits, value_logits = self._network.predict(every)
        policies = self._to(batch.policies.transpose(1, 0, 2)).reshape(len(every), -1)
        if self._sampling is None:
            log_p = logits.float().log_softmax(-1)
            apart, entropy = -(policies * log_p).sum(-1), -(log_p.exp() * log_p).sum(-1)
        else:
            apart, entropy = cross_entropy(logits.float(), policies, self._sampling)
        wanted = (scales * self._to(targets.policy_mask.T)).reshape(-1)
        policy_loss = (apart * wanted).sum()

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
        with torch.no_grad():
            errors = decode(value_logits[:B].float(), self._values_of) - value_targets[0]
        return loss, errors, losses

    def _augmented(self, observations: Tensor) -> Tensor:
        scale = 1.0 if observations.is_floating_point() else self._scale
        if self._augmentation is not None:
            return self._augmentation(observations, scale)
        return observations.float() if scale == 1 else observations * scale

    def _to(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

    def renew_target(self) -> None:
        self._target.load_state_dict(self._network.state_dict())
        self.target.refresh()

    def state_dict(self) -> dict[str, Any]:
        return {
            "network": _arrays(self._network.state_dict()),
            "target": _arrays(self._target.state_dict()),
            "optimizer": self._optimizer.state_dict(),
            "updates": self.updates,
            "ssl": {} if self._ssl is None else _arrays(self._ssl.state_dict()),
            "augmentation": None if self._augmentation is None else self._augmentation.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        saved: dict[str, nn.Module] = {"network": self._network, "target": self._target}
        if self._ssl is not None:
            saved["ssl"] = self._ssl
        for name, module in saved.items():
            arrays = state[name].items()
            module.load_state_dict({key: torch.from_numpy(array) for key, array in arrays})
        if self._augmentation is not None:
            self._augmentation.load_state_dict(state["augmentation"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.updates = state["updates"]
        self.online.refresh()
        self.target.refresh()

    def learned_params(self) -> dict[str, np.ndarray]:
        return _arrays(self._network.state_dict())

    def adopt(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._network.load_state_dict(
            {name: torch.from_numpy(array) for name, array in arrays.items()}
        )
        self.online.refresh()

    def close(self) -> None:
        """See `Learner`."""


class _Loss(nn.Module):
    """A loss as a module that has the parameters of others."""

    def __init__(self, modules: nn.Module, loss: Callable[..., Any]) -> None:
        super().__init__()
        self.trained, self._compute = modules, loss

    def forward(self, observations: NDArray[Any], batch: Batch, values: Floats) -> Any:
        return self._compute(observations, batch, values)


def _at_once() -> None:
    """Gradients are there when the way back is over."""


def _cross_entropy(logits: Tensor, scalars: Tensor, scales: Tensor, support: Support) -> Tensor:
    """Of distributions [rows, bins] with scalars, summed with scales [rows]."""
    hot = two_hot(scalars.reshape(-1), support)
    return (-(hot * logits.float().log_softmax(-1)).sum(-1) * scales).sum()


def _arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in tensors.items()}
