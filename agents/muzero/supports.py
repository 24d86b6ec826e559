"""The bins that values and rewards are distributions over."""

from __future__ import annotations

from agents.muzero.settings import MuZeroSettings
from agents.search.scalars import Support


def supports(settings: MuZeroSettings) -> tuple[Support, Support]:
    """Of values, and of rewards."""
    return Support.symmetric(settings.value_support), Support.symmetric(settings.reward_support)
