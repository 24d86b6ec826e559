"""What a run measured, read from its bytes without building what is not asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from experiment.curves import Curve, point_curve, train_curve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["train", "eval", "reward"]
#: Curves of a run: return of training episodes, of evaluation episodes, reward a step.
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Episodes:
    """The training episodes of a run. [E] each; the last may have been cut off by its end."""

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    terminated: NDArray[np.bool_]
    last_unfinished: bool


class RunReader:
    """Reads one run after another; what it gave of one is void once it reads the next."""

    def __init__(self) -> None:
        import simdjson

        self._parser = simdjson.Parser()
        self._run: Any = None

    def read(self, run: bytes | memoryview) -> None:
        """Takes the bytes of a run.

        Raises:
            ValueError: it is not JSON.
        """
        self._run = None  # the parser refuses to go on while anything of the last one is held
        self._run = self._parser.parse(bytes(run))

    def field(self, name: str, default: Any = None) -> Any:
        """A field as Python's objects."""
        value = self._run.get(name, default)
        if hasattr(value, "as_dict"):
            return value.as_dict()
        return value.as_list() if hasattr(value, "as_list") else value

    def episodes(self) -> Episodes | None:
        """The training episodes, if the run tells of them."""
        import numpy as np

        returns, lengths = self._episodes()
        if returns is None or lengths is None:
            return None
        ends = self._run.get("train_episode_terminated")
        terminated = [False] * len(returns) if ends is None else ends.as_list()
        return Episodes(returns, lengths, np.array(terminated, bool), self._cut_off)

    def _episodes(self) -> tuple[NDArray[np.float64] | None, NDArray[np.int64] | None]:
        """(returns, lengths)."""
        import numpy as np

        returns = _array(self._run.get("train_episode_rewards"))
        lengths = _array(self._run.get("train_episode_steps"))
        if returns is None or lengths is None or len(returns) != len(lengths):
            return None, None
        return returns, lengths.astype(np.int64)

    @property
    def _cut_off(self) -> bool:
        """Whether the last episode was, by the end of the run."""
        return bool(self._run.get("last_episode_unfinished", False))

    def curve(self, kind: Kind, total_timesteps: int, bins: int) -> Curve | None:
        """The learning curve of a kind on an axis of `total_timesteps`; None if it has none."""
        if kind == "train":
            returns, lengths = self._episodes()
            if returns is None or lengths is None:
                return None
            ended = len(returns) - self._cut_off
            if ended < 1:
                return None
            return train_curve(returns[:ended], lengths[:ended], total_timesteps, bins)
        at, values = self._evaluations() if kind == "eval" else self._mean_reward()
        if at is None or values is None or len(at) != len(values) or not len(at):
            return None
        return point_curve(at, values, total_timesteps)

    def _evaluations(self) -> tuple[Any, Any]:
        """(timesteps, mean returns) of the evaluations."""
        at, every = (
            _array(self._run.get("timesteps_at_eval")),
            self._run.get("eval_episode_rewards"),
        )
        if at is None or every is None:
            return None, None
        nan = float("nan")
        each = ([float(value) for value in episodes] for episodes in every.as_list())
        return at, [sum(episodes) / len(episodes) if episodes else nan for episodes in each]

    def _mean_reward(self) -> tuple[Any, Any]:
        series = self._run.get("metrics")
        series = None if series is None else series.get("mean_reward")
        if series is None:
            return None, None
        return _array(series.get("timestep")), _array(series.get("value"))


def _array(values: Any) -> NDArray[np.float64] | None:
    """A list of numbers, "nan" and "inf" included."""
    import numpy as np

    if values is None:
        return None
    if len(values) == 0:
        return np.empty(0)
    try:
        return np.frombuffer(values.as_buffer(of_type="d"), np.float64).copy()
    except (TypeError, ValueError):
        return np.array([float(value) for value in values.as_list()])
