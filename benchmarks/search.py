"""How many simulations a CPU-second a search makes, beside mctx.

    pip install -r tests/requirements.txt      # mctx and jax are there; without, they are left out
    python benchmarks/search.py [--case A2-H64-B1] [--simulations 50] [--seconds 2]

Whole searches with one network: two dense layers of dynamics, a dense layer and heads, rewards and
values in 21 bins decoded through h. All are in one process of one thread, in turns, and the same
weights; CPU-seconds of all its threads are counted and the best of the repeats is reported.
Compilation is not in the rates.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import click
import numpy as np
from numpy.typing import NDArray

from agents.search.mlp import Layer, MLPLayers, MLPModel
from agents.search.scalars import EPSILON, Support
from agents.search.search import Engine, Search, draw_noise
from agents.search.settings import Kind, SearchSettings

BINS = Support(-10.0, 10.0, 21)
CASES = {
    f"A{actions}-H{width}-B{batch}": (actions, width, batch)
    for actions, width in ((2, 64), (18, 64))
    for batch in (1, 8, 64)
}
SAID: dict[Kind, str] = {"puct": "pUCT", "gumbel": "Gumbel"}
DISCOUNT = 0.997


def network(actions: int, width: int) -> tuple[MLPLayers, MLPModel]:
    """A random network in single precision."""
    rng = np.random.default_rng(0)

    def dense(*widths: int) -> list[Layer]:
        return [
            (
                (rng.normal(size=(reads, writes)) / np.sqrt(reads)).astype(np.float32),
                (0.1 * rng.normal(size=writes)).astype(np.float32),
            )
            for reads, writes in itertools.pairwise(widths)
        ]

    layers = MLPLayers(
        dynamics=dense(width + actions, width, width),
        reward=dense(width, BINS.bins),
        trunk=dense(width, width),
        policy=dense(width, actions),
        value=dense(width, BINS.bins),
    )
    return layers, MLPModel(
        layers, actions, transform="tanh", value_support=BINS, reward_support=BINS
    )


#: What is timed: one call makes all simulations of each root.
Contender = Callable[[], object]


def own(engine: Engine, kind: Kind, case: tuple[int, int, int], simulations: int) -> Contender:
    """This project's search, the drawing of its random numbers included."""
    actions, width, batch = case
    rng = np.random.default_rng(1)
    # Q is normalised as mctx does, so that the trees are as deep
    settings = SearchSettings(
        kind=kind, simulations=simulations, discount=DISCOUNT, q_normalisation="node"
    )
    _, model = network(actions, width)
    search = Search(settings, actions, batch, engine=engine)
    latents = rng.random((batch, width)).astype(np.float32)
    logits, values = model.predict(latents)

    def call() -> object:
        noise = draw_noise(settings, batch, actions, rng, explore=True)
        return search.run(latents, logits, values, model, noise=noise)

    return call


def mctx(kind: str, case: tuple[int, int, int], simulations: int) -> Contender:
    """mctx's policy of that name, compiled as a whole."""
    import jax
    import mctx

    jnp = jax.numpy
    actions, width, batch = case
    layers, model = network(actions, width)
    parameters = jax.tree.map(jnp.asarray, layers)
    atoms = jnp.asarray(BINS.atoms, jnp.float32)

    def linear(layer: Any, x: Any) -> Any:
        return x @ layer[0] + layer[1]

    def scalar(logits: Any) -> Any:
        y = jax.nn.softmax(logits) @ atoms
        u = 2 * y / (jnp.sqrt(1 + 4 * EPSILON * (jnp.abs(y) + 1 + EPSILON)) + 1 + 2 * EPSILON)
        return u * (jnp.abs(u) + 2)

    def recurrent(of: MLPLayers, _: Any, action: Any, latent: Any) -> Any:
        hot = jax.nn.one_hot(action, actions)
        y = jax.nn.relu(linear(of.dynamics[0], jnp.concatenate([latent, hot], axis=1)))
        y = jnp.tanh(linear(of.dynamics[1], y))
        features = jax.nn.relu(linear(of.trunk[0], y))
        output = mctx.RecurrentFnOutput(
            reward=scalar(linear(of.reward[0], y)),
            discount=jnp.full(batch, DISCOUNT),
            prior_logits=linear(of.policy[0], features),
            value=scalar(linear(of.value[0], features)),
        )
        return output, y

    policy = mctx.muzero_policy if kind == "puct" else mctx.gumbel_muzero_policy

    @jax.jit
    def search(of: MLPLayers, key: Any, latents: Any, logits: Any, values: Any) -> Any:
        root = mctx.RootFnOutput(prior_logits=logits, value=values, embedding=latents)
        output = policy(of, key, root, recurrent, num_simulations=simulations)
        return output.action, output.action_weights

    latents: NDArray[Any] = np.random.default_rng(1).random((batch, width)).astype(np.float32)
    roots = [jnp.asarray(x, jnp.float32) for x in (latents, *model.predict(latents))]
    keys = itertools.count()
    ready: Any = jax.block_until_ready

    def call() -> object:
        key = jax.random.PRNGKey(next(keys))
        return ready(search(parameters, key, *roots))

    return call


def rates(
    contenders: list[Contender], simulations: int, seconds: float, repeats: int
) -> list[float]:
    """The best of so many repeats of each, in turns."""
    best = [0.0] * len(contenders)
    for contender in contenders:
        contender()  # compiles
    for _ in range(repeats):
        for i, contender in enumerate(contenders):
            calls = 0
            started = spent = time.process_time()
            while spent - started < seconds / repeats:
                contender()
                calls += 1
                spent = time.process_time()
            best[i] = max(best[i], calls * simulations / (spent - started))
    return best


@click.command()
@click.option("--case", "names", multiple=True, type=click.Choice(list(CASES)), help="Repeatable.")
@click.option("--simulations", default=50, show_default=True)
@click.option("--seconds", default=2.0, show_default=True, help="CPU-seconds of each rate.")
@click.option("--repeats", default=4, show_default=True)
def main(names: tuple[str, ...], simulations: int, seconds: float, repeats: int) -> None:
    """Prints a Markdown table of simulations a CPU-second."""
    kinds: tuple[Kind, ...] = ("puct", "gumbel")
    engines: tuple[Engine, ...] = ("fused", "numba")
    there = all(importlib.util.find_spec(package) for package in ("jax", "mctx"))
    told = [f"{engine}, {SAID[kind]}" for engine in (*engines, "mctx") for kind in kinds]
    told = told if there else told[: len(engines) * len(kinds)]
    print(f"| network, roots | {' | '.join(told)} | fused, mctx's best | numba, mctx's pUCT |")
    print("|---|" + "---|" * (len(told) + 2))
    for name in names or CASES:
        case = CASES[name]
        contenders = [own(engine, kind, case, simulations) for engine in engines for kind in kinds]
        if there:
            contenders += [mctx(kind, case, simulations) for kind in kinds]
        found = rates(contenders, simulations * case[2], seconds, repeats)
        ratios = ["-", "-"]
        if there:
            *_, puct, gumbel = found
            ratios = [f"{max(found[:2]) / max(puct, gumbel):.1f}", f"{found[2] / puct:.1f}"]
        cells = [name, *(f"{rate:,.0f}" for rate in found), *ratios]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
