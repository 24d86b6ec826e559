"""Mixtures π(a) = Σ_k w_k Π_d p_kd(a_d) of K components from one family, by autograd.

No function of noise with a derivative picks a component: two ways around it are here.

`reparameterised` is x = Σ_k y_k x_k of the components' draws, and has a gradient that is biased by
what it makes of the pick y:

    gumbel             the component that Gumbel noise G picks from ln w + G, so that the draw has
                       the law π; in the gradient y = softmax((ln w + G) / T), as if relaxed
    relaxed            this softmax itself (Gumbel-softmax, Jang et al. 2017)
    straight_through   the heaviest component; in the gradient y = w

`mixed` has no bias: the pathwise gradient through the component that was picked, and the
likelihood gradient of the weights, for which it wants the value of the loss at each draw.

`estimated` puts in the place of ln π(a), a ~ p_i, an estimate from pairwise divergences of the
components (Kolchinsky and Tracey 2017), with λ = `lmbda` and η = `eta`:

    λ = -2         ln p_i(a) + η ln w_i                        at η = 1, minus its mean is at least
    λ = -3         ln p_i(a) + η ln Σ_j w_j e^-KL(p_i ‖ p_j)   the entropy
    0 <= λ <= 1    ln p_i(a) + η ln Σ_j w_j e^-C_λ(p_i ‖ p_j)  and here at most, C_λ Chernoff's

`repulsion` is a loss that keeps the components' squashed means m apart, of each action dimension
the mean over pairs of e^(-d² / 2h²), d = m_i - m_j, h = the median of |d|, a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from agents.neural.policies.base import ActionBox, LikelihoodBackward, Noise, PathwiseBackward
from agents.neural.policies.elementary import log_sum_exp
from agents.neural.policies.families import Edges, Family
from agents.neural.policies.independent import crossing, differentiable, gradient, rounded
from agents.neural.policies.normal import CensoredNormal

Pick = Literal["gumbel", "relaxed", "straight_through"]

#: (dL/daction, dL/dlog_prob, L), [M, B, A], [M, B] and [M, B] -> dL/dh [M, B, H].
MixedBackward = Callable[[Tensor, Tensor, Tensor], Tensor]

#: The least h of repulsion: the force e^-½ / d of two means on each other has no limit.
_LEAST_MEDIAN = 1e-3


class Mixture:
    """h = [ln w of K components, first parameter of every component and dimension, second, ...].

    The action of evaluation is the centre of the heaviest component, the first of equals.

    Args:
        temperature: [M, 1, 1], T of the Gumbel-softmax.
        eps: [M, 1, 1], the least number whose logarithm its noise takes; None: any.
        repulsive_coef: [M, 1, 1], weight of the repulsion; None: 0.
        eta: [M, 1, 1], η of `estimated`; None: 1.
        share_std: all components have the last parameter, the width, in common.
        pick: see the module's text.
        lmbda: λ of `estimated`; -1 for ln π itself.

    Attributes:
        faithful: whether what `reparameterised` draws has the law π.
        repels: whether there is a repulsion at all.
        estimates: whether λ asks for more than ln π.
    """

    def __init__(
        self,
        box: ActionBox,
        family: Family,
        components: int,
        temperature: Tensor,
        *,
        eps: Tensor | None = None,
        repulsive_coef: Tensor | None = None,
        eta: Tensor | None = None,
        share_std: bool = False,
        pick: Pick = "gumbel",
        lmbda: float = -1.0,
    ) -> None:
        K, A = components, box.dimensions
        last = A if share_std else K * A
        self._widths = [K, *[K * A] * (family.parameters - 1), last]
        self.outputs = sum(self._widths)
        self._box, self._family, self._pick_by = box, family, pick
        self._components = K
        self._temperature = temperature.double()
        none = torch.zeros_like(self._temperature)
        self._eps = none if eps is None else eps.double()
        self._repulsive = none if repulsive_coef is None else repulsive_coef.double()
        self._eta = none + 1 if eta is None else eta.double()
        self._lmbda = lmbda
        self.faithful = pick == "gumbel"
        self.repels = K > 1 and bool((self._repulsive > 0).any())
        self.estimates = lmbda != -1

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
            y, picked = self._shares(law, noise)
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

    def estimated(
        self, h: Tensor, noise: Noise
    ) -> tuple[Tensor, Tensor, Tensor, LikelihoodBackward]:
        """As `scored`, with the estimate of ln π(a|s) [M, B] before the score of ln π itself."""
        law = self._law(h.double())
        x, picked = self._pick(law, noise)
        component = self._densities(law, x).sum(-1).gather(-1, picked.unsqueeze(-1))
        if self._lmbda == -2:
            choice = law.log_weights.gather(-1, picked.unsqueeze(-1))
        else:
            choice = log_sum_exp(law.log_weights - self._divergences(law, picked), -1)
        estimate = (component + self._eta * choice).squeeze(-1).to(h.dtype)
        log_prob, backward = self._likelihood(h, x)
        return self._action(x, h), log_prob, estimate, backward

    def repulsion(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """The loss [M, B] of each state, weighted, and its gradient dL/dh [M, B, H].

        Members without any get -0: added, it changes no bit.
        """
        with torch.enable_grad():
            leaf = differentiable(h)
            means = self._by_component(self._law(leaf).parameters[0]).tanh()
            first, second = torch.triu_indices(self._components, self._components, 1)
            squared = (means[:, :, first] - means[:, :, second]).square()
            distance = squared.detach().sqrt().sort(2).values
            pairs = distance.shape[2]
            middle = (distance[:, :, (pairs - 1) // 2] + distance[:, :, pairs // 2]) / 2
            width = middle.clamp(min=_LEAST_MEDIAN).square().unsqueeze(2)
            loss = torch.exp(squared / width / -2).mean((2, 3))
        weights = self._repulsive.squeeze(-1)
        d_h = gradient(leaf, h, (loss, weights.expand_as(loss)))
        weighted = (weights * loss.detach()).to(h.dtype)
        return (
            torch.where(weights > 0, weighted, -0.0),
            torch.where(self._repulsive > 0, d_h, -0.0),
        )

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

    def _shares(self, law: _Law, noise: Noise) -> tuple[Tensor, Tensor]:
        """y [M, B, K] of `reparameterised`, and the component [M, B] that it is, or is near to."""
        if self._pick_by == "straight_through":
            scores, y = law.log_weights, law.log_weights.exp()
        else:
            scores = law.log_weights + self._gumbel(law, noise, self._eps)
            relaxed = scores / self._temperature
            y = torch.exp(relaxed - log_sum_exp(relaxed, -1))
        picked = scores.argmax(-1)
        if self._pick_by != "relaxed":
            y = _one_hot(picked, y) + (y - y.detach())
        return y, picked

    def _gumbel(self, law: _Law, noise: Noise, least: Tensor) -> Tensor:
        """-ln(-ln u) of each component, with nothing below `least` in either logarithm: unlike an
        addend, that leaves the noise alone wherever it guards nothing."""
        u = noise.uniform(law.log_weights.shape[1], self._components).double()
        return -torch.log(torch.maximum(-torch.log(torch.maximum(u, least)), least))

    def _pick(self, law: _Law, noise: Noise) -> tuple[Tensor, Tensor]:
        """x of a component drawn with probability w_k, which the highest ln w + G has."""
        gumbel = self._gumbel(law, noise, torch.zeros_like(self._eps))
        picked = (law.log_weights + gumbel).detach().argmax(-1)
        draws = self._by_component(self._family.draw(law.parameters, noise))
        return _chosen(draws, picked), picked

    def _log_prob(self, law: _Law, x: Tensor) -> Tensor:
        return self._mix(law, self._densities(law, x).sum(-1, keepdim=True)).squeeze(-1)

    def _densities(self, law: _Law, x: Tensor) -> Tensor:
        """ln p_kd(x_d), [M, B, K, A]."""
        M, B, A = x.shape
        at = x.unsqueeze(2).expand(M, B, self._components, A).reshape(M, -1, A)
        return self._by_component(self._family.log_density(law.parameters, at))

    def _divergences(self, law: _Law, picked: Tensor) -> Tensor:
        """D(p_i ‖ p_j) [M, B, K] of the component picked and all, dimensions being independent."""
        family = self._family
        assert isinstance(family, CensoredNormal)
        every = [self._by_component(p) for p in law.parameters]
        own = [_chosen(p, picked).unsqueeze(2).expand_as(p) for p in every]
        one, other = ([p.reshape(p.shape[0], -1, p.shape[-1]) for p in ps] for ps in (own, every))
        if self._lmbda == -3:
            divergences = family.relative_entropy(one, other)
        else:
            divergences = family.chernoff(one, other, self._lmbda)
        return self._by_component(divergences).sum(-1)

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
