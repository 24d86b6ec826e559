"""Playing in real environments: what is seen there is what the tokenizer makes of it, or the frame
itself where tokens are of what is new."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from agents.base import Episode
from agents.fleet import Fleet
from agents.iris.actor_critic import ActorCritic
from agents.iris.episodes import Episodes
from agents.iris.tokenizer.interface import Tokenizer
from envs.state import save_state

if TYPE_CHECKING:
    from agents.base import EnvironmentMaker


class Manner(NamedTuple):
    """How to act: ε, whether actions are drawn, and the temperature that they are drawn at."""

    epsilon: float
    should_sample: bool
    temperature: float


class Player:
    """Acts in up to E environments, and remembers each of their episodes.

    Args:
        networks: the tokenizer and the actor-critic as they are now.
        slots: E.
    """

    def __init__(self, networks: Callable[[], tuple[Tokenizer, ActorCritic]], slots: int) -> None:
        self._networks = networks
        self._h, self._c = networks()[1].initial_state(slots)

    @torch.no_grad()
    def act(
        self,
        observations: list[NDArray[Any]],
        slots: list[int],
        begun: list[int],
        manner: Manner,
        generator: torch.Generator,
    ) -> NDArray[np.int64]:
        """[B] actions.

        Args:
            observations: of B environments.
            slots: [B] which they are.
            begun: those of them that are at the first step of an episode.
        """
        tokenizer, network = self._networks()
        device = network.critic.weight.device
        observed = torch.as_tensor(np.stack(observations), device=device)
        self._h[:, begun] = 0
        self._c[:, begun] = 0
        state = self._h[:, slots], self._c[:, slots]
        seen = network.step(tokenizer.seen(observed), state)
        self._h[:, slots], self._c[:, slots] = seen.state
        logits = seen.logits.cpu()
        if manner.should_sample:
            shares = (logits / manner.temperature).softmax(-1)
            actions = torch.multinomial(shares, 1, generator=generator)[:, 0]
        else:
            actions = logits.argmax(-1)
        if manner.epsilon:
            random = torch.rand(len(slots), generator=generator) < manner.epsilon
            others = torch.randint(logits.shape[1], (len(slots),), generator=generator)
            actions = torch.where(random, others, actions)
        return actions.numpy()

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"h": self._h.cpu().clone(), "c": self._c.cpu().clone()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self._h.copy_(state["h"])
        self._c.copy_(state["c"])


class Collector:
    """Real experience, for `Episodes`.

    Attributes:
        fleet: the environments.
    """

    def __init__(
        self,
        make_environment: EnvironmentMaker,
        environments: int,
        player: Player,
        manner: Manner,
        *,
        steps: int | None,
        report: Callable[[Episode], None],
    ) -> None:
        """
        Args:
            steps: that are taken at most, of all environments together; None: any.
            report: is called with each episode that ends.
        """
        self.fleet = Fleet(make_environment, range(environments), steps=steps, report=report)
        self._player, self._manner = player, manner

    def collect(self, until: int, episodes: Episodes, generator: torch.Generator) -> None:
        """A step of each environment, or what is left of one, up to timestep `until`.

        Raises:
            Diverged: a reward is not finite.
        """
        fleet = self.fleet
        if fleet.between_rounds:
            slots = list(fleet.begin_round())
            for slot in fleet.begun:
                episodes.begin(slot, fleet.observations[slot], self._snapshot(episodes, slot))
            observations = [fleet.observations[slot] for slot in slots]
            fleet.choose(
                self._player.act(observations, slots, fleet.begun, self._manner, generator).tolist()
            )
        for slot, transition in fleet.step(until).items():
            episodes.add(slot, transition, self._snapshot(episodes, slot))

    def _snapshot(self, episodes: Episodes, slot: int) -> Any:
        return save_state(self.fleet.problems[slot]) if episodes.keeps_snapshots else None
