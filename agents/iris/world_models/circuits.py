"""Neural circuit policies (Lechner et al. 2020) on top of each other, from the package `ncps`."""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor, nn

from agents.base import AgentRefused
from agents.first_weights import drawn_from
from agents.iris.world_model_settings import WorldModelSettings

#: State of each circuit, [B, neurons]; None: at rest.
States = list[Tensor | None]


class Circuits(nn.Module):
    """Each: layer norm, closed-form continuous-time neurons (Hasani et al. 2022) in the wiring of
    an NCP, dropout; as many outputs as inputs.

    Raises:
        AgentRefused: `ncps` is not installed, or there are too few neurons.
    """

    def __init__(
        self, settings: WorldModelSettings, size: int, ratio: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        wirings, cells = _ncps()
        units = settings.ncp_units or max(int(ratio * size), size + 3)
        if units < size + 3:
            raise AgentRefused(f"ncp_units {units}: {size} outputs need {size + 3} at least")
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(settings.world_model_layers))
        self.cells = nn.ModuleList()
        with drawn_from(int(torch.randint(2**62, (), generator=generator))):
            for _ in range(settings.world_model_layers):
                seed = int(torch.randint(2**31, (), generator=generator))
                wiring = wirings.AutoNCP(units, size, settings.ncp_sparsity, seed)
                self.cells.append(cells.CfC(size, wiring, mode=settings.ncp_mode))
        self.dropout = settings.world_model_dropout

    def at_rest(self) -> States:
        return [None] * len(self.cells)

    def forward(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """[B, T, size] to the same, and the states after it."""
        after: States = []
        for norm, cell, state in zip(self.norms, self.cells, states, strict=True):
            x, new = cell(norm(x), state)
            x = nn.functional.dropout(x, self.dropout, self.training)
            after.append(new)
        return x, after


def _ncps() -> tuple[Any, Any]:
    try:
        return importlib.import_module("ncps.wirings"), importlib.import_module("ncps.torch")
    except ImportError:
        raise AgentRefused(
            "world models of neural circuits need the package ncps: pip install ncps"
        ) from None
