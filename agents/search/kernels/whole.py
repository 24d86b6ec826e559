"""Whole searches, trees and network in one call."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from agents.search.kernels import tree
from agents.search.kernels.compiling import entry
from agents.search.kernels.networks import step
from agents.search.kernels.samples import draw, log_priors
from agents.search.layers import Network
from agents.search.sampling import Sampling
from agents.search.trees import Floats, Integers, Trees


@entry
def search_mlp(
    trees: Trees,
    network: Network,
    root_latents: Any,
    latents: Any,
    room: Any,
    logits: Floats,
    values: Floats,
    noise: tuple[Floats, Floats, Floats],
    results: tuple[Integers, Floats, Floats, Floats, Integers],
) -> None:
    """A whole search, one tree after another.

    Args:
        latents: [N, H] room for the latent states of one tree.
        room: [3, W] room for the network's layers, W the widest.
        logits: [B, A] of the roots; written over.
        noise: Dirichlet, Gumbel, ties.
        results: see `finish`.
    """
    dirichlet, gumbel, ties = noise
    visits, q, result_values, policy, chosen = results
    actions = logits.shape[1]
    improved, outputs = np.empty(actions), np.empty(actions)
    weights = np.empty(max(len(network.value_atoms), len(network.reward_atoms)))
    used, inputs = np.empty(room.shape[1], np.int64), np.empty(0)
    rules, widest = trees.rules[0], len(trees.halving) - 1
    for b in range(len(logits)):
        nodes, edges, root, scores = trees.nodes[b], trees.edges[b], trees.roots[b], trees.scores[b]
        tree.begin(
            nodes, edges, root, rules, scores, widest, logits[b], values[b], dirichlet[b], gumbel[b]
        )
        latents[0] = root_latents[b]
        for simulation in range(len(nodes) - 1):
            parent, action = tree.select(
                nodes,
                edges,
                root,
                rules,
                scores,
                trees.exploration,
                trees.halving[root.considered, simulation],
                ties[b],
                improved,
            )
            n = simulation + 1
            reward, value = step(
                network, latents[parent], action, inputs, latents[n], room, used, weights, outputs
            )
            tree.grow(nodes, edges, root, rules, n, parent, action, reward, outputs, value)
        result_values[b], chosen[b] = tree.finish(
            edges[0], nodes[0], rules, scores, ties[b, 0], visits[b], q[b], policy[b]
        )


@entry
def search_sampled(
    trees: Trees,
    network: Network,
    sampling: Sampling,
    draws: Floats,
    root_latents: Any,
    root_outputs: Floats,
    latents: Any,
    room: Any,
    logits: Floats,
    values: Floats,
    noise: tuple[Floats, Floats, Floats],
    results: tuple[Integers, Floats, Floats, Floats, Integers],
) -> None:
    """`search_mlp` over the K samples of each node.

    Args:
        draws: [B, N, K, D].
        root_outputs: [B, 2 D] of the policy's head.
        logits: [B, K] of the roots; written over.
    """
    dirichlet, gumbel, ties = noise
    visits, q, result_values, policy, chosen = results
    samples, dimensions = draws.shape[2:]
    improved, priors, u = np.empty(samples), np.empty(samples), np.empty(dimensions)
    outputs = np.empty((trees.nodes.shape[1], 2 * dimensions))
    weights = np.empty(max(len(network.value_atoms), len(network.reward_atoms)))
    used = np.empty(room.shape[1], np.int64)
    rules, widest = trees.rules[0], len(trees.halving) - 1
    for b in range(len(logits)):
        nodes, edges, root, scores = trees.nodes[b], trees.edges[b], trees.roots[b], trees.scores[b]
        tree.begin(
            nodes, edges, root, rules, scores, widest, logits[b], values[b], dirichlet[b], gumbel[b]
        )
        latents[0], outputs[0] = root_latents[b], root_outputs[b]
        for simulation in range(len(nodes) - 1):
            parent, action = tree.select(
                nodes,
                edges,
                root,
                rules,
                scores,
                trees.exploration,
                trees.halving[root.considered, simulation],
                ties[b],
                improved,
            )
            n = simulation + 1
            draw(outputs[parent], draws[b, parent], action, sampling, u)
            for d in range(dimensions):
                u[d] = math.tanh(u[d])
            reward, value = step(
                network, latents[parent], action, u, latents[n], room, used, weights, outputs[n]
            )
            log_priors(outputs[n], draws[b, n], sampling, u, priors)
            tree.grow(nodes, edges, root, rules, n, parent, action, reward, priors, value)
        result_values[b], chosen[b] = tree.finish(
            edges[0], nodes[0], rules, scores, ties[b, 0], visits[b], q[b], policy[b]
        )
