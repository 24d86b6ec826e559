"""An agent that fails in every way that a process can."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from agents.base import AgentRefused, AgentSettings, Transition
from agents.uniform_random import UniformRandom

STEP = 10


class BrittleSettings(AgentSettings, frozen=True, kw_only=True):
    """Uniformly random actions, up to a point.

    Attributes:
        how: what becomes of it in its tenth step, and a number that makes settings different:
            well, slow, raises, memory, killed, once (killed, but not again in this folder), hangs,
            deaf (hangs, and does not listen), refused. As in "well-3".
    """

    how: str = "well"


class Brittle(UniformRandom):
    def __init__(self, settings: BrittleSettings, *spaces: Any, **common: Any) -> None:
        self._how = settings.how.partition("-")[0]
        if self._how == "refused":
            raise AgentRefused("brittle refuses")
        super().__init__(settings, *spaces, **common)  # type: ignore[arg-type]
        self._steps = 0

    def observe(self, transition: Transition) -> None:
        self._steps += 1
        if self._how == "slow":
            time.sleep(0.005)
        if self._steps == STEP:
            print(f"brittle {self._how}", flush=True)
            _fail(self._how)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._steps = state["steps"]


def _fail(how: str) -> None:
    if how == "raises":
        raise RuntimeError("brittle broke")
    if how == "memory":
        raise MemoryError("Unable to allocate 8.00 TiB")
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "once" and not Path("killed-once").exists():
        Path("killed-once").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if how in ("hangs", "deaf"):
        if how == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(0.05)


AGENTS = {"brittle": ("brittle_agent:BrittleSettings", "brittle_agent:Brittle")}
