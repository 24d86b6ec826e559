"""Learning from a replay: when, on what, and towards what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.muzero import advantages
from agents.muzero.actions import Actions
from agents.muzero.decisions import Advice, Decisions
from agents.muzero.interfaces import Distributional, Learner
from agents.muzero.observations import Observations
from agents.muzero.q_targets import project
from agents.muzero.replay import Batch, Field, Replay
from agents.muzero.schedules import learning_rate
from agents.muzero.settings import MuZeroSettings
from agents.muzero.supports import supports
from agents.muzero.symmetries import symmetries_of
from agents.muzero.targets import LAST

Floats = NDArray[np.float32]


class Training:
    """A learner, its replay, and their timing.

    Args:
        actions: what they are.
        discount: γ, negative between two players.
        total_timesteps: after which training is over.
        rng: what is learned from.

    Attributes:
        learner, replay: what it works on.
        steps_here, updates_here: how many of them were made in this process.
    """

    def __init__(
        self,
        settings: MuZeroSettings,
        learner: Learner,
        decisions: Decisions,
        observations: Observations,
        *,
        actions: Actions,
        discount: float,
        total_timesteps: int,
        rng: np.random.Generator,
    ) -> None:
        self.settings, self.learner = settings, learner
        self._decisions, self._observations = decisions, observations
        self._rng = rng
        self._begins = max(settings.steps_before_learning, settings.num_envs)
        self._last_update = max(1, int((total_timesteps - self._begins) * settings.replay_ratio))
        prioritized = settings.prioritized
        self.replay = Replay(
            settings.num_envs,
            -(-settings.buffer_size // settings.num_envs),
            {
                "observations": Field((observations.width,), observations.dtype),
                **actions.fields,
            },
            unroll=settings.jumps,
            actions=actions.width,
            discount=discount,
            exponent=settings.priority_exponent if prioritized else 0.0,
            correction=settings.priority_weight if prioritized else 0.0,
        )
        self._symmetries = symmetries_of(settings, observations, actions)
        self._reanalysed = 0
        self._losses: Mapping[str, float] = {}
        self.steps_here = self.updates_here = 0

    # -- taking in

    def add(self, slot: int, advice: Advice, kind: int, reward: float) -> None:
        """A step of an environment, as decided in a round."""
        searched = advice.values[slot], advice.network_values[slot]
        most = self.settings.clip_rewards
        if most is not None:
            reward = min(max(reward, -most), most)
        self.replay.add(
            slot,
            float(searched[0] - searched[1]) if self.settings.input_priorities else None,
            kinds=kind,
            rewards=reward,
            observations=advice.stored[slot],
            legal=True if advice.legal is None else advice.legal[slot],
            actions=advice.actions[slot],
            policies=advice.policies[slot],
            values=searched[0] if self.settings.stores_searched_values else searched[1],
        )
        self.steps_here += 1

    def add_last(self, slot: int, stored: NDArray[Any], legal: NDArray[np.bool_] | None) -> None:
        """What was seen last [1, width] of an episode that was cut, and what was allowed there."""
        read = self._observations.read(stored)
        value = self.learner.online.values(read, None if legal is None else legal[None])[0]
        self.replay.add(
            slot,
            kinds=LAST,
            observations=stored[0],
            values=value,
            legal=True if legal is None else legal,
        )

    # -- learning

    def learn(self, timestep: int) -> None:
        """All updates, and all searches of stored positions, that are due at a timestep."""
        since = timestep - self._begins
        if since < 0:
            return
        due = int(since * self.settings.replay_ratio) - self.learner.updates
        for _ in range(due):
            self._update()
        if due > 0:
            self.learner.online.refresh()
        size = self.settings.num_reanalyze_envs
        while int(since * self.settings.reanalyze) >= self._reanalysed + size:
            self.reanalyse(size)

    def _update(self) -> None:
        settings, learner = self.settings, self.learner
        batch = self.replay.sample(settings.batch_size, self._rng, horizon=settings.multistep)
        rows = batch.targets.rows.T if learner.reads_all else batch.starts[None]
        seen = self.replay.rows("observations", rows)
        if not learner.reads_stored:
            seen = self._observations.read(seen)
        rate = learning_rate(settings, learner.updates / self._last_update)
        values = self._values(batch)
        if settings.learns_from_actions and not settings.q_learning:
            batch = self._weighed(batch, values)
        if self._symmetries is not None:
            seen, batch = self._symmetries.drawn(seen, batch, self._rng)
        learnt = learner.update(seen, batch, values, rate)
        self.replay.prioritise(batch.starts, learnt.errors)
        self._losses = learnt.losses
        if learner.updates % settings.target_update_interval == 0:
            learner.renew_target()
        self.updates_here += 1

    def _values(self, batch: Batch) -> Floats:
        """The value targets [B, K + 1], or [B, K + 1, bins], their distributions."""
        targets = batch.targets
        if self.settings.value_distribution == "c51":
            return self._distributions(batch)
        values: Floats = targets.sums + targets.factors * self._worth(targets.bootstraps)
        return values

    def _worth(self, places: NDArray[np.int64]) -> Floats:
        """What states at places of the replay bootstrap with: by the target network, or stored."""
        if not self.settings.local_target_net:
            stored: Floats = self.replay.rows("values", places)
            return stored
        rows = places.reshape(-1)
        read = self._observations.read(self.replay.rows("observations", rows))
        legal = self.replay.rows("legal", rows) if self.settings.q_learning else None
        return self.learner.target.values(read, legal).reshape(places.shape)

    def _distributions(self, batch: Batch) -> Floats:
        targets, target = batch.targets, self.learner.target
        assert isinstance(target, Distributional)
        rows = targets.bootstraps.reshape(-1)
        read = self._observations.read(self.replay.rows("observations", rows))
        ahead = target.distributions(read, self.replay.rows("legal", rows))
        sums, factors = targets.sums.reshape(-1), targets.factors.reshape(-1)
        projected = project(sums, factors, ahead, supports(self.settings)[0])
        return projected.reshape(*targets.rows.shape, -1)

    def _weighed(self, batch: Batch, values: Floats) -> Batch:
        """A batch whose actions count by how they went."""
        counts = advantages.weights(
            values,
            self._worth(batch.targets.rows),
            batch.targets.policy_mask,
            self.settings.advantage_temperature,
        )
        return batch._replace(policies=batch.policies * counts[..., None])

    def reanalyse(self, size: int) -> None:
        """Searches stored positions again, with the target network, and keeps what it finds."""
        self._reanalysed += size
        places = np.unique(self.replay.uniform(size, self._rng))
        read = self._observations.read(self.replay.rows("observations", places))
        legal = self.replay.rows("legal", places)
        found, network_values = self._decisions.search(
            self.learner.target, read, None if legal.all() else legal, self._rng
        )
        values = found.values if self.settings.stores_searched_values else network_values
        if not self.settings.learns_from_actions:
            self.replay.write("policies", places, found.policy)
        self.replay.write("values", places, values)

    def metrics(self) -> dict[str, float]:
        """Of the last update; empty before the first."""
        return {**self._losses, "updates": self.learner.updates} if self._losses else {}

    # -- leaving and coming back

    def state_dict(self) -> dict[str, Any]:
        return {
            "learner": self.learner.state_dict(),
            "replay": self.replay.state_dict(),
            "rng": self._rng.bit_generator.state,
            "reanalysed": self._reanalysed,
            "losses": dict(self._losses),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.learner.load_state_dict(state["learner"])
        self.replay.load_state_dict(state["replay"])
        self._rng.bit_generator.state = state["rng"]
        self._reanalysed, self._losses = state["reanalysed"], state["losses"]
