"""The random streams of a run, all grown from its one seed. No other randomness is read."""

from __future__ import annotations

import msgspec
import numpy as np


class Streams(msgspec.Struct, frozen=True):
    """One child of the run's SeedSequence each; a new stream goes to the end and moves none.

    The setting is left out on purpose: runs of one seed meet the same environment noise in every
    setting, which makes their comparison sharper.
    """

    training_environment: np.random.SeedSequence
    evaluation_environment: np.random.SeedSequence
    action_space: np.random.SeedSequence
    agent: np.random.SeedSequence

    @classmethod
    def of(cls, random_seed: int) -> Streams:
        """The streams of `random_seed`."""
        return cls(*np.random.SeedSequence(random_seed).spawn(4))


def as_seed(stream: np.random.SeedSequence) -> int:
    """A seed for interfaces that want an integer (Gymnasium's reset and spaces)."""
    return int(stream.generate_state(1, np.uint32)[0])
