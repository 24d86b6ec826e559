"""The agent `rolloutIW`: plans each action, and learns nothing."""

from __future__ import annotations

import numpy as np

from agents.planning.breadth_first import BreadthFirst
from agents.planning.count_based import CountBasedRolloutIW
from agents.planning.planner import Planner
from agents.planning.planning_agent import PlanningAgent
from agents.planning.rollout_iw import RolloutIW
from agents.rollout_iw.settings import RolloutIWSettings


class RolloutIWAgent(PlanningAgent[RolloutIWSettings]):
    """See the module's text."""

    def make_planner(self, rng: np.random.Generator) -> Planner:
        search, rule = self.search(), self.rule()
        match self.settings.planner:
            case "rollout-iw":
                kind: type[Planner] = RolloutIW
            case "random":
                kind, search = RolloutIW, search._replace(width=0)
            case "iw":
                kind = BreadthFirst
            case "breadth-first":
                kind, search = BreadthFirst, search._replace(width=None)
            case _:
                kind = CountBasedRolloutIW
        return kind(self.simulator, self.evaluator, search, rule, rng)
