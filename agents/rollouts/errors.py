"""What can be wrong with rollouts on disk."""

from __future__ import annotations

from pathlib import Path

from agents.base import AgentRefused


class FolderRefused(AgentRefused):
    """A folder of rollouts that cannot be used; the message says why."""


class BadShard(AgentRefused):
    """A shard that is damaged, torn or lost.

    Attributes:
        path: of the shard.
        problem: what is wrong with it.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path}: {problem}; python -m agents.world_models.verify {path.parent} --repair "
            "sets it aside and makes its rollouts again"
        )
        self.path = path
        self.problem = problem

    def __reduce__(self) -> tuple[type[BadShard], tuple[Path, str]]:
        return BadShard, (self.path, self.problem)
