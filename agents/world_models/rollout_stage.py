"""Collecting what is missing in a folder of rollouts, for a run's first stage."""

from __future__ import annotations

import time

from agents.base import EnvironmentMaker
from agents.collecting.episodes import collect_rollout, streams_of
from agents.collecting.policies import make_policy
from agents.encoders.training import TrainingStopped
from agents.rollouts.folder import RolloutFolder
from agents.world_models.cache import Say, Stop

_SECONDS_BETWEEN_LINES = 10.0


def collect_missing(
    folder: RolloutFolder, make_environment: EnvironmentMaker, workers: int, say: Say, stop: Stop
) -> None:
    """
    Raises:
        TrainingStopped: `stop()` said so; what is whole is kept.
    """
    spec = folder.spec
    missing = folder.missing()
    if not missing:
        return
    environment = make_environment(0)
    try:
        policy = make_policy(spec.policy, make_environment.settings, environment)
        began = said = time.monotonic()
        frames = 0
        with folder.writer() as writer:
            for done, number in enumerate(missing):
                seed, rng = streams_of(spec.seed, number)
                rollout = collect_rollout(environment, policy, seed, rng, spec.max_steps, stop=stop)
                if rollout is None or stop():
                    raise TrainingStopped
                writer.add(number, rollout)
                frames += rollout.length
                now = time.monotonic()
                if now - said > _SECONDS_BETWEEN_LINES:
                    said, rate = now, frames / (now - began)
                    left = (now - began) / (done + 1) * (len(missing) - done - 1)
                    say(
                        f"rollouts: {done + 1:,} of {len(missing):,}, {rate:,.0f} frames/s, "
                        f"{left:,.0f} s left"
                    )
    finally:
        environment.close()
