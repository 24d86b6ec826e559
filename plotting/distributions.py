"""Tails and quantiles of the beta, binomial and Student's t distribution, in plain Python.

All of them are one function, the regularised incomplete beta; quantiles are its bisections.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Regularised I_x(a, b): the probability of at most x under Beta(a, b), for a, b > 0.

    Continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions.
    """
    return _incomplete_beta(x, 1 - x, a, b)


def binomial_cdf(k: int, n: int, p: float) -> float:
    """The probability of at most k successes in n trials of probability p.

    Abramowitz & Stegun, Handbook of Mathematical Functions, 26.5.24.
    """
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    return _incomplete_beta(1 - p, p, n - k, k + 1)


def t_two_sided(t: float, degrees_of_freedom: float) -> float:
    """P(|T| >= |t|) for T of Student's distribution (Abramowitz & Stegun, 26.7.1)."""
    square = t * t
    if math.isinf(square):
        return 0.0
    whole = degrees_of_freedom + square
    return _incomplete_beta(degrees_of_freedom / whole, square / whole, degrees_of_freedom / 2, 0.5)


@cache
def t_quantile(confidence: float, degrees_of_freedom: float) -> float:
    """The t with P(-t <= T <= t) = confidence, for T of Student's distribution."""

    def central(angle: float) -> float:
        return _incomplete_beta(
            math.sin(angle) ** 2, math.cos(angle) ** 2, 0.5, degrees_of_freedom / 2
        )

    # the angle is bounded where t itself is not
    angle = solve(central, confidence, 0.0, math.pi / 2)
    return math.sqrt(degrees_of_freedom) * math.tan(angle)


def solve(function: Callable[[float], float], value: float, low: float, high: float) -> float:
    """Where an increasing function takes a value between `low` and `high`, to the last bit."""
    while low < (middle := (low + high) / 2) < high:
        if function(middle) < value:
            low = middle
        else:
            high = middle
    return high


def _incomplete_beta(x: float, y: float, a: float, b: float) -> float:
    """With y = 1 - x given too: next to 1 their difference would have lost its digits."""
    if x <= 0:
        return 0.0
    if y <= 0:
        return 1.0
    factor = math.exp(a * math.log(x) + b * math.log(y) - _log_beta(a, b))
    if x > (a + 1) / (a + b + 2):  # beyond the mean the fraction converges for the other tail
        return 1 - factor / b * _continued_fraction(y, b, a)
    return factor / a * _continued_fraction(x, a, b)


def _continued_fraction(x: float, a: float, b: float) -> float:
    """By Lentz's method (Press et al., Numerical Recipes, 3rd edition, 5.2 and 6.4)."""
    tiny = 1e-300
    d = 1 / ((1 - (a + b) * x / (a + 1)) or tiny)
    c, value = 1.0, d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / ((1 + term * d) or tiny)
            c = (1 + term / c) or tiny
            value *= c * d
        if abs(c * d - 1) < 3e-16:
            return value
    raise ArithmeticError(f"incomplete beta at x={x}, a={a}, b={b} does not converge")


def _log_beta(a: float, b: float) -> float:
    """ln B(a, b); with one large argument from Stirling's series, where ln Γ would cancel.

    DiDonato & Morris (1992), Algorithm 708: Significant digit computation of the incomplete beta.
    """
    a, b = sorted((a, b))
    if b < 10:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    ratio = _stirling_error(b) - _stirling_error(a + b)
    ratio -= (a + b - 0.5) * math.log1p(a / b) + a * (math.log(b) - 1)
    return math.lgamma(a) + ratio


def _stirling_error(z: float) -> float:
    """What Stirling's formula lacks of ln Γ(z), z >= 10 (Abramowitz & Stegun, 6.1.41)."""
    series = 0.0
    for denominator in (-360360 / 691, 1188, -1680, 1260, -360, 12):
        series = series / z**2 + 1 / denominator
    return series / z
