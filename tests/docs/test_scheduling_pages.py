"""What the pages on sweeps say is so: commands, cluster files, messages, numbers of files."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from test_documentation import BLOCK, PAGES, commands, page_name

import schedule
from experiment.scheduling.cluster import Cluster, check_cluster

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "scheduling.md"
COMMANDS = sorted(
    {command for page in PAGES for command in commands(page) if " schedule.py " in command}
)
#: Nothing is queued, there are no limits, and nobody keeps accounts.
ANSWERS = {
    "squeue": "true",
    "scontrol": "echo 'MaxArraySize = 1001'",
    "sacct": "exit 1",
    "sacctmgr": "exit 1",
    "qstat": "true",
    "bjobs": "echo '{\"RECORDS\": []}'",
    "bhist": "true",
    "busers": "echo 'USER/GROUP MPJOBS'; echo 'me -'",
}


@pytest.fixture
def path_of_schedulers(tmp_path: Path) -> str:
    """A PATH on which the commands of every scheduler are."""
    for name, line in ANSWERS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


def run(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "schedule.py", *arguments],
        cwd=ROOT,
        env=os.environ | ({"PATH": path} if path else {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_there_are_commands_for_every_scheduler() -> None:
    files = {shlex.split(command)[2] for command in COMMANDS}
    schedulers = {json.loads((ROOT / file).read_text())["scheduler"] for file in files}
    assert schedulers == {"slurm", "pbs", "lsf", "local"}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_is_accepted(command: str, path_of_schedulers: str) -> None:
    """As it is by the command line, and with --dry-run instead of what it does by all the rest."""
    _, _, *arguments = shlex.split(command)
    schedule.main.make_context("schedule.py", list(arguments))
    asking = re.compile(r" --(status|logs \d+|cancel|wait)\b")
    dry = shlex.split(asking.sub("", shlex.join(arguments)))
    done = run(*dry, "--dry-run", path=path_of_schedulers)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_cluster_files_on_the_page_are_valid(page: Path) -> None:
    for language, text in BLOCK.findall(page.read_text()):
        if language == "json" and "scheduler" in (content := json.loads(text)):
            assert isinstance(check_cluster(content, page.name), Cluster)


def options_of(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name[:2] == "--"}


def test_every_option_is_on_the_page_and_no_other() -> None:
    """Those of the program; a few are of other programs."""
    page = set(re.findall(r"--[a-z][a-z-]+", PAGE.read_text())) - {"--start"}
    assert page == options_of(schedule.main) - {"--seed-offset"}


def test_every_exit_code_is_on_the_page() -> None:
    (codes,) = re.findall(r"^\| exit code .*\n\|[-|]*\n((?:\|.*\n)*)", PAGE.read_text(), re.M)
    assert re.findall(r"^\| (\d+) ", codes, re.M) == re.findall(r"(?<= )(\d+) [a-z]", EXIT_CODES)


EXIT_CODES = re.split(r"Exit codes:", schedule.HELP)[1].replace("\n", " ")


def test_symptoms_are_what_the_program_says() -> None:
    """The words of the first column, but for what comes from a scheduler or a system."""
    sources = [*(ROOT / "experiment" / "scheduling").rglob("*.py"), ROOT / "schedule.py"]
    # as one text, in which a sentence goes on where a string does
    text = re.sub(r'"\s*f?"', "", "\n".join(path.read_text() for path in sources))
    table = PAGE.read_text().partition("## When it is stuck")[2]
    said = {
        re.sub(r"wait: \w+", "wait: ", words)
        for row in re.findall(r"^\| (.*?) \|", table, re.M)[2:]
        for words in re.findall(r"`([^`]+)`", row)
    }
    states = {"failed", "missing", "running", "done", "cancelled"}
    said -= {*states, "QOSMaxCpuPerUserLimit", "No space left on device", "Disk quota exceeded"}
    said -= {"sbatch refused:", "qsub refused:", "bsub refused:"}
    assert "refused: " in text
    said.remove("killed by signal 9")
    assert '" by signal {' in text
    assert len(said) >= 7
    for words in said:
        assert words in text


SHORT = {"env_name": "sweep/PendulumContinuing-v1", "total_timesteps": 200, "eval_episodes": 0}


def number_of_files(folder: Path) -> int:
    """Without the differences of code that is being worked at."""
    return sum(not path.is_dir() and path.suffix != ".diff" for path in folder.rglob("*"))


def test_a_sweep_makes_as_many_files_as_the_page_says(tmp_path: Path) -> None:
    """Here; tests/slurm counts those of Slurm, tests/scheduling those of PBS and LSF."""
    (tmp_path / "environment.json").write_text(json.dumps(SHORT | {"gamma": 1.0}))
    (tmp_path / "agent.json").write_text('{"agent_name": "random"}')
    done = run(
        *("clusters/local.json", "main.py", ".", f"{tmp_path}/environment.json"),
        *(f"{tmp_path}/results", f"{tmp_path}/agent.json", "--runs", "3", "--yes"),
    )
    assert done.returncode == 0, done.stderr
    runs, jobs = 3, 1
    (folder,) = (tmp_path / "results").iterdir()
    assert number_of_files(folder) == runs + 2 * jobs + 3 + 1
    subprocess.run([sys.executable, "combine.py", folder], cwd=ROOT, check=True)
    assert number_of_files(folder) == runs + 2 * jobs + 3 + 1 + 2


def test_the_example_counts_right() -> None:
    runs, jobs = 3600, 75
    assert jobs == runs / (8 * 6)
    text = PAGE.read_text()
    assert f"{runs} + {5 * jobs} + 6 + 1 = {runs + 5 * jobs + 6 + 1} files" in text
    assert "some 21,600" in text and round(runs + 5 * runs + 4 + 2 * 4 + 1, -2) == 21_600
