"""Mixtures π(a) = Σ_k w_k Π_d p_kd(a_d) of K components from one family, by autograd.

No function of noise with a derivative picks a component: two ways around it are here.

`reparameterised` relaxes the pick (Gumbel-softmax): y = softmax((ln w + G) / T), G Gumbel noise,
and x = Σ_k y_k x_k of the components' draws. With `hard`, y is the component that G picks, so the
draw has the law π, and only the gradient is that of the relaxed y. Both gradients are biased by
what T makes of the pick.

`mixed` has no bias: the pathwise gradient through the component that was picked, and the
likelihood gradient of the weights, for which it wants the value of the loss at each draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from agents.neural.policies.base import ActionBox, LikelihoodBackward, Noise, PathwiseBackward
from agents.neural.policies.elementary import log_sum_exp
from agents.neural.policies.families import Edges, Family
from agents.neural.policies.independent import crossing, differentiable, gradient, rounded

#: (dL/daction, dL/dlog_prob, L), [M, B, A], [M, B] and [M, B] -> dL/dh [M, B, H].
MixedBackward = Callable[[Tensor, Tensor, Tensor], Tensor]


class Mixture:
    """h = [ln w of K components, first parameter of every component and dimension, second, ...].

    The action of evaluation is the centre of the heaviest component, the first of equals.

    Args:
        temperature: [M, 1, 1], T of the Gumbel-softmax.
        share_std: all components have the last parameter, the width, in common.
    """

    def __init__(
        self,
        box: ActionBox,
        family: Family,
        components: int,
        temperature: Tensor,
        *,
        share_std: bool = False,
        hard: bool = True,
    ) -> None:
        K, A = components, box.dimensions
        last = A if share_std else K * A
        self._widths = [K, *[K * A] * (family.parameters - 1), last]
        self.outputs = sum(self._widths)
        self._box, self._family, self._hard = box, family, hard
        self._components = K
        self._temperature = temperature.double()

    def draw(self, h: Tensor, noise: Noise) -> Tensor:
        return self._action(self._pick(self._law(h.double()), noise)[0], h)

    def mode(self, h: Tensor) -> Tensor:
        law = self._law(h.double())
        centre = self._by_component(self._family.centre(law.parameters))
        return self._action(_chosen(centre, law.log_weights.argmax(-1)), h)

    def reparameterised(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, PathwiseBackward]:
        with torch.enable_grad():
            leaf = differentiable(h)
            law = self._law(leaf)
            perturbed = law.log_weights + self._gumbel(h, noise)
            y = torch.exp(perturbed / self._temperature - self._log_sum(perturbed))
            picked = perturbed.argmax(-1)
            if self._hard:
                y = _one_hot(picked, y) + (y - y.detach())
            draws = self._by_component(self._family.draw(law.parameters, noise))
            x = (y.unsqueeze(-1) * draws).sum(2)
            action = self._family.action(x)
            log_prob = self._log_prob(law, x) + self._crossings(law, x, picked)

        def backward(d_action: Tensor, d_log_prob: Tensor) -> Tensor:
            return gradient(leaf, h, (action, d_action), (log_prob, d_log_prob))

        return self._action(x, h), log_prob.detach().to(h.dtype), backward

    def mixed(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, MixedBackward]:
        """∇ E[L] = E[L ∇_w ln π(a)] + E[∇ L by way of the component picked]; L is the loss of each
        draw as it enters the sum, with whatever baseline."""
        with torch.enable_grad():
            leaf = differentiable(h)
            law = self._law(leaf)
            x, picked = self._pick(law, noise)
            action = self._family.action(x)
            # ln π at fixed a has a gradient of expectation 0: of it, only the components' is kept
            path = law._replace(log_weights=law.log_weights.detach())
            log_prob = self._log_prob(path, x) + self._crossings(path, x, picked)
            fixed = law._replace(parameters=[p.detach() for p in law.parameters])
            weighed = self._log_prob(fixed, x.detach())

        def backward(d_action: Tensor, d_log_prob: Tensor, loss: Tensor) -> Tensor:
            return gradient(leaf, h, (action, d_action), (log_prob, d_log_prob), (weighed, loss))

        return self._action(x, h), log_prob.detach().to(h.dtype), backward

    def likelihood(self, h: Tensor, action: Tensor) -> tuple[Tensor, LikelihoodBackward]:
        return self._likelihood(h, self._family.latent(action.double()))

    def scored(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, LikelihoodBackward]:
        x, _ = self._pick(self._law(h.double()), noise)
        return self._action(x, h), *self._likelihood(h, x)

    def _likelihood(self, h: Tensor, x: Tensor) -> tuple[Tensor, LikelihoodBackward]:
        with torch.enable_grad():
            leaf = differentiable(h)
            log_prob = self._log_prob(self._law(leaf), x)

        def backward(d_log_prob: Tensor) -> Tensor:
            return gradient(leaf, h, (log_prob, d_log_prob))

        return log_prob.detach().to(h.dtype), backward

    def _law(self, h: Tensor) -> _Law:
        """Parameters as families take them, [M, B K, A]; a shared width is repeated."""
        M, B, K, A = *h.shape[:2], self._components, self._box.dimensions
        logits, *parameters = torch.split(h, self._widths, -1)
        return _Law(
            logits - log_sum_exp(logits, -1),
            [p.reshape(M, B, -1, A).expand(M, B, K, A).reshape(M, B * K, A) for p in parameters],
        )

    def _gumbel(self, h: Tensor, noise: Noise) -> Tensor:
        return -torch.log(-torch.log(noise.uniform(h.shape[1], self._components).double()))

    def _pick(self, law: _Law, noise: Noise) -> tuple[Tensor, Tensor]:
        """x of a component drawn with probability w_k, which the highest ln w + G has."""
        picked = (law.log_weights + self._gumbel(law.log_weights, noise)).detach().argmax(-1)
        draws = self._by_component(self._family.draw(law.parameters, noise))
        return _chosen(draws, picked), picked

    def _log_sum(self, perturbed: Tensor) -> Tensor:
        return log_sum_exp(perturbed / self._temperature, -1)

    def _log_prob(self, law: _Law, x: Tensor) -> Tensor:
        return self._mix(law, self._densities(law, x).sum(-1, keepdim=True)).squeeze(-1)

    def _densities(self, law: _Law, x: Tensor) -> Tensor:
        """ln p_kd(x_d), [M, B, K, A]."""
        M, B, A = x.shape
        at = x.unsqueeze(2).expand(M, B, self._components, A).reshape(M, -1, A)
        return self._by_component(self._family.log_density(law.parameters, at))

    def _mix(self, law: _Law, log_densities: Tensor) -> Tensor:
        """ln Σ_k w_k p_k of ln p [M, B, K, ...]."""
        return log_sum_exp(law.log_weights.unsqueeze(-1) + log_densities, 2).squeeze(2)

    def _crossings(self, law: _Law, x: Tensor, picked: Tensor) -> Tensor | float:
        """As in `independent`, of the component picked; the other dimensions are where x is."""
        edges = self._family.edges(law.parameters)
        if edges is None:
            return 0.0
        densities = self._densities(law, x).detach()
        others = densities.sum(-1, keepdim=True) - densities
        total = torch.zeros_like(x)
        for density, mass in zip(*self._edges(edges), strict=True):
            jump = self._mix(law, others + density) - self._mix(law, others + mass)
            total = total + crossing(jump, _chosen(mass, picked))
        return total.sum(-1)

    def _edges(self, edges: Edges) -> tuple[list[Tensor], list[Tensor]]:
        density, mass = ([self._by_component(edge) for edge in pair] for pair in edges)
        return density, mass

    def _by_component(self, x: Tensor) -> Tensor:
        """[M, B K, A] -> [M, B, K, A]."""
        return x.reshape(x.shape[0], -1, self._components, x.shape[-1])

    def _action(self, x: Tensor, h: Tensor) -> Tensor:
        return rounded(self._family.action(x), h, self._box)


class _Law(NamedTuple):
    """ln w, [M, B, K], and the family's parameters."""

    log_weights: Tensor
    parameters: Sequence[Tensor]


def _chosen(of_components: Tensor, k: Tensor) -> Tensor:
    """[M, B, A] of component k [M, B] among [M, B, K, A]."""
    index = k[..., None, None].expand(*k.shape, 1, of_components.shape[-1])
    return of_components.gather(2, index).squeeze(2)


def _one_hot(k: Tensor, like: Tensor) -> Tensor:
    return torch.zeros_like(like).scatter_(-1, k.unsqueeze(-1), 1.0)
