"""The agent `piIW` (Junyent, Jonsson & Gómez 2019): a network guides Rollout IW and learns from it.

At every decision, with R the returns that the search found (`agents.planning.tree`):

    Q(a) = R(child a),   π_target = softmax(Q / τ) (τ = 0: uniform over the highest),   a ~ π_target

The pair (observation, π_target) goes to the replay, and one minibatch of such pairs teaches the
network (`agents.piiw.learner`), whose policy rollouts follow from the next decision on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import torch

from agents.base import AgentRefused, Transition
from agents.piiw.guide import Guide, softmax
from agents.piiw.learner import Learner
from agents.piiw.settings import PiIWSettings
from agents.planning.decision import DecisionRule
from agents.planning.planner import Decision
from agents.planning.planning_agent import PlanningAgent
from agents.planning.tree import Tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.planning.evaluation import Evaluator

Settings = TypeVar("Settings", bound=PiIWSettings)

#: Decisions over which the entropy and the losses in the metrics are averaged, about.
_SMOOTHING = 100


class PiIWAgent(PlanningAgent[Settings]):
    """See the module's text.

    Updates are reported as update_states, update_actions (π_target) and update_rewards (returns).

    Attributes:
        learner: the network, what it learns from, and how.
        guide: what the planner asks of the network.
    """

    NAME: ClassVar[str] = "piIW"
    learner: Learner
    guide: Guide

    def _check_device(self, device: str) -> None:
        wanted = "cuda" if self.settings.cuda and device == "cpu" else device
        if wanted != "cpu" and not torch.cuda.is_available():
            raise AgentRefused(f"there is no GPU for {wanted!r}: torch sees none")
        self._device = wanted

    def make_evaluator(self, rng: np.random.Generator) -> Evaluator:
        settings = self.settings
        for_features, self._learner_rng = rng.spawn(2)
        self.learner = Learner(
            settings,
            self.observation_space,
            len(self.simulator.actions),
            rng=self._learner_rng,
            device=self._device,
            agent=self.NAME,
        )
        features = None if settings.features == "dynamic" else self.make_features(for_features)
        self.guide = Guide(
            self.learner,
            features,
            units=settings.hidden_dim,
            two_sided=settings.two_sided,
            temperature=self._temperature(0),
        )
        self._episode: list[tuple[Any, NDArray[np.float64]]] = []
        self._rewards: list[float] = []
        self._best_return = -np.inf
        self._smoothed: dict[str, float] = {}
        return self.guide

    def rule(self) -> DecisionRule:
        return super().rule()._replace(value_everywhere=self.settings.value_everywhere)

    def _temperature(self, interactions: float) -> float | None:
        """Of the guiding policy after so many interactions; None: it does not guide."""
        settings = self.settings
        if settings.guide == "uniform":
            return None
        start, least = settings.guide_temperature, settings.guide_temperature_min
        if least is None:
            return start
        gone = min(1.0, interactions / settings.guide_temperature_interactions)
        return start + gone * (least - start)

    # -- acting

    def act(self, observation: Any, *, explore: bool) -> Any:
        if explore or self.settings.evaluation == "planning":
            return super().act(observation, explore=explore)
        policy = softmax(self.learner.evaluate(observation).logits, 1.0)
        chosen = self.evaluation_rng.choice(len(policy), p=policy)
        return self.simulator.actions[int(chosen)]

    def decided(self, observation: Any, tree: Tree, decision: Decision) -> None:
        self._episode.append((observation, decision.policy))
        prior = tree.prior_table[0]
        entropy = -float(np.sum(prior * np.log(np.maximum(prior, 1e-300))))
        self._smooth("entropy", entropy)

    # -- learning

    def observe(self, transition: Transition) -> None:
        super().observe(transition)
        self._rewards.append(transition.reward)
        over = transition.terminated or transition.truncated
        if self.settings.replay_add == "step":
            self.learner.replay.add(*self._episode.pop(), 0.0)
        if over:
            self._end_episode(transition)
        used = self.learner.update()
        if used is not None:
            for name, value in self.learner.losses.items():
                self._smooth(name, value)
            if self.on_update is not None:
                for name, arrays in used.items():
                    self.on_update(name, arrays)
        self.guide.temperature = self._temperature(self._totals["interactions"])
        self.guide.forget()

    def _end_episode(self, transition: Transition) -> None:
        """Gives the episode to the replay, where that is when it gets it."""
        total = sum(self._rewards)
        improved = total >= self._best_return
        self._best_return = max(self._best_return, total)
        how = self.settings.replay_add
        if how == "episode" or (how == "improved_episode" and improved):
            ret = 0.0
            if transition.truncated and self.learner.head is not None:
                # the world goes on where only the episode was cut
                ret = self.learner.value(self.learner.evaluate(transition.next_observation))
            returns = []
            for reward in reversed(self._rewards):
                ret = reward + self.gamma * ret
                returns.append(ret)
            for (observation, policy), ret in zip(self._episode, reversed(returns), strict=True):
                self.learner.replay.add(observation, policy, ret)
        self._episode, self._rewards = [], []

    # -- what can be seen and saved

    def _smooth(self, name: str, value: float) -> None:
        before = self._smoothed.get(name, value)
        self._smoothed[name] = before + (value - before) / _SMOOTHING

    def metrics(self) -> dict[str, float]:
        """Those of planners, and means over about the last 100 decisions of the losses and of the
        entropy of the guiding policy at the root."""
        return {
            **super().metrics(),
            **self._smoothed,
            "updates": float(self.learner.updates),
            "replay_size": float(len(self.learner.replay)),
        }

    def learned_params(self) -> dict[str, np.ndarray]:
        return self.learner.network.learned_params()

    def state_dict(self) -> dict[str, Any]:
        return {
            **super().state_dict(),
            "learner": self.learner.state_dict(),
            "rng": self._learner_rng.bit_generator.state,
            "episode": list(self._episode),
            "rewards": list(self._rewards),
            "best_return": self._best_return,
            "smoothed": dict(self._smoothed),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.learner.load_state_dict(state["learner"])
        self._learner_rng.bit_generator.state = state["rng"]
        self._episode, self._rewards = list(state["episode"]), list(state["rewards"])
        self._best_return = state["best_return"]
        self._smoothed = dict(state["smoothed"])
        self.guide.temperature = self._temperature(self._totals["interactions"])
        self.guide.forget()
