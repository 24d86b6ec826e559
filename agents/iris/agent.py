"""The agent: IRIS in the loop."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

from agents.base import AgentRefused, EnvironmentMaker, Episode, Files
from agents.iris.collecting import Manner, Player
from agents.iris.run_folder import RunFolder
from agents.iris.settings import IrisSettings
from agents.iris.training import Trainer

#: Latest episodes whose mean return is a metric.
_RECENT = 10


class IRIS:
    """See `agents.base.Driver`.

    Timesteps are steps in real environments. The last one is counted when everything is learned:
    epochs after it, and the updates of its own, come before.

    Raises:
        AgentRefused: spaces, files or packages do not suit the settings.
    """

    DRIVES: ClassVar[bool] = True
    KEEPS_FILES: ClassVar[bool] = True

    def __init__(
        self,
        settings: IrisSettings,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        rng: np.random.Generator,
        device: str,
        make_environment: EnvironmentMaker,
        total_timesteps: int,
        report: Callable[[Episode], None],
        files: Files,
    ) -> None:
        self.settings, self.device = settings, device
        self._total, self._report = total_timesteps, report
        self._environment = make_environment.settings
        self._folder = RunFolder(files.run, settings)
        self._recent: list[float] = []
        self._gone: str | None = None
        self.trainer = Trainer(
            settings,
            observation_space,
            action_space,
            make_environment=make_environment,
            total_timesteps=total_timesteps,
            rng=rng,
            device=device,
            report=self._end_episode,
            keeper=self._folder.keeper,
        )
        self._manner = Manner(
            settings.evaluation_epsilon,
            settings.evaluation_should_sample,
            settings.evaluation_temperature,
        )
        self._seconds: dict[str, float] = {}
        self._units: Counter[str] = Counter()
        self.begin_evaluation(np.random.default_rng(0))

    @property
    def timestep(self) -> int:
        """See `agents.base.Driver`."""
        taken = self.trainer.timestep
        return taken - (taken == self._total and not self.trainer.is_over)

    @property
    def reward_sum(self) -> float:
        """See `agents.base.Driver`."""
        return self.trainer.collector.fleet.reward_sum

    # -- training

    def advance(self, until: int, stop: Callable[[], bool]) -> None:
        """See `agents.base.Driver`."""
        trainer = self.trainer
        if self._gone is not None:
            raise AgentRefused(self._gone)
        if not trainer.timestep:
            self._folder.begin(self._environment)
            print(self._estimate(), file=sys.stderr, flush=True)
        while self.timestep < until and not stop():
            epoch, phase, _ = trainer.position
            began = time.perf_counter()
            trainer.unit(until)
            self._seconds[phase] = self._seconds.get(phase, 0.0) + time.perf_counter() - began
            self._units[phase] += 1
            if trainer.position.epoch > epoch and self._folder.end_epoch(trainer, epoch):
                print(self._progress(), file=sys.stderr, flush=True)

    def _end_episode(self, episode: Episode) -> None:
        self._recent = [*self._recent[1 - _RECENT :], episode.total]
        self._report(episode)

    def _estimate(self) -> str:
        """What it will take, for people."""
        trainer, settings = self.trainer, self.settings
        kept = min(self._total, settings.dataset_capacity or self._total)
        space = trainer.collector.fleet.problems[0].observation_space
        frame = np.zeros(space.shape or (), space.dtype).nbytes
        parameters = ", ".join(f"{name} {count:,}" for name, count in self._parameters().items())
        return (
            f"IRIS: {trainer.epochs} epochs; parameters: {parameters}; {kept:,} frames in memory "
            f"at most: {kept * frame / 1e6:,.1f} MB"
        )

    def _progress(self) -> str:
        """Where it is, for people."""
        trainer, metrics = self.trainer, self.metrics()
        names = ("collected_return", "tokenizer_perplexity", "world_model_tokens")
        told = [f"{n.replace('_', ' ')} {metrics[n]:.3g}" for n in names if n in metrics]
        place = f"epoch {trainer.position.epoch} of {trainer.epochs}"
        return f"IRIS: {', '.join([place, f'timestep {trainer.timestep:,}', *told])}"

    def _parameters(self) -> dict[str, int]:
        return {
            name: sum(p.numel() for p in module.parameters())
            for name, module in self.trainer.modules().items()
        }

    # -- evaluation

    def begin_evaluation(self, rng: np.random.Generator) -> None:
        """See `agents.base.Driver`."""
        self._generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        self._watching: Player | None = None

    def act_many(
        self,
        observations: Sequence[Any],
        slots: Sequence[int],
        *,
        begun: Sequence[int],
        legal: NDArray[np.bool_] | None,
    ) -> Sequence[Any]:
        """See `agents.base.Driver`."""
        trainer = self.trainer
        if self._watching is None:
            networks = trainer.tokenizer, trainer.actor_critic
            self._watching = Player(lambda: networks, max(slots) + 1)
        actions = self._watching.act(
            list(observations), list(slots), list(begun), self._manner, self._generator
        )
        return list(actions.tolist())

    # -- leaving and coming back

    def state_dict(self) -> dict[str, Any]:
        """See `agents.base.Driver`."""
        return {"trainer": self.trainer.state_dict(), "recent": list(self._recent)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `agents.base.Driver`. Where episodes of the data set are gone, `advance` says so."""
        try:
            self.trainer.load_state_dict(state["trainer"])
        except AgentRefused as refused:
            self._gone = str(refused)
        self._recent = list(state["recent"])

    def metrics(self) -> Mapping[str, float]:
        """Parts of the latest losses, perplexity among them, and what was collected."""
        trainer = self.trainer
        found = {name.replace("/", "_"): float(value) for name, value in trainer.losses.items()}
        found |= {"epoch": float(trainer.position.epoch), "episodes": float(len(trainer.episodes))}
        if self._recent:
            found["collected_return"] = float(np.mean(self._recent))
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def learned_params(self) -> Mapping[str, np.ndarray]:
        """Arrays "tokenizer.*", "world_model.*" and "actor_critic.*"."""
        return {
            f"{name}.{key}": tensor.detach().cpu().numpy().copy()
            for name, module in self.trainer.modules().items()
            for key, tensor in module.state_dict().items()
        }

    def provenance(self) -> Mapping[str, Any]:
        """How many units a second each phase did since it was taken up last."""
        rates = {
            f"{phase}_per_second": round(self._units[phase] / max(seconds, 1e-9), 1)
            for phase, seconds in self._seconds.items()
        }
        return rates | {"parameters": self._parameters()}

    def close(self) -> None:
        """See `agents.base.Driver`."""
        self.trainer.close()
