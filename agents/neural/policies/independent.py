"""Policies whose action dimensions are independent draws from one family, by autograd."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from agents.neural.policies.base import ActionBox, LikelihoodBackward, Noise, PathwiseBackward
from agents.neural.policies.families import Family


class Independent:
    """h = [first parameter of every dimension, second, ...].

    The law works in double precision on the A numbers of a state: what it costs is the count of
    operations, and Γ functions of float32 lose the density of narrow laws.
    """

    def __init__(self, box: ActionBox, family: Family) -> None:
        self.outputs = family.parameters * box.dimensions
        self._box, self._family = box, family

    def draw(self, h: Tensor, noise: Noise) -> Tensor:
        return self._action(self._family.draw(self._parameters(h.double()), noise), h)

    def mode(self, h: Tensor) -> Tensor:
        return self._action(self._family.centre(self._parameters(h.double())), h)

    def reparameterised(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, PathwiseBackward]:
        with torch.enable_grad():
            leaf = differentiable(h)
            parameters = self._parameters(leaf)
            x = self._family.draw(parameters, noise)
            action = self._family.action(x)
            log_prob = self._family.log_density(parameters, x)
            if (edges := self._family.edges(parameters)) is not None:
                for density, mass in zip(*edges, strict=True):
                    log_prob = log_prob + crossing(density - mass, mass)
            log_prob = log_prob.sum(-1)

        def backward(d_action: Tensor, d_log_prob: Tensor) -> Tensor:
            return gradient(leaf, h, (action, d_action), (log_prob, d_log_prob))

        return self._action(x, h), log_prob.detach().to(h.dtype), backward

    def likelihood(self, h: Tensor, action: Tensor) -> tuple[Tensor, LikelihoodBackward]:
        return self._likelihood(h, self._family.latent(action.double()))

    def scored(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, LikelihoodBackward]:
        x = self._family.draw(self._parameters(h.double()), noise)
        return self._action(x, h), *self._likelihood(h, x)

    def _likelihood(self, h: Tensor, x: Tensor) -> tuple[Tensor, LikelihoodBackward]:
        with torch.enable_grad():
            leaf = differentiable(h)
            log_prob = self._family.log_density(self._parameters(leaf), x).sum(-1)

        def backward(d_log_prob: Tensor) -> Tensor:
            return gradient(leaf, h, (log_prob, d_log_prob))

        return log_prob.detach().to(h.dtype), backward

    def _parameters(self, h: Tensor) -> Sequence[Tensor]:
        return torch.split(h, self._box.dimensions, -1)

    def _action(self, x: Tensor, h: Tensor) -> Tensor:
        return rounded(self._family.action(x), h, self._box)


def differentiable(h: Tensor) -> Tensor:
    """A copy of h in double precision, the leaf of a graph; h is a buffer that others reuse."""
    return h.detach().to(torch.float64, copy=True).requires_grad_()


def gradient(leaf: Tensor, h: Tensor, *outputs: tuple[Tensor, Tensor]) -> Tensor:
    """Σ d_output · ∂output/∂leaf, in the precision of h; as often as wanted."""
    values, weights = zip(*outputs, strict=True)
    (d_h,) = torch.autograd.grad(
        values, leaf, [weight.double() for weight in weights], retain_graph=True
    )
    return d_h.to(h.dtype)


def rounded(action: Tensor, h: Tensor, box: ActionBox) -> Tensor:
    """An action in the precision of h; no rounding takes it out of the box."""
    return action.detach().to(h.dtype).clamp(box.low, box.high)


def crossing(jump: Tensor, log_mass: Tensor) -> Tensor:
    """What E[ln π] gains when draws cross an edge, as 0 with the right gradient.

    ln π jumps there from ln density to ln mass: no derivative at fixed noise sees it. Mass that
    comes to the edge leaves the density behind: ∂E[ln π] = -(ln density - ln mass) ∂mass.
    """
    mass = log_mass.exp()
    return -jump.detach() * (mass - mass.detach())
