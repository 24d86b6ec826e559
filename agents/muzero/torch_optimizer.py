"""A network's parameters in one vector, and the optimizer that steps it where it is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from agents.muzero.optimizers import Optimizer, numbers_of
from agents.muzero.settings import MuZeroSettings


class Vector:
    """The parameters of a network that learn, which from now on lie in one vector, and their
    gradients in another, in the order in which they lie in memory.

    Attributes:
        values, gradients: [P].
    """

    def __init__(self, network: nn.Module) -> None:
        parameters = [one for one in network.parameters() if one.requires_grad]
        self.values = torch.cat([_laid_out(one.detach()).reshape(-1) for one in parameters])
        self.gradients = torch.zeros_like(self.values)
        at = 0
        for one in parameters:
            end = at + one.numel()
            for part, whole in (("data", self.values), ("grad", self.gradients)):
                view = whole[at:end].view(_laid_out(one).shape)
                setattr(one, part, view.permute(0, 3, 1, 2) if _channels_last(one) else view)
            at = end


def _channels_last(parameter: Tensor) -> bool:
    return parameter.dim() == 4 and parameter.is_contiguous(memory_format=torch.channels_last)


def _laid_out(parameter: Tensor) -> Tensor:
    """With its dimensions in the order of memory."""
    return parameter.permute(0, 2, 3, 1) if _channels_last(parameter) else parameter


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
