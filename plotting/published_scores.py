"""Scores that papers have published, to stand beside one's own."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from plotting.data_file import BadInput

ATARI_100K = Path(__file__).with_name("published") / "atari_100k.json"


class Agent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    Attributes:
        paper: that the agent is from.
        source: of the numbers.
        aggregates: of normalised scores over all games of the benchmark.
        games: mean returns, of all games or of some.
    """

    paper: str
    source: str
    aggregates: dict[str, float]
    games: dict[str, float]


class Benchmark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    Attributes:
        random, human: returns of every game that count as 0 and as 1.
    """

    title: str
    comment: str
    random: dict[str, float]
    human: dict[str, float]
    agents: dict[str, Agent]

    def normalised(self, agent: str, game: str) -> float:
        """A score; NaN where none is known."""
        score = self.agents[agent].games.get(game, np.nan)
        low = self.random[game]
        return (score - low) / (self.human[game] - low)

    def aggregates(self, agent: str, games: list[str]) -> dict[str, float]:
        """Over these games: what was published, if they are all of them; else mean and median of
        the games, if all are known."""
        if set(games) == set(self.random):
            return self.agents[agent].aggregates
        scores = [self.normalised(agent, game) for game in games]
        if not np.isfinite(scores).all():
            return {}
        return {"mean": float(np.mean(scores)), "median": float(np.median(scores))}


def read_benchmark(path: Path = ATARI_100K) -> Benchmark:
    """What is shipped, or a file like it.

    Raises:
        BadInput: it is no such file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Benchmark)
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(f"{path} has no published scores: {error}") from None


def game_of(env_name: str) -> str:
    """Pong, of ALE/Pong-v5."""
    return env_name.partition("/")[2].partition("-")[0]
