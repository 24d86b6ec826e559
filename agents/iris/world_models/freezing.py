"""Blocks of a transformer that do not learn."""

from __future__ import annotations

from agents.base import AgentRefused
from agents.iris.world_models.trunk import Trunk


def frozen_blocks(choice: bool | int | tuple[int, ...], layers: int) -> set[int]:
    """Which of the blocks: True: all; n: all but the last n; (i, ...): these.

    Raises:
        AgentRefused: one that there is not.
    """
    if isinstance(choice, bool):  # before int, which True is too
        return set(range(layers)) if choice else set()
    if isinstance(choice, int):
        if choice > layers:
            raise AgentRefused(f"world_model_frozen leaves {choice} blocks of {layers} to learn")
        return set(range(layers - choice))
    if any(block >= layers for block in choice):
        raise AgentRefused(
            f"world_model_frozen {list(choice)}: there are blocks 0 to {layers - 1} only"
        )
    return set(choice)


def freeze(trunk: Trunk, choice: bool | int | tuple[int, ...]) -> None:
    """Attention and dense layers of these blocks no longer learn; their norms go on.

    Raises:
        AgentRefused: as `frozen_blocks`.
    """
    for number in frozen_blocks(choice, len(trunk.blocks)):
        block = trunk.layers()[number]
        for part in (block.qkv, block.projection, block.widen, block.narrow):
            part.requires_grad_(False)
