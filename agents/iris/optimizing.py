"""Optimizers of IRIS's three networks, each with a learning rate of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from agents.base import Diverged
from agents.parallel.sharing import average


def adam(module: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Of what learns."""
    return torch.optim.Adam(trainable(module), lr=learning_rate, fused=True)


def adamw(module: nn.Module, learning_rate: float, decay: float) -> torch.optim.Optimizer:
    """Weights of linear layers decay; biases, norms, embeddings and positions do not."""
    linear = {id(p.weight) for p in module.modules() if isinstance(p, nn.Linear)}
    parameters = trainable(module)
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if id(p) in linear], "weight_decay": decay},
        {"params": [p for p in parameters if id(p) not in linear], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """Its parameters that are not frozen."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def update(
    optimizer: torch.optim.Optimizer,
    losses: Iterable[tuple[Tensor, dict[str, Tensor]]],
    count: int,
    longest: float | None,
    name: str,
) -> dict[str, Tensor]:
    """One step along the mean gradient of `count` batches' losses; returns their parts. Where ranks
    share the batches, both are means over the ranks.

    Args:
        losses: each is computed when the one before has had its way back.
        longest: norm that the gradient is cut to.
        name: of what learns, for the message.

    Raises:
        Diverged: the gradient is not finite.
    """
    optimizer.zero_grad()
    total: dict[str, Tensor] = {}
    for loss, parts in losses:
        (loss / count).backward()  # type: ignore[no-untyped-call]
        for part, value in parts.items():
            total[part] = total.get(part, 0) + value / count
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    average([p.grad for p in parameters if p.grad is not None] + list(total.values()))
    norm = nn.utils.clip_grad_norm_(parameters, torch.inf if longest is None else longest)
    if not torch.isfinite(norm):
        raise Diverged(f"the gradient of the {name}")
    optimizer.step()
    return total
