"""The agent `piHIW`: π-IW that plans at two levels (`agents.piiw.hierarchical`)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from agents.piiw.agent import PiIWAgent
from agents.piiw.hierarchical import Bounded, HierarchicalPlanner
from agents.piiw.settings import PiHIWSettings
from agents.piiw.tiles import Tiles
from agents.planning.breadth_first import BreadthFirst
from agents.planning.rollout_iw import RolloutIW


class PiHIWAgent(PiIWAgent[PiHIWSettings]):
    """See the module's text."""

    NAME: ClassVar[str] = "piHIW"

    def make_planner(self, rng: np.random.Generator) -> Any:
        settings = self.settings
        tiles = Tiles(
            self.observation_space,
            settings.downsampling_tiles_w,
            settings.downsampling_tiles_h,
            settings.downsampling_pix_values,
            settings.image_channels,
        )
        bounded = Bounded(self.simulator, tiles)
        kind = RolloutIW if settings.low_level_planner == "rollout-iw" else BreadthFirst
        low = kind(bounded, self.evaluator, self.search(), self.rule(), rng)
        return HierarchicalPlanner(
            low, bounded, tiles, settings.high_level_width, settings.count_temperature
        )
