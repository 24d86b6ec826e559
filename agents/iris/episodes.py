"""Episodes that are learned from: kept step by step, of several environments at once.

Each frame is a row; beside it are the action that was chosen on seeing it, and what came of it.
The last frame of an episode has none. Episodes are lists of rows, so those that go on can grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.base import Transition
from agents.iris.returns import discounted_returns
from agents.iris.tokenizer.interface import Before, Tokenizer

Rows = NDArray[np.int64]


class Keeper(Protocol):
    """Where episodes that are over are kept beside memory, by their number, from 0 on."""

    def keep(self, number: int, episode: Mapping[str, NDArray[Any]]) -> None:
        """An episode is over: frames [T + 1, ...], actions, rewards and ends [T]."""
        ...

    def frames(self, number: int) -> NDArray[Any]:
        """[T + 1, ...] of one that was kept.

        Raises:
            AgentRefused: it is gone, or damaged.
        """
        ...

    def hold(self, numbers: Iterable[int]) -> None:
        """A checkpoint needs these; the others only if the checkpoint before does."""
        ...


#: Frames that are encoded at once.
CHUNK = 512


class Span(NamedTuple):
    """
    Attributes:
        rows: int64 [B, T].
        mask: bool [B, T]; rows are any where it is False.
    """

    rows: Rows
    mask: NDArray[np.bool_]


class Episodes:
    """
    Attributes:
        steps: that are kept.
        forgotten: episodes that were let go.

    Args:
        capacity: steps that are kept at most, whole episodes, the latest; None: all.
        weights: how often each part of the episodes is drawn, oldest first; None: all alike.
        keeps_snapshots: of the environment, one for each frame.
        keeper: is given each episode that is over; `state_dict` then leaves its frames out.
    """

    def __init__(
        self,
        capacity: int | None = None,
        weights: tuple[float, ...] | None = None,
        *,
        keeps_snapshots: bool = False,
        keeper: Keeper | None = None,
    ) -> None:
        self._capacity, self._weights = capacity, weights
        self.keeps_snapshots, self._keeper = keeps_snapshots, keeper
        self._columns: dict[str, NDArray[Any]] = {}
        self._snapshots: list[Any] = []
        self._rows = 0
        self._episodes: list[list[int]] = []
        self._over: list[bool] = []
        self._open: dict[int, int] = {}  # slot of an environment -> its episode
        self.steps = self.forgotten = 0
        self._table: tuple[Rows, Rows, Rows] | None = None
        self._before: Rows | None = None
        self._returns: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Episodes, those that go on included."""
        return len(self._episodes)

    # -- taking in

    def begin(self, slot: int, observation: NDArray[Any], snapshot: Any = None) -> None:
        """An environment begins an episode."""
        self._open[slot] = len(self._episodes)
        self._episodes.append([self._add(observation, snapshot)])
        self._over.append(False)

    def add(self, slot: int, transition: Transition, snapshot: Any = None) -> None:
        """It took a step."""
        number = self._open[slot]
        row, columns = self._episodes[number][-1], self._columns
        columns["actions"][row] = transition.action
        columns["rewards"][row] = transition.reward
        columns["ends"][row] = transition.terminated
        over = transition.terminated or transition.truncated
        after = self._add(transition.next_observation, None if over else snapshot)
        self._episodes[number].append(after)
        self._over[number] = over
        self.steps += 1
        if over:
            del self._open[slot]
            if self._keeper is not None:
                self._keeper.keep(self.forgotten + number, self.arrays(number))
        if self._capacity is not None and self.steps > self._capacity:
            self._forget()

    def _add(self, observation: NDArray[Any], snapshot: Any) -> int:
        if not self._columns:
            self._columns = {
                "frames": np.empty((64, *observation.shape), observation.dtype),
                "actions": np.zeros(64, np.int64),
                "rewards": np.zeros(64, np.float32),
                "ends": np.zeros(64, np.bool_),
                "versions": np.full(64, -1, np.int64),
            }
        if self._rows == len(self._columns["frames"]):
            self._columns = {
                name: np.concatenate((column, np.zeros_like(column)))
                for name, column in self._columns.items()
            }
        row = self._rows
        self._rows += 1
        self._columns["frames"][row] = observation
        self._columns["versions"][row] = -1
        if self.keeps_snapshots:
            self._snapshots.append(snapshot)
        self._table = self._before = self._returns = None
        return row

    def _forget(self) -> None:
        """Lets the oldest episodes go that are over, and closes the gaps when they are many."""
        assert self._capacity is not None  # asked by the caller
        gone = 0
        while self.steps > self._capacity and gone < len(self._over) - 1 and self._over[gone]:
            self.steps -= len(self._episodes[gone]) - 1
            gone += 1
        if not gone:
            return
        self.forgotten += gone
        del self._episodes[:gone], self._over[:gone]
        self._open = {slot: number - gone for slot, number in self._open.items()}
        kept = sum(map(len, self._episodes))
        if 2 * kept < self._rows:
            rows = np.concatenate([np.asarray(e) for e in self._episodes])
            self._columns = {name: column[rows] for name, column in self._columns.items()}
            if self.keeps_snapshots:
                self._snapshots = [self._snapshots[row] for row in rows]
            ends = np.cumsum([0, *map(len, self._episodes)]).tolist()
            self._episodes = [list(range(a, b)) for a, b in pairwise(ends)]
            self._rows = kept
        self._table = self._before = self._returns = None

    # -- drawing

    def draw_frames(self, rng: np.random.Generator, count: int, *, followers: bool = False) -> Rows:
        """[count] rows of frames that were acted on: an episode each, a frame of it each.

        Args:
            followers: of the frames that came of these instead.
        """
        table, first, lengths = self._tables()
        chosen = self._choose(rng, lengths, count)
        rows: Rows = table[first[chosen] + rng.integers(lengths[chosen]) + followers]
        return rows

    def draw_segments(self, rng: np.random.Generator, count: int, length: int) -> Span:
        """[count, length] steps from a random one on, padded on the right."""
        table, first, lengths = self._tables()
        chosen = self._choose(rng, lengths, count)
        steps = rng.integers(lengths[chosen])[:, None] + np.arange(length)
        mask = steps < lengths[chosen][:, None]
        return Span(table[first[chosen][:, None] + np.where(mask, steps, 0)], mask)

    def draw_starts(self, rng: np.random.Generator, count: int, length: int) -> Span:
        """[count, length] frames up to a random one that was acted on, padded on the left."""
        table, first, lengths = self._tables()
        chosen = self._choose(rng, lengths, count)
        steps = rng.integers(lengths[chosen])[:, None] + np.arange(1 - length, 1)
        mask = steps >= 0
        return Span(table[first[chosen][:, None] + np.where(mask, steps, 0)], mask)

    def _choose(self, rng: np.random.Generator, lengths: Rows, count: int) -> Rows:
        """[count] episodes that have steps."""
        shares = (lengths > 0).astype(np.float64)
        if self._weights is not None:
            part = np.arange(len(lengths)) * len(self._weights) // len(lengths)
            weighted = shares * np.asarray(self._weights)[part] / np.bincount(part)[part]
            shares = weighted if weighted.any() else shares
        return rng.choice(len(lengths), count, p=shares / shares.sum())

    def _tables(self) -> tuple[Rows, Rows, Rows]:
        """Rows of all episodes, where each begins among these, and its steps."""
        if self._table is None:
            sizes = np.array([len(episode) for episode in self._episodes], np.int64)
            rows = np.concatenate([np.asarray(e, np.int64) for e in self._episodes])
            self._table = rows, np.cumsum(sizes) - sizes, sizes - 1
        return self._table

    # -- reading

    def frames(self, rows: Rows) -> NDArray[Any]:
        return self._columns["frames"][rows]

    def column(self, name: str, rows: Rows) -> NDArray[Any]:
        """`actions`, `rewards` or `ends` of these rows."""
        return self._columns[name][rows]

    def before(self, rows: Rows, tokenizer: Tokenizer, device: torch.device) -> Before | None:
        """What came before frames of rows [B], as the actor-critic sees it; first ones count as in
        `nothing_before`. None where tokens are of a frame alone."""
        if not tokenizer.is_delta:
            return None
        if self._before is None:
            table, first, _ = self._tables()
            self._before = np.full(self._rows, -1, np.int64)
            self._before[table[1:]] = table[:-1]
            self._before[table[first]] = -1
        rows_before = self._before[rows]
        known = rows_before >= 0
        observed = self._columns["frames"][np.where(known, rows_before, rows)]
        actions = np.where(known, self._columns["actions"][rows_before], 0)
        frames = tokenizer.seen(torch.as_tensor(observed, device=device))
        return Before(frames, torch.as_tensor(actions, device=device))

    def seen(self, rows: Rows, tokenizer: Tokenizer, device: torch.device) -> Tensor | None:
        """[B, T, ...] frames of rows [B, T] as the actor-critic sees them. None where it sees what
        tokens are decoded to."""
        if not tokenizer.is_delta:
            return None
        observed = torch.as_tensor(self._columns["frames"][rows], device=device)
        seen = tokenizer.seen(observed.flatten(0, 1))
        return seen.view(*rows.shape, *seen.shape[1:])

    def snapshots(self, rows: Rows) -> list[Any]:
        """[B] of rows [B]."""
        return [self._snapshots[row] for row in rows.tolist()]

    def episode(self, number: int) -> Rows:
        """[T + 1] rows of an episode."""
        return np.asarray(self._episodes[number], np.int64)

    def arrays(self, number: int) -> dict[str, NDArray[Any]]:
        """frames [T + 1, ...], actions, rewards and ends [T] of an episode."""
        rows = self.episode(number)
        columns = {name: self.column(name, rows[:-1]) for name in ("actions", "rewards", "ends")}
        return {"frames": self.frames(rows), **columns}

    def is_over(self, number: int) -> bool:
        return self._over[number]

    @torch.no_grad()
    def tokens(
        self, rows: Rows, tokenizer: Tokenizer, version: int, device: torch.device
    ) -> Tensor:
        """int64 [..., K] of rows [...]; each frame is encoded once for each version.

        Args:
            version: another number whenever the tokenizer has changed.
        """
        columns = self._columns
        if "tokens" not in columns:
            shape = (len(columns["frames"]), tokenizer.tokens_per_frame)
            columns["tokens"] = np.zeros(shape, np.int32)
        wanted = np.unique(rows)
        wanted = wanted[columns["versions"][wanted] != version]
        for begin in range(0, len(wanted), CHUNK):
            part = wanted[begin : begin + CHUNK]
            observed = torch.as_tensor(columns["frames"][part], device=device)
            before = self.before(part, tokenizer, device)
            columns["tokens"][part] = tokenizer.encode(observed, before).cpu().numpy()
            columns["versions"][part] = version
        return torch.as_tensor(columns["tokens"][rows], dtype=torch.int64, device=device)

    def returns(self, rows: Rows, gamma: float, ignored: int) -> NDArray[np.float32]:
        """[B] discounted ones of rows [B]; NaN for frames that were not acted on and for the last
        `ignored` steps of an episode that was not seen to its end."""
        if self._returns is not None:
            return self._returns[rows]
        told = np.full(self._rows, np.nan, np.float32)
        for episode in self._episodes:
            steps = np.asarray(episode[:-1], np.int64)
            if not len(steps):
                continue
            known = discounted_returns(self._columns["rewards"][steps], gamma)
            if not self._columns["ends"][steps[-1]]:
                known[max(len(known) - ignored, 0) :] = np.nan
            told[steps] = known
        self._returns = told
        return told[rows]

    # -- leaving and coming back

    def state_dict(self) -> dict[str, Any]:
        """Everything, as arrays and lists; of episodes that are kept elsewhere, all but frames."""
        columns = {
            name: c[: self._rows].copy() for name, c in self._columns.items() if name != "frames"
        }
        kept, rows = self._kept_rows()
        if self._keeper is not None:
            self._keeper.hold(kept)
        if self._columns:
            columns["frames"] = self._columns["frames"][rows]
        return {
            "columns": columns,
            "rows": rows,
            "kept": kept,
            "snapshots": list(self._snapshots),
            "episodes": [np.asarray(episode, np.int64) for episode in self._episodes],
            "over": list(self._over),
            "open": list(self._open.items()),
            "steps": self.steps,
            "forgotten": self.forgotten,
        }

    def _kept_rows(self) -> tuple[list[int], Rows]:
        """Numbers of episodes whose frames are kept elsewhere, and rows of all other frames."""
        if self._keeper is None:
            return [], np.arange(self._rows)
        kept = [number for number, over in enumerate(self._over) if over]
        others = [
            np.asarray(e, np.int64)
            for e, over in zip(self._episodes, self._over, strict=True)
            if not over
        ]
        rows = np.concatenate(others) if others else np.zeros(0, np.int64)
        return [self.forgotten + number for number in kept], rows

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues where `state_dict` was taken.

        Raises:
            AgentRefused: frames that are kept elsewhere are gone.
        """
        columns = dict(state["columns"])
        self._episodes = [episode.tolist() for episode in state["episodes"]]
        self.forgotten = state["forgotten"]
        self._rows = len(columns["actions"]) if columns else 0
        self._columns = {name: column.copy() for name, column in columns.items()}
        if columns:
            shown = columns["frames"]
            frames = np.zeros((self._rows, *shown.shape[1:]), shown.dtype)
            frames[state["rows"]] = shown
            for number in state["kept"]:
                assert self._keeper is not None  # it kept them
                frames[self._episodes[number - self.forgotten]] = self._keeper.frames(number)
            self._columns["frames"] = frames
        self._snapshots = list(state["snapshots"])
        self._over, self._open = list(state["over"]), dict(state["open"])
        self.steps = state["steps"]
        self._table = self._before = self._returns = None
        if self._keeper is not None:
            self._keeper.hold(state["kept"])
