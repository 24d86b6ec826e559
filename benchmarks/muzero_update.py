"""How long an update of MuZero takes: a plain version, the learner in torch, and the compiled one.

    python benchmarks/muzero_update.py [--seconds 3] [--profile]

Batches of 128, five steps of the model, 51 bins, consistency. "dense" is the network of
config/agent/MuZero_cartpole.json, 64 features of a latent state; "minatar" that for pictures of
10 x 10 x 4, 32 channels of 5 x 5. The plain version reads as the equations do: every step of the
model calls every head, gradients are torch's, and so is Adam. All take the same batch, in turns,
in one process of one thread; the milliseconds are CPU time, the least of the repeats. "pong" are
the updates of config/agent/MuZero_pong.json, on bytes, by what its network begins with.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import click
import gymnasium
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.muzero.building import widths_of
from agents.muzero.dense import initial
from agents.muzero.dense_learner import DenseLearner
from agents.muzero.networks import Network
from agents.muzero.observations import Observations
from agents.muzero.replay import Batch
from agents.muzero.self_supervision.consistency import Consistency
from agents.muzero.settings import MuZeroSettings
from agents.muzero.supports import supports
from agents.muzero.targets import Targets
from agents.muzero.torch_building import build_torch_learner, dense_network, picture_network
from agents.muzero.torch_inference import Reader
from agents.muzero.torch_learner import TorchLearner
from agents.muzero.torch_scalars import scaled_gradient, two_hot

#: Of each network: the shape of an observation, and actions.
CASES = {"dense": ((4,), 2), "minatar": ((10, 10, 4), 6)}
PONG = Path(__file__).resolve().parent.parent / "config" / "agent" / "MuZero_pong.json"
Floats = NDArray[np.float32]


class Plain:
    """One step after another, one term after another."""

    def __init__(self, settings: MuZeroSettings, network: Network, read: Reader) -> None:
        self._settings, self._network, self._read = settings, network, read
        self._optimizer = torch.optim.Adam(network.parameters())
        self._values, self._rewards = supports(settings)

    def update(self, observations: Floats, batch: Batch, values: Floats, rate: float) -> None:
        """As of `agents.muzero.interfaces.Learner`."""
        settings, network, targets = self._settings, self._network, batch.targets
        weights = torch.from_numpy(batch.weights)
        actions = torch.from_numpy(batch.actions)
        total = torch.zeros(())
        state = network.represent(self._read(observations[0]))
        for k in range(settings.jumps + 1):
            scale = 1.0
            if k > 0:
                scale = 1 / settings.jumps
                entering = scaled_gradient(state, settings.grad_scale_factor)
                state = network.step(entering, actions[:, k - 1])
                rewards = torch.from_numpy(targets.rewards[:, k].copy())
                wanted = torch.from_numpy(targets.reward_mask[:, k].copy())
                hot = two_hot(rewards, self._rewards)
                loss = wanted * cross_entropy(network.rewards(state), hot)
                total = total + scale * (weights * loss).mean()
                with torch.no_grad():
                    there = network.represent(self._read(observations[k]))
                known = torch.from_numpy(targets.rows[:, k] >= 0)
                apart = known * (state - there).square().flatten(1).sum(1)
                total = total + scale * (weights * apart).mean()
            logits, value_logits = network.predict(state)
            policies = torch.from_numpy(batch.policies[:, k].copy())
            wanted = torch.from_numpy(targets.policy_mask[:, k].copy())
            total = total + scale * (weights * wanted * cross_entropy(logits, policies)).mean()
            hot = two_hot(torch.from_numpy(values[:, k].copy()), self._values)
            wanted = torch.from_numpy(targets.value_mask[:, k].copy())
            loss = settings.value_loss_weight * wanted * cross_entropy(value_logits, hot)
            total = total + scale * (weights * loss).mean()
        self._optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """[B]."""
    return -(targets * logits.log_softmax(1)).sum(1)


def some_batch(
    settings: MuZeroSettings, inputs: int, count: int, rng: np.random.Generator
) -> tuple[Floats, Batch, Floats]:
    """Observations [K + 1, B, inputs], a batch with `count` actions, and values [B, K + 1]."""
    B, K = settings.batch_size_per_worker, settings.jumps
    targets = Targets.empty(B, K)
    for mask in (targets.value_mask, targets.reward_mask[:, 1:], targets.policy_mask):
        mask[:] = 1
    targets.rewards[:, 1:] = 1
    policies = rng.dirichlet(np.ones(count), (B, K + 1)).astype(np.float32)
    actions = rng.integers(count, size=(B, K))
    batch = Batch(np.arange(B), np.ones(B, np.float32), targets, actions, policies)
    observations = rng.normal(size=(K + 1, B, inputs)).astype(np.float32)
    return observations, batch, rng.uniform(0, 300, (B, K + 1)).astype(np.float32)


def milliseconds(
    calls: Sequence[Callable[[], object]], seconds: float, repeats: int
) -> list[float]:
    """The least CPU time of each call, in turns."""
    least = [float("inf")] * len(calls)
    for call in calls:
        call()  # compiles
    for _ in range(repeats):
        for i, call in enumerate(calls):
            done = 0
            started = now = time.process_time()
            while now - started < seconds / repeats:
                call()
                done += 1
                now = time.process_time()
            least[i] = min(least[i], (now - started) / done * 1e3)
    return least


Update = Callable[[], object]


def updates_of_pong() -> dict[str, Update]:
    """What is timed of the file's agent, by its stem and precision."""
    content = json.loads(PONG.read_text())["parameters"]
    chosen = {name: values[0] for name, values in content.items()}
    observations = Observations(gymnasium.spaces.Box(0, 255, (64, 64, 4), np.uint8))
    calls: dict[str, Update] = {}
    for stem in ("residual", "strided"):
        for autocast in (False, True):
            changed = chosen | {"stem": stem, "autocast": autocast}
            settings = msgspec.convert(changed, MuZeroSettings)
            rng = np.random.default_rng(0)
            network = picture_network(settings, "atari", observations, 6, rng)
            learner = build_torch_learner(settings, network, observations, "cpu", rng)
            seen, batch, values = some_batch(settings, observations.width, 6, rng)
            stored = rng.integers(256, size=seen.shape).astype(np.uint8)
            said = f"stem {stem}, {'bfloat16' if autocast else 'single precision'}"
            calls[said] = functools.partial(learner.update, stored, batch, values, 1e-4)
    return calls


def updates(name: str) -> dict[str, Update]:
    """What is timed of the network of this name, each with parameters of its own."""
    if name == "pong":
        return updates_of_pong()
    settings = MuZeroSettings()
    halved = MuZeroSettings(autocast=True)
    shape, actions = CASES[name]
    space = gymnasium.spaces.Box(-np.inf, np.inf, shape, np.float32)
    observations = Observations(space)
    batch = some_batch(settings, observations.width, actions, np.random.default_rng(1))

    def read(rows: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(rows)).view(len(rows), *shape)

    def network() -> Network:
        rng = np.random.default_rng(0)
        if name == "dense":
            return dense_network(settings, widths, initial(widths, rng), rng)
        return picture_network(settings, name, observations, actions, rng)

    widths = widths_of(settings, observations.width, actions)
    learners: dict[str, Plain | TorchLearner | DenseLearner] = {
        "plain, in torch": Plain(settings, network(), read),
        "in torch, heads on all steps at once": TorchLearner(
            settings, network(), read, ssl=Consistency()
        ),
    }
    if name == "dense":
        values = initial(widths, np.random.default_rng(0))
        learners["compiled"] = DenseLearner(settings, widths, values, capacity=8)
    else:
        learners["the same, in bfloat16"] = TorchLearner(halved, network(), read, ssl=Consistency())
    return {said: functools.partial(one.update, *batch, 1e-4) for said, one in learners.items()}


@click.command()
@click.option("--seconds", default=3.0, show_default=True, help="CPU-seconds of each.")
@click.option("--repeats", default=10, show_default=True)
@click.option("--profile", is_flag=True, help="What the learners in torch spend it on.")
def main(seconds: float, repeats: int, profile: bool) -> None:
    """Prints a Markdown table."""
    torch.set_num_threads(1)
    print("| network | learner | ms an update | of the plain one |\n|---|---|---|---|")
    profiled = []
    for name in (*CASES, "pong"):
        calls = updates(name)
        found = milliseconds(list(calls.values()), seconds, repeats)
        for said, spent in zip(calls, found, strict=True):
            print(f"| {name} | {said} | {spent:.2f} | {spent / found[0]:.2f} |", flush=True)
        if name in CASES:
            profiled.append((name, calls["in torch, heads on all steps at once"]))
    for name, call in profiled if profile else ():
        with torch.profiler.profile() as seen:
            for _ in range(5):
                call()
        print(f"\n{name}:")
        print(seen.key_averages().table(sort_by="self_cpu_time_total", row_limit=15))


if __name__ == "__main__":
    main()
