"""World models by settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from agents.iris.tokenizer.interface import Tokenizer
from agents.iris.world_model_settings import WorldModelSettings
from agents.iris.world_models.interface import Dynamics, Sizes

if TYPE_CHECKING:
    from agents.base import EnvironmentMaker


def build_world_model(
    settings: WorldModelSettings,
    tokenizer: Tokenizer,
    actions: int,
    generator: torch.Generator,
    make_environment: EnvironmentMaker,
) -> Dynamics:
    """
    Args:
        actions: how many there are.
        make_environment: of the run.

    Raises:
        AgentRefused: it cannot be had as the settings say.
    """
    frame = tokenizer.frames.shape if tokenizer.is_delta else None
    sizes = Sizes(tokenizer.tokens_per_frame, tokenizer.vocabulary, actions, frame)
    if settings.world_model == "dummy":
        from agents.iris.world_models.dummy import Dummy

        return Dummy(tokenizer, make_environment)
    if settings.world_model == "ncp_single_step":
        from agents.iris.world_models.ncp_single_step import SingleStep

        return SingleStep(settings, sizes, generator)
    if settings.world_model == "ncp_multi_step":
        from agents.iris.world_models.ncp_multi_step import MultiStep

        return MultiStep(settings, sizes, generator)
    from agents.iris.world_models.freezing import freeze
    from agents.iris.world_models.gpt2 import gpt2_trunk
    from agents.iris.world_models.transformer import Transformer

    trunk = gpt2_trunk(settings, generator) if settings.world_model == "gpt2" else None
    model = Transformer(settings, sizes, generator, trunk)
    freeze(model.trunk, settings.world_model_frozen)
    return model
