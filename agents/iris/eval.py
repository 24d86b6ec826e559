"""Evaluate a run of IRIS. See `python -m agents.iris.eval --help`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from experiment import processor
from experiment.looking import refusals

processor.settle()

HELP = """Evaluate what a run of IRIS has learned in many episodes, of the tokenizer and the
actor-critic alone.

RUN is the folder that the run keeps its files in, files/SETTING-SEED below a results folder, or a
results folder with one run; also before the run is over, once it has saved its networks. The latest
episodes, and the best, are put into episodes/test there.

\b
Exit codes: 0 done, 2 the input cannot be used.
"""
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(help=HELP, context_settings={"max_content_width": 100})
@click.argument("run", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--episodes", type=click.IntRange(min=1), default=100, show_default=True)
@click.option(
    "--envs", type=click.IntRange(min=1), default=25, show_default=True, help="Side by side."
)
@click.option("--temperature", type=click.FloatRange(min=0.001), help="Of the policy.")
@click.option("--greedy", is_flag=True, help="The likeliest action, none is drawn.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the first episode.")
@click.option("--networks", "file", type=_FILE, help="Another file than the run's own.")
@click.option("-o", "--output", type=_FILE, help="Write the returns as JSON, too.")
def main(
    run: Path,
    episodes: int,
    envs: int,
    temperature: float | None,
    greedy: bool,
    seed: int,
    file: Path | None,
    output: Path | None,
) -> None:
    with refusals(run):
        import numpy as np

        from agents.iris.collecting import Manner
        from agents.iris.episode_files import Album, write_whole
        from agents.iris.judging import judge
        from agents.iris.opened import SETS, open_run

        opened = open_run(run)
        settings = opened.settings
        if temperature is None:
            temperature = settings.evaluation_temperature
        manner = Manner(
            settings.evaluation_epsilon,
            settings.evaluation_should_sample and not greedy,
            temperature,
        )
        problem = opened.problem()
        networks = opened.networks(problem, file)
        problem.close()
        album = Album(opened.path / SETS["test"], settings.num_episodes_to_save)
        returns, lengths = np.zeros(episodes), np.zeros(episodes, np.int64)
        played = judge(networks, opened.problem, manner, episodes, envs, seed)
        for done, judged in enumerate(played):
            returns[judged.number] = judged.total
            lengths[judged.number] = len(judged.episode["actions"])
            if "frames" in judged.episode:
                album.add(done, judged.episode)
        error = returns.std(ddof=1) / np.sqrt(episodes) if episodes > 1 else float("nan")
        click.echo(
            f"{episodes} episodes: return {returns.mean():.4g} ± {error:.2g} (standard error), "
            f"from {returns.min():g} to {returns.max():g}; {lengths.mean():.4g} steps"
        )
        if output is not None:
            content = {"returns": returns.tolist(), "steps": lengths.tolist(), "seed": seed}
            write_whole(output, json.dumps(content).encode())


if __name__ == "__main__":
    main()
