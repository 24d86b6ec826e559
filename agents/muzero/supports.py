"""The bins that values and rewards are distributions over."""

from __future__ import annotations

from agents.muzero.settings import MuZeroSettings
from agents.search.scalars import Support


def supports(settings: MuZeroSettings) -> tuple[Support, Support]:
    """Of values, and of rewards."""
    compressed = settings.scalar_transform
    values = Support.symmetric(settings.value_support, compressed=compressed)
    if settings.value_distribution == "c51":
        values = Support(*settings.c51_bounds, settings.c51_atoms, compressed=False)
    return values, Support.symmetric(settings.reward_support, compressed=compressed)
