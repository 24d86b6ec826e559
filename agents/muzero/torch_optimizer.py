"""A network's parameters in one vector, and the optimizer that steps it where it is."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from agents.muzero.optimizers import Optimizer, numbers_of
from agents.muzero.settings import MuZeroSettings


class Vector:
    """The parameters of a network that learn, which from now on lie in one vector, and their
    gradients in another.

    Attributes:
        values, gradients: [P].
    """

    def __init__(self, network: nn.Module) -> None:
        parameters = [one for one in network.parameters() if one.requires_grad]
        self.values = torch.cat([one.detach().reshape(-1) for one in parameters])
        self.gradients = torch.zeros_like(self.values)
        at = 0
        for one in parameters:
            end = at + one.numel()
            one.data = self.values[at:end].view(one.shape)
            one.grad = self.gradients[at:end].view(one.shape)
            at = end


class DeviceOptimizer:
    """`agents.muzero.optimizers.Optimizer` in torch."""

    def __init__(self, settings: MuZeroSettings, vector: Vector) -> None:
        self._settings, self._vector = settings, vector
        self.moments = vector.values.new_zeros(2, len(vector.values))
        self.steps = 0

    @torch.no_grad()
    def step(self, learning_rate: float) -> float:
        """One step along the vector's gradients, which it may overwrite; returns their norm."""
        values, g = self._vector.values, self._vector.gradients
        norm = float(torch.linalg.vector_norm(g))
        self.steps += 1
        by = numbers_of(self._settings, self.steps, norm, learning_rate)
        g.mul_(by.clip).add_(values, alpha=by.decay)
        mean, square = self.moments
        if self._settings.optimizer == "sgd":
            values.sub_(mean.mul_(by.rate1).add_(g), alpha=by.rate)
            return norm
        mean.lerp_(g, by.rate1)
        square.lerp_(g * g, by.rate2)
        values.mul_(by.shrunk).addcdiv_(mean, square.sqrt().add_(by.epsilon), value=-by.rate)
        return norm

    def state_dict(self) -> dict[str, Any]:
        return {"moments": self.moments.cpu().numpy().copy(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.moments.copy_(torch.from_numpy(state["moments"]))
        self.steps = state["steps"]


class ProcessorOptimizer:
    """The compiled one, on a vector of the processor's."""

    def __init__(self, settings: MuZeroSettings, vector: Vector) -> None:
        self._gradients = vector.gradients.numpy()
        self._optimizer = Optimizer(settings, vector.values.numpy())
        self.state_dict = self._optimizer.state_dict
        self.load_state_dict = self._optimizer.load_state_dict

    def step(self, learning_rate: float) -> float:
        """See `DeviceOptimizer`."""
        return self._optimizer.step(self._gradients, learning_rate)


def optimizer_of(settings: MuZeroSettings, vector: Vector) -> DeviceOptimizer | ProcessorOptimizer:
    """What steps a vector."""
    if vector.values.device.type == "cpu":
        return ProcessorOptimizer(settings, vector)
    return DeviceOptimizer(settings, vector)
