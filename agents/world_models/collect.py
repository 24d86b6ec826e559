"""Collect rollouts. See `python -m agents.world_models.collect --help`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from experiment import processor
from experiment.looking import refusals

if TYPE_CHECKING:
    from agents.collecting.collection import Collection
    from agents.rollouts.folder import RolloutFolder
    from experiment.configuration import Experiment

processor.settle()
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

HELP = """Collect N rollouts of a policy in an environment, into checked shards in a folder.

Run it again, as often as you like and as many at once: what is there is kept, what others have in
hand is left to them, and in the end there are N. Rollout 7 is the same rollout whoever collects it.

\b
POLICY  random          uniform, anew each step
        held            uniform, kept for 10 steps on average
        brownian        a random walk within the bounds
        perlin          smooth noise
        random_network  a recurrent network of random weights, others in each rollout
        FILE            an agent file: an agent of this project, as it acts in evaluation,
                        with what it has learned in --weights (main.py --record learned_params);
                        or randomPolicy, which is the above with hyperparameters

Of an agent file whose lists span G settings, and with --parts K, the index is the job:

\b
    setting = index mod G    which policy; with G > 1 it gets a folder of its own, OUT/setting-S
    part    = index div G    of K parts, this one: rollouts from part * N / K on

With --agent-json and --index (or --indices) it is a program as schedule.py starts it, and takes
main.py's options: each index also writes a run record into the results folder, with the returns of
its rollouts as training episodes.

\b
Exit codes: 0 done, 1 something could not be written or process after process died, 2 the input
cannot be used, 3 another process runs this index, 75 interrupted: run it again.
"""
_FILE = click.Path(path_type=Path, dir_okay=False)
_NUMBER = click.IntRange(min=0, max=2**63 - 1)


class Job(NamedTuple):
    """What to collect.

    Attributes:
        agent_file: of the policy; None: it is named.
        policy: its name, where there is no file.
    """

    env_json: Path
    agent_file: Path | None
    policy: str
    rollouts: int
    max_steps: int | None
    parts: int
    workers: int
    out: Path
    weights: Path | None
    random_share: float
    seed_offset: int


@click.command(help=HELP, context_settings={"max_content_width": 100})
@click.option("--env-json", type=_FILE, required=True, help="Environment file.")
@click.option("--policy", help="Who acts: see above.  [default: random]")
@click.option("--agent-json", type=_FILE, help="The same, as an agent file.")
@click.option("--rollouts", type=click.IntRange(min=1), required=True, metavar="N", help="In all.")
@click.option("--max-steps", type=click.IntRange(min=1), help="Steps after which one is cut.")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Processes that play; 0: this one.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of rollouts.")
@click.option(
    "--parts",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Into how many the rollouts are divided.",
)
@click.option("--index", type=_NUMBER, help="Only this part.")
@click.option("--indices", help="Several, one after another, as in 0-35,72.")
@click.option("--weights", type=_FILE, help="What the agent has learned, as .npz.")
@click.option(
    "--random-share",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="P",
    help="Chance, each step, of a uniform action instead.",
)
@click.option("--seed-offset", type=_NUMBER, default=0, help="Other rollouts.")
@click.option("--device", default="cpu", help="cpu.")
@click.option(
    "--save-dir", type=click.Path(path_type=Path), help="Folder of records under results/."
)
@click.option("--shard", is_flag=True, help="Append records to one file a process.")
@click.option("--batch", hidden=True, help="One index after another, whatever it says.")
@click.option("--checkpoint-minutes", hidden=True, type=float)
def main(
    env_json: Path,
    policy: str | None,
    agent_json: Path | None,
    rollouts: int,
    max_steps: int | None,
    workers: int,
    out: Path,
    parts: int,
    index: int | None,
    indices: str | None,
    weights: Path | None,
    random_share: float,
    seed_offset: int,
    device: str,
    save_dir: Path | None,
    shard: bool,
    batch: str | None,
    checkpoint_minutes: float | None,
) -> None:
    if policy is not None and agent_json is not None:
        raise click.UsageError("--policy and --agent-json exclude one another.")
    if index is not None and indices is not None:
        raise click.UsageError("--index and --indices exclude one another.")
    if device != "cpu":
        raise click.UsageError(f"--device: rollouts are collected on the CPU, not on {device}.")
    if policy is not None and policy.endswith(".json"):
        agent_json, policy = Path(policy), None
    job = Job(
        env_json,
        agent_json,
        policy or "random",
        rollouts,
        max_steps,
        parts,
        workers,
        out,
        weights,
        random_share,
        seed_offset,
    )
    with _failures(), refusals(env_json):
        sys.exit(_collect_all(job, index, indices, save_dir, shard=shard))


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Ends the command where the input is not to blame."""
    from agents.base import WorkerLost

    try:
        yield
    except WorkerLost as lost:
        click.echo(f"error: {lost}; run it again to go on", err=True)
        sys.exit(1)


def _collect_all(
    job: Job, index: int | None, indices: str | None, save_dir: Path | None, *, shard: bool
) -> int:
    from experiment.errors import Locked, StorageError
    from experiment.selection import parse_indices
    from experiment.signals import EXIT_SAVED, on_stop_signal

    experiment = _experiment(job)
    ranges = [] if index is None else [range(index, index + 1)]
    ranges += parse_indices(indices) if indices is not None else []
    chosen: list[int | None] = [one for several in ranges for one in several] or [None]
    asked_to_stop: list[bool] = []
    code = 0
    with on_stop_signal(lambda: asked_to_stop.append(True)):
        recorder = None
        if experiment is not None and chosen != [None]:
            from agents.world_models.collect_record import Recorder

            for one in chosen:
                _part(job, one, experiment.grid.size)
            recorder = Recorder(experiment, save_dir, job.seed_offset, shard=shard)
        for one in chosen:
            try:
                complete = _collect_one(job, experiment, one, recorder, asked_to_stop)
            except Locked as locked:
                click.echo(f"error: {locked}", err=True)
                code = locked.exit_code
                continue
            except (StorageError, OSError) as error:
                click.echo(f"error: {error}", err=True)
                return 1
            if not complete:
                click.echo("left before all was collected; run it again to go on", err=True)
                return EXIT_SAVED
    return code


def _experiment(job: Job) -> Experiment | None:
    """The agent file in its environment, where there is one."""
    if job.agent_file is None:
        return None
    from experiment.configuration import read_experiment

    return read_experiment(job.env_json, job.agent_file)


def _part(job: Job, index: int | None, settings: int) -> tuple[int, Sequence[int]]:
    """(setting, numbers of the rollouts) of an index; None: all of the first setting."""
    from experiment.errors import ConfigError

    if index is None:
        return 0, range(job.rollouts)
    part, setting = divmod(index, settings)
    if part >= job.parts:
        raise ConfigError(
            f"index {index} is part {part}, but with --parts {job.parts} the last is "
            f"{job.parts - 1}"
        )
    first, end = (k * job.rollouts // job.parts for k in (part, part + 1))
    if first == end:
        raise ConfigError(f"part {part} of {job.parts} is empty: there are {job.rollouts} rollouts")
    return setting, range(first, end)


def _collect_one(
    job: Job,
    experiment: Experiment | None,
    index: int | None,
    recorder: Any,
    asked_to_stop: list[bool],
) -> bool:
    """Collects what an index means; False: it was asked to stop before."""
    settings = 1 if experiment is None else experiment.grid.size
    setting, numbers = _part(job, index, settings)
    folder, repeat = _open(job, experiment, setting, settings)
    with contextlib.ExitStack() as stack:
        run = None
        if recorder is not None:
            run = recorder.run(index)
            stack.enter_context(recorder.at_work(run))
        collected = _play(job, folder, index, numbers, repeat, asked_to_stop)
        if not collected.complete:
            return False
        if run is not None and not recorder.has(run):
            path = recorder.write(run, folder, numbers, collected, repeat)
            click.echo(f"index {index}: finished: {path}")
    missing = len(folder.missing())
    if missing:
        click.echo(f"{folder.path}: {missing:,} of {job.rollouts:,} rollouts are missing yet")
        return True
    manifest = folder.finalize()
    click.echo(
        f"{folder.path}: {manifest['rollouts']:,} rollouts, {manifest['steps']:,} steps in "
        f"{len(manifest['shards'])} shards"
    )
    return True


def _open(
    job: Job, experiment: Experiment | None, setting: int, settings: int
) -> tuple[RolloutFolder, int]:
    """The folder of rollouts, made if need be, and the frames of a step."""
    import envs
    from agents.collecting.policies import describe_policy, make_policy
    from agents.rollouts.folder import RolloutFolder
    from agents.rollouts.spec import FolderSpec
    from experiment.configuration import check_environment
    from experiment.files import read_json_object

    content = read_json_object(job.env_json)
    environment_settings = check_environment(content, str(job.env_json))
    name, hyperparameters = job.policy, None
    if experiment is not None:
        name, hyperparameters = experiment.agent_name, experiment.grid.setting(setting)
    policy = describe_policy(
        name, hyperparameters, weights=job.weights, random_share=job.random_share
    )
    environment = envs.make(environment_settings)
    # refuses what cannot work before the folder exists
    make_policy(policy, environment_settings, environment)
    repeat = int(getattr(environment.unwrapped, "action_repeat", 1))
    out = job.out if settings == 1 else job.out / f"setting-{setting}"
    spec = FolderSpec(
        environment=content,
        observation_space=environment.observation_space,
        action_space=environment.action_space,
        policy=policy,
        rollouts=job.rollouts,
        max_steps=job.max_steps,
        seed=job.seed_offset,
    )
    environment.close()
    return RolloutFolder.create(out, spec), repeat


def _play(
    job: Job,
    folder: RolloutFolder,
    index: int | None,
    numbers: Sequence[int],
    repeat: int,
    asked_to_stop: list[bool],
) -> Collection:
    from agents.collecting.collection import collect
    from agents.collecting.progress import Progress

    folder.clear_leftovers()
    label = "collect" if index is None else f"index {index}"
    with Progress(label, repeat) as progress:
        collected = collect(
            folder.spec,
            folder,
            workers=job.workers,
            numbers=numbers,
            progress=progress,
            stop=lambda: bool(asked_to_stop),
        )
        if collected.rollouts:
            progress.say(
                f"{collected.rollouts:,} rollouts, {collected.steps * repeat:,} frames in "
                f"{collected.seconds:.1f} s, "
                f"{collected.steps * repeat / max(collected.seconds, 1e-9):,.0f} frames/s"
            )
    return collected


if __name__ == "__main__":
    main()
