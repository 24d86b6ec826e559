"""An agent that plans each action: what planning agents share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from agents.base import AgentRefused, Transition
from agents.planning.decision import DecisionRule
from agents.planning.draws import stream_of
from agents.planning.evaluation import Evaluator
from agents.planning.features import Features, Unguided, make_features
from agents.planning.planner import Budget, Decision, Planner, SearchSettings
from agents.planning.rollout_iw import RolloutIW
from agents.planning.settings import PlanningSettings
from agents.planning.tree import ENDED, Tree

if TYPE_CHECKING:
    import gymnasium

    from envs.simulator import Simulator
    from envs.wrappers import Problem

Settings = TypeVar("Settings", bound=PlanningSettings)


class PlanningAgent(Generic[Settings]):
    """Plans at every decision, from the state that its environment is in.

    The tree is kept between decisions where the environment went where the tree said it would.
    Training and evaluation have planners and trees of their own.

    Args:
        simulator: of the environment file; `act_in` says where to plan from.

    Attributes:
        on_decision: when set, called with the tree and the decision, before the tree is cut.
        planners: explore -> the planner.

    Raises:
        AgentRefused: a device other than the CPU, or features that the environment has not.
    """

    PLANS: ClassVar[bool] = True

    def __init__(
        self,
        settings: Settings,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        rng: np.random.Generator,
        device: str,
        simulator: Simulator,
    ) -> None:
        self.settings, self.gamma, self.simulator = settings, gamma, simulator
        self.observation_space = observation_space
        self._check_device(device)
        for_features, for_training, for_evaluation, self.rng = rng.spawn(4)
        self.on_update: Callable[[str, Any], None] | None = None
        self.on_decision: Callable[[Tree, Decision], None] | None = None
        self.evaluator = self.make_evaluator(for_features)
        self.planners = {
            True: self.make_planner(for_training),
            False: self.make_planner(for_evaluation),
        }
        self.budget = Budget(settings.nodes, settings.seconds)
        self._evaluation_rng = for_evaluation
        self._environment: Problem | None = None
        self._trees = {explore: planner.new_tree() for explore, planner in self.planners.items()}
        self._totals = dict.fromkeys(
            ("decisions", "interactions", "depth", "pruned", "cached"), 0.0
        )

    # -- what an agent of its own kind may do differently

    def _check_device(self, device: str) -> None:
        if device != "cpu":
            raise AgentRefused(f"planning runs on the CPU only, not on {device!r}")

    def make_evaluator(self, rng: np.random.Generator) -> Evaluator:
        """Features alone: an agent with a network has another."""
        return Unguided(self.make_features(rng))

    def make_planner(self, rng: np.random.Generator) -> Planner:
        """Of training, or of evaluation."""
        return RolloutIW(self.simulator, self.evaluator, self.search(), self.rule(), rng)

    def decided(self, observation: Any, tree: Tree, decision: Decision) -> None:
        """Called after every decision of training, before the tree is cut."""

    # -- for those

    def make_features(self, rng: np.random.Generator) -> Features:
        """Those of the settings."""
        settings = self.settings
        features = make_features(
            settings.features, self.simulator, rng, background_steps=settings.background_steps
        )
        if settings.width != 1 and not features.ascending:
            raise AgentRefused(f"features {settings.features!r} need width 1")
        return features

    def search(self) -> SearchSettings:
        """How the settings say that a tree grows."""
        settings = self.settings
        return SearchSettings(
            width=settings.width,
            magnitudes=settings.reward_tables,
            cached_in_table=settings.cached_in_table,
            terminal_atoms=settings.terminal_atoms,
            max_depth=settings.max_depth,
            max_tree_size=settings.max_tree_size,
            min_probability=settings.min_probability,
            max_repeats=settings.repeat_frames // self.simulator.frames_per_step,
        )

    def rule(self) -> DecisionRule:
        """How the settings say that a decision follows."""
        settings = self.settings
        return DecisionRule(
            gamma=self.gamma if settings.planning_gamma is None else settings.planning_gamma,
            temperature=settings.target_temperature,
            risk_averse=settings.risk_averse,
            zero_value=settings.zero_value,
            subtree_temperature=settings.subtree_temperature,
        )

    # -- the agent's interface

    @property
    def evaluation_rng(self) -> np.random.Generator:
        """See `agents.base.Agent`."""
        return self._evaluation_rng

    @evaluation_rng.setter
    def evaluation_rng(self, rng: np.random.Generator) -> None:
        self._evaluation_rng = rng
        self.planners[False].stream = stream_of(rng)

    def act_in(self, environment: Problem) -> None:
        """The next actions are for this environment; an evaluation begins anew in it."""
        self._environment = environment
        self._trees[False].size = 0
        self.planners[False].begin_episode()

    def act(self, observation: Any, *, explore: bool) -> Any:
        planner, tree = self.planners[explore], self._trees[explore]
        if not self._still_holds(tree, observation):
            self._begin(planner, tree)
        decision = planner.plan(tree, self.budget)
        if explore:
            statistics = decision.statistics
            self._totals["decisions"] += 1
            self._totals["interactions"] += statistics.generated
            self._totals["depth"] += statistics.mean_depth
            self._totals["pruned"] += statistics.pruned
            self._totals["cached"] += statistics.cached
            self.decided(observation, tree, decision)
        if self.on_decision is not None:
            self.on_decision(tree, decision)
        child = tree.child_table[0, decision.action]
        if child < 0 or tree.nodes["flags"][child] & ENDED:
            tree.size = 0
        else:
            tree.reroot(decision.action, keep_subtree=self.settings.cache_subtree)
        return self.simulator.actions[decision.action]

    def _begin(self, planner: Planner, tree: Tree) -> None:
        if self._environment is None:
            raise RuntimeError("a planner has to know its environment: call act_in first")
        planner.begin(tree, self.simulator.adopt(self._environment))

    def _still_holds(self, tree: Tree, observation: Any) -> bool:
        """Whether the environment is where the tree's root is."""
        if tree.size == 0:
            return False
        self.simulator.restore(tree.snapshots[0])
        foreseen = self.simulator.observation()
        if isinstance(foreseen, np.ndarray):
            return np.array_equal(foreseen, observation)
        return bool(foreseen == observation)

    def observe(self, transition: Transition) -> None:
        if transition.terminated or transition.truncated:
            self._trees[True].size = 0
            self.planners[True].begin_episode()

    def counts(self) -> dict[str, int]:
        """See `agents.base.Planner`."""
        interactions = int(self._totals["interactions"])
        return {
            "interactions": interactions,
            "frames": interactions * self.simulator.frames_per_step,
        }

    def metrics(self) -> dict[str, float]:
        """Decisions, interactions (nodes generated) and frames so far; means over decisions."""
        totals = self._totals
        decisions = max(totals["decisions"], 1.0)
        return {
            "decisions": totals["decisions"],
            "interactions": totals["interactions"],
            "frames": totals["interactions"] * self.simulator.frames_per_step,
            "nodes_per_decision": totals["interactions"] / decisions,
            "cached_per_decision": totals["cached"] / decisions,
            "pruned_per_decision": totals["pruned"] / decisions,
            "mean_depth": totals["depth"] / decisions,
        }

    def learned_params(self) -> dict[str, np.ndarray]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {
            "planner": self.planners[True].state_dict(),
            "tree": self._trees[True].state_dict(),
            "totals": dict(self._totals),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.planners[True].load_state_dict(state["planner"])
        self._trees[True].load_state_dict(state["tree"])
        self._totals = dict(state["totals"])
