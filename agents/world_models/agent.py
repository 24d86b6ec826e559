"""The agent: all five stages of World Models under one index."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

from agents.base import AgentRefused, EnvironmentMaker, Episode, Files, leaving
from agents.encoders.building import build_encoder
from agents.world_models.cache import Cache, Result, keys_of, say, write
from agents.world_models.controller.company import Company
from agents.world_models.controller.controllers import Controllers
from agents.world_models.controller_stage import (
    InDream,
    InEnvironment,
    Models,
    Seeds,
    Trainer,
    acting_block,
)
from agents.world_models.ledger import Entry, Ledger
from agents.world_models.settings import STAGES, WorldModelSettings
from agents.world_models.stages import Played, Stages, learned_arrays
from agents.world_models.watching import Watching

#: Steps of a dream where neither the settings nor the environment have a limit.
_LIMIT = 1000
#: What was learned, in the folder of the run.
SUMMARY = "world_model.json"


class WorldModel:
    """See `agents.base.Driver`.

    Timesteps are steps in the environment: those of the rollouts, whoever collected them, and those
    of controllers that are tried. They are counted as if they were taken one after another. The
    last timestep comes when every stage is done.

    Raises:
        AgentRefused: spaces that it cannot deal with.
    """

    DRIVES: ClassVar[bool] = True
    KEEPS_FILES: ClassVar[bool] = True

    def __init__(
        self,
        settings: WorldModelSettings,
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
        build_encoder(settings, observation_space, 0)  # refuses what it cannot read
        self._untrained = Controllers(settings, 1, 1, action_space)
        self.settings, self.device = settings, device
        self._action_space, self._gamma = action_space, gamma
        self._make, self._total, self._files = make_environment, total_timesteps, files
        entropy = rng.bit_generator.seed_seq
        assert isinstance(entropy, np.random.SeedSequence)
        self._entropy = entropy
        self._stages = Stages(
            settings,
            Cache(files, say),
            make_environment,
            (observation_space, action_space),
            entropy,
            device,
            say,
        )
        self._ledger = Ledger(report)
        self._iteration, self._step = 0, STAGES[0]
        self._done = False  # every stage of every iteration
        self._results: dict[str, Result] = {}
        self._standing: dict[str, Result] = {}  # those that the controller acts with
        self._metrics: dict[str, float] = {}
        self._weights: NDArray[np.float64] | None = None  # of the last iteration's controller
        self._acted = 0  # blocks of the controller, once it is trained
        self._models: Models | None = None
        self._company: Company | None = None
        self._trainer: Trainer | None = None
        self._trainer_state: dict[str, Any] | None = None
        self._gone: str | None = None
        self._seconds: dict[str, float] = {}
        self._found: list[str] = []
        self._watching: Watching | None = None
        self.begin_evaluation(np.random.default_rng(0))

    @property
    def timestep(self) -> int:
        """See `agents.base.Driver`."""
        return self._ledger.timestep

    @property
    def reward_sum(self) -> float:
        """See `agents.base.Driver`."""
        return self._ledger.reward_sum

    # -- training

    def advance(self, until: int, stop: Callable[[], bool]) -> None:
        """See `agents.base.Driver`."""
        if self._gone is not None:
            raise AgentRefused(f"{self._gone} is gone: --force starts the run afresh")
        if self.timestep == 0 and not self._results:
            from agents.world_models.estimate import estimate

            for line in estimate(self.settings, self._make, self._stages.observation_space):
                say(line)
        while self.timestep < until and not stop():
            held = until == self._total and not self._done
            self._ledger.count(until - held)
            if self.timestep >= until:
                return
            if self._done and self._ledger.empty:
                if not self._act(until, leaving(stop)):
                    return
            elif not self._go_on(stop):
                return

    def _go_on(self, stop: Callable[[], bool]) -> bool:
        """Does what is next of the stage; False: it was left before."""
        if self._step == "controller":
            return self._train(stop)
        began = time.perf_counter()
        result = self._made(leaving(stop))
        self._count_seconds(self._step, began)
        if result is None:
            return False
        if self._step == "rollouts" and not self._counted(result):
            return True
        self._results[self._step] = result
        if not result.made:
            self._found.append(result.key)
        self._metrics |= result.facts.get("metrics", {})
        if self._step == self.settings.last_stage:
            self._done = True
        else:
            self._step = STAGES[STAGES.index(self._step) + 1]
            if self._step == "controller":
                self._forget_models()
                self._standing = dict(self._results)
        self._note()
        return True

    def _counted(self, rollouts: Result) -> bool:
        """Enters the steps of rollouts; False: there are not so many left, and the iteration that
        they were for is given up.

        Raises:
            AgentRefused: it is the first.
        """
        entries = self._stages.entries(rollouts)
        steps, left = sum(len(entry.rewards) for entry in entries), self._total - self.timestep
        if steps > left:
            text = f"rollouts take {steps:,} steps, and {left:,} timesteps are left"
            if self._iteration == 0:
                raise AgentRefused(f"{text}: raise total_timesteps or ask for fewer")
            say(f"{text}: iteration {self._iteration + 1} is given up")
            self._iteration, self._step, self._done = self._iteration - 1, "controller", True
            return False
        self._ledger.enter(entries)
        return True

    def _made(self, stop: Callable[[], bool]) -> Result | None:
        """The result of the present stage."""
        stages, results, iteration = self._stages, self._results, self._iteration
        match self._step:
            case "rollouts":
                if iteration == 0:
                    return stages.rollouts(stop)
                assert self._weights is not None
                by = Played(self._weights, self._stood_on().key, self._players())
                return stages.added(results["rollouts"], iteration, by, stop)
            case "encoder":
                return stages.encoder(results["rollouts"], iteration, stop)
            case "latents":
                return stages.latents(results["rollouts"], results["encoder"], stop)
            case _:
                return stages.sequence(results["latents"], iteration, stop)

    def _train(self, stop: Callable[[], bool]) -> bool:
        """Some of the training of the controller."""
        trainer = self._at_it()
        at_the_end = not self._ledger.empty
        if at_the_end and isinstance(trainer, InEnvironment):
            self._end_iteration(trainer)  # what the end cuts off is not learned from
            return True
        began = time.perf_counter()
        went_on = trainer.advance(self._ledger, stop, leaving(stop))
        self._count_seconds("controller", began)
        if not went_on:
            return False
        self._metrics |= trainer.metrics()
        if trainer.over:
            self._end_iteration(trainer)
        return True

    def _end_iteration(self, trainer: Trainer) -> None:
        self._weights = trainer.weights
        self._trainer = None
        exhausted = not self._ledger.empty or self.timestep >= self._total - 1
        if self._iteration + 1 < self.settings.iterations and not exhausted:
            self._iteration += 1
            self._step = STAGES[0]
        else:
            self._done = True
        self._note()

    def _act(self, until: int, stop: Callable[[], bool]) -> bool:
        """The controller plays what is left of the timesteps."""
        if self.settings.last_stage != "controller":
            self._ledger.skip(until)
            return True
        assert self._weights is not None
        width, seed = self.settings.controller_envs, self._make.seed(1)
        block = acting_block(self._weights, width, seed, self._acted)
        began = time.perf_counter()
        for _, episodes in self._players().play([block], stop):
            self._ledger.enter([Entry(one.rewards, one.terminated) for one in episodes])
            self._acted += 1
            self._metrics["acting_return"] = float(np.mean([one.rewards.sum() for one in episodes]))
            self._count_seconds("acting", began)
            return True
        return False

    # -- what the stages are made into

    def _stood_on(self) -> Models:
        """The models that the controller acts with."""
        if self._models is None:
            results = self._standing
            self._models = Models(
                self.settings,
                results["encoder"],
                results["sequence"],
                results["latents"],
                self._action_space,
            )
        return self._models

    def _players(self) -> Company:
        if self._company is None:
            self._company = self._stood_on().company(self._make)
        return self._company

    def _forget_models(self) -> None:
        if self._company is not None:
            self._company.close()
        self._models = self._company = self._watching = None

    def _at_it(self) -> Trainer:
        """Who trains the controller of this iteration."""
        if self._trainer is not None:
            return self._trainer
        models, iteration = self._stood_on(), self._iteration
        key = (*self._entropy.spawn_key, 2, iteration)
        seeds = Seeds(
            np.random.SeedSequence(self._entropy.entropy, spawn_key=key),
            np.random.SeedSequence(self._make.seed(1), spawn_key=(0, iteration)),
        )
        if self.settings.controller_world == "environment":
            until = self._total * (iteration + 1) // self.settings.iterations
            self._trainer = InEnvironment(models, self._players(), seeds, until, say)
        else:
            steps = self._make.settings.steps_per_episode
            limit = steps if isinstance(steps, int) else self._registered_limit()
            self._trainer = InDream(
                models, seeds, limit=limit, gamma=self._gamma, device=self.device, say=say
            )
        if self._trainer_state is not None:
            self._trainer.load_state_dict(self._trainer_state)
            self._trainer_state = None
        return self._trainer

    def _registered_limit(self) -> int:
        problem = self._make(0)
        limit: int | None = problem.steps_per_episode
        problem.close()
        return _LIMIT if limit is None else limit

    def _controller(self) -> NDArray[np.float64] | None:
        """Weights of the controller as it is now; None: there is none yet."""
        if self._step == "controller" and not self._done:
            return self._at_it().weights
        return self._weights

    def _note(self) -> None:
        """Writes where everything is, and the controller, for who watches it."""
        content: dict[str, Any] = {"iteration": self._iteration, "metrics": self._metrics}
        content["results"] = keys_of(self._standing or self._results)
        if self._weights is not None:
            content["controller"] = self._weights.tolist()
        self._files.run.mkdir(parents=True, exist_ok=True)
        write(self._files.run / SUMMARY, json.dumps(content, indent=1).encode())

    # -- evaluation

    def begin_evaluation(self, rng: np.random.Generator) -> None:
        """See `agents.base.Driver`."""
        self._evaluation_rng = rng
        self._watching = None

    def act_many(
        self,
        observations: Sequence[Any],
        slots: Sequence[int],
        *,
        begun: Sequence[int],
        legal: NDArray[np.bool_] | None,
    ) -> Sequence[Any]:
        """See `agents.base.Driver`. A controller that is yet to come is one of zeros."""
        weights = self._controller()
        if weights is None:
            count, size = len(slots), self._untrained.code.size
            noise = self._untrained.gumbel(self._evaluation_rng, count)
            codes = self._untrained.codes(torch.zeros(count, size), noise)
            return list(self._untrained.actions(codes.numpy()))
        if self._watching is None:
            self._watching = Watching(self._stood_on(), max(slots) + 1)
        return self._watching.act(weights, observations, slots, begun, self._evaluation_rng)

    # -- leaving and coming back

    def state_dict(self) -> dict[str, Any]:
        """See `agents.base.Driver`."""
        trainer = self._trainer_state if self._trainer is None else self._trainer.state_dict()
        return {
            "ledger": self._ledger.state_dict(),
            "position": (self._iteration, self._step, self._done, self._acted),
            "results": keys_of(self._results),
            "standing": keys_of(self._standing),
            "metrics": dict(self._metrics),
            "weights": self._weights,
            "trainer": trainer,
            "seconds": dict(self._seconds),
            "found": list(self._found),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `agents.base.Driver`."""
        self._ledger.load_state_dict(state["ledger"])
        self._iteration, self._step, self._done, self._acted = state["position"]
        self._metrics, self._weights = dict(state["metrics"]), state["weights"]
        self._seconds, self._found = dict(state["seconds"]), list(state["found"])
        self._forget_models()
        self._trainer, self._trainer_state = None, state["trainer"]
        self._results = self._found_again(state["results"])
        self._standing = self._found_again(state["standing"])

    def _found_again(self, keys: Mapping[str, str]) -> dict[str, Result]:
        results = {stage: self._stages.found(key) for stage, key in keys.items()}
        gone = [key for stage, key in keys.items() if results[stage] is None]
        if gone:
            self._gone = str(self._files.shared / gone[0])
        return {stage: result for stage, result in results.items() if result is not None}

    def metrics(self) -> Mapping[str, float]:
        """Of the stages that are done, and of the controller as it is."""
        return {name: value for name, value in self._metrics.items() if np.isfinite(value)}

    def learned_params(self) -> Mapping[str, np.ndarray]:
        """Arrays "encoder.*", "sequence.*" and "controller", as far as there are any."""
        arrays = learned_arrays(self._results)
        weights = self._controller()
        return arrays if weights is None else arrays | {"controller": weights}

    def provenance(self) -> Mapping[str, Any]:
        """Seconds of each stage in this run, and of those that were found, when they were made."""
        made = {stage: result.seconds for stage, result in self._results.items()}
        return {
            "stages": keys_of(self._results),
            "stages_found": list(self._found),
            "seconds_to_make": made,
            "seconds_of_stages": {name: round(s, 2) for name, s in self._seconds.items()},
            "workers": self.settings.workers,
        }

    def _count_seconds(self, stage: str, began: float) -> None:
        spent = time.perf_counter() - began
        self._seconds[stage] = self._seconds.get(stage, 0.0) + spent

    def close(self) -> None:
        """See `agents.base.Driver`."""
        self._forget_models()
