"""Small networks, as in `agents.search.mlp`, on one latent state."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from agents.search.kernels.compiling import INNER, inner
from agents.search.layers import (
    ACTIVATION,
    DYNAMICS,
    ELU,
    FIRST,
    LATENT,
    LATENT_FLOOR,
    NOTHING,
    POLICY,
    Q_HEAD,
    RELU,
    RESCALED,
    RESIDUAL,
    REWARD,
    REWARD_COMPRESSED,
    SILU,
    STACKS,
    TANH,
    TRANSFORM,
    TRUNK,
    VALUE_COMPRESSED,
    Network,
)
from agents.search.scalars import EPSILON
from agents.search.trees import Floats, Integers


@njit(fastmath={"contract"}, **INNER)
def dense(x: Any, count: int, weights: Any, bias: Any, y: Any, used: Integers) -> None:
    """y += x[:count] W + bias, W flat. What is 0, as after relu, costs nothing."""
    width, found = len(y), 0
    for j in range(width):
        y[j] += bias[j]
    for i in range(count):
        used[found] = i
        found += x[i] != 0
    k = 0
    while k + 4 <= found:
        i0, i1, i2, i3 = used[k], used[k + 1], used[k + 2], used[k + 3]
        x0, x1, x2, x3 = x[i0], x[i1], x[i2], x[i3]
        w0, w1 = weights[i0 * width : (i0 + 1) * width], weights[i1 * width : (i1 + 1) * width]
        w2, w3 = weights[i2 * width : (i2 + 1) * width], weights[i3 * width : (i3 + 1) * width]
        for j in range(width):
            y[j] += x0 * w0[j] + x1 * w1[j] + x2 * w2[j] + x3 * w3[j]
        k += 4
    while k < found:
        i0 = used[k]
        x0, w0 = x[i0], weights[i0 * width : (i0 + 1) * width]
        for j in range(width):
            y[j] += x0 * w0[j]
        k += 1


@njit(fastmath={"contract"}, **INNER)
def exp(x: float) -> float:
    """exp(x / 1024)^1024 by eight terms of Taylor's series: to 1e-12 for |x| < 40, and above 40
    times that of what is negligible; without a call, so that loops of it are vectors."""
    x = min(max(x, -700.0), 700.0) * (1.0 / 1024.0)
    w = 1.0 + x * (1.0 / 8.0)
    w = 1.0 + x * (1.0 / 7.0) * w
    w = 1.0 + x * (1.0 / 6.0) * w
    w = 1.0 + x * (1.0 / 5.0) * w
    w = 1.0 + x * (1.0 / 4.0) * w
    w = 1.0 + x * (1.0 / 3.0) * w
    w = 1.0 + x * (1.0 / 2.0) * w
    w = 1.0 + x * w
    w *= w
    w *= w
    w *= w
    w *= w
    w *= w
    w *= w
    w *= w
    w *= w
    w *= w
    return w * w


@inner
def activate(y: Any, activation: int) -> None:
    """In place."""
    if activation == RELU:
        for j in range(len(y)):
            y[j] = max(y[j], y.dtype.type(0))
    elif activation == TANH:
        for j in range(len(y)):
            y[j] = 1.0 - 2.0 / (exp(2.0 * y[j]) + 1.0)
    elif activation == ELU:
        for j in range(len(y)):
            y[j] = max(y[j], y.dtype.type(0)) + (exp(min(float(y[j]), 0.0)) - 1.0)
    elif activation == SILU:
        for j in range(len(y)):
            y[j] = y[j] / (1.0 + exp(-float(y[j])))
    elif activation == RESCALED:
        low, high = y[0], y[0]
        for j in range(1, len(y)):
            low, high = min(low, y[j]), max(high, y[j])
        divisor = max(high - low, y.dtype.type(LATENT_FLOOR))
        for j in range(len(y)):
            y[j] = (y[j] - low) / divisor


@njit(fastmath={"contract", "reassoc"}, **INNER)
def scalar_of(outputs: Any, atoms: Floats, compressed: bool, weights: Floats) -> float:
    """What a head says: its only output, or the scalar that its distribution stands for."""
    count = len(atoms)
    if count == 0:
        return float(outputs[0])
    most = -np.inf
    for k in range(count):
        most = max(most, float(outputs[k]))
    for k in range(count):
        weights[k] = exp(float(outputs[k]) - most)
    total = mean = 0.0
    for k in range(count):
        total += weights[k]
        mean += weights[k] * atoms[k]
    y = mean / total
    if not compressed:
        return y
    root = math.sqrt(1.0 + 4.0 * EPSILON * (abs(y) + 1.0 + EPSILON))
    u = 2.0 * y / (root + 1.0 + 2.0 * EPSILON)
    return u * (abs(u) + 2.0)


@inner
def step(
    network: Network,
    latent: Any,
    action: int,
    inputs: Floats,
    following: Any,
    room: Any,
    used: Integers,
    weights: Floats,
    logits: Floats,
) -> tuple[float, float]:
    """Writes the next latent state and its logits [A]; returns reward and value. An action of a box
    is `inputs` [D], which is empty where it is a number."""
    parameters, layout = network.parameters, network.layout
    size, q_head = layout[LATENT], layout[Q_HEAD] != 0
    place, at, turn, reward, value = FIRST, 0, 0, 0.0, -np.inf
    trunk = following
    for stack in range(STACKS):
        layers = layout[place]
        place += 1
        x = latent if stack == DYNAMICS else (following if stack <= TRUNK else trunk)
        for layer in range(layers):
            reads, writes = layout[place], layout[place + 1]
            place += 2
            # of the trunk's result, which stays, and two others that are used in turns
            turn = 2 if stack == TRUNK and layer == layers - 1 else 1 - turn % 2
            y = room[turn, :writes]
            count, end = reads, at + reads * writes
            y[:] = 0
            if stack == DYNAMICS and layer == 0:
                count = size
                row = at + (size + action) * writes
                if len(inputs) == 0:
                    y[:] = parameters[row : row + writes]
                for d in range(len(inputs)):
                    row = at + (size + d) * writes
                    for j in range(writes):
                        y[j] += inputs[d] * parameters[row + j]
            dense(x, count, parameters[at:end], parameters[end : end + writes], y, used)
            at = end + writes
            activation = layout[ACTIVATION]
            if stack == DYNAMICS and layer == layers - 1:
                activation = layout[TRANSFORM]
                if layout[RESIDUAL] != 0:
                    for j in range(size):
                        y[j] += latent[j]
            elif stack != TRUNK and layer == layers - 1:
                activation = NOTHING
            activate(y, activation)
            x = y
        if stack == DYNAMICS:
            following[:] = x
        elif stack == TRUNK:
            trunk = x
        elif stack == POLICY and not q_head:
            for a in range(len(logits)):
                logits[a] = x[a]
        elif layers > 0:
            atoms, compressed = network.value_atoms, layout[VALUE_COMPRESSED] != 0
            if stack == REWARD:
                atoms, compressed = network.reward_atoms, layout[REWARD_COMPRESSED] != 0
            bins = max(1, len(atoms))
            for head in range(len(x) // bins):
                scalar = scalar_of(x[head * bins : (head + 1) * bins], atoms, compressed, weights)
                if stack == REWARD:
                    reward = scalar
                else:
                    value = max(value, scalar)
                    if stack == POLICY:
                        logits[head] = scalar
    return reward, value
