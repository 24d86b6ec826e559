"""What the pages say is so: links lead somewhere, examples are valid, commands run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import agents
from experiment.agent_file import build_grid

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "clusters" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text()
    return [body for kind, body in BLOCK.findall(text) if kind == language]


def commands(page: Path) -> list[str]:
    """What indented lines run with Python, in the background or not, also by way of another."""
    return [
        re.split(r"  #| > | &$", line[line.index("python ") :])[0].strip()
        for line in page.read_text().splitlines()
        if re.match(r" {4,}(python |(docker run|nohup) .*\bpython )", line)
    ]


def slug(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith("http"):
            path, _, anchor = target.partition("#")
            there = page.parent / path if path else page
            assert there.exists(), target
            if anchor:
                headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
                assert anchor in map(slug, headings), target


@pytest.mark.parametrize("page", ["README.md", "docs/configuration.md"])
def test_agent_files_on_the_pages_are_valid(page: str) -> None:
    for text in blocks(page, "json"):
        content = json.loads(text)
        build_grid(content, agents.settings_type(content["agent_name"]), page)


def test_the_index_table_of_the_readme_is_true() -> None:
    (text,) = blocks("README.md", "json")
    content = json.loads(text)
    grid = build_grid(content, agents.settings_type("linearAC"), "README.md")
    assert grid.size == 36
    rows = re.findall(r"^\| (\d+) \|(.*)\|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert rows
    for index, rest in rows:
        setting, run, *values = (float(cell) for cell in rest.split("|"))
        assert grid.split(int(index)) == (setting, run)
        resolved = grid.setting(int(setting))
        assert [resolved[n] for n in ("critic_lr", "actor_lr", "avg_reward_lr")] == values


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_name_programs_that_exist(page: Path) -> None:
    for command in commands(page):
        program = shlex.split(command)[1]
        if program != "-m":
            assert (ROOT / program).exists(), command


#: One process for all pages; how each ends, and how many settings it says.
DRY_RUNS = """
import contextlib, io, json, sys
import main
ends = {}
for page, lines in json.load(sys.stdin).items():
    ends[page] = ["", 0]
    for words in lines:
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                main.main([*words, "--dry-run"])
        except SystemExit as end:
            if end.code:
                ends[page][0] += f"main.py {' '.join(words)}: {end.code}: {said.getvalue()}"
        ends[page][1] += said.getvalue().count('"setting_id"')
print(json.dumps(ends))
"""


def main_commands(page: Path) -> list[list[str]]:
    words = [shlex.split(command)[1:] for command in commands(page)]
    return [line[1:] for line in words if line[0] == "main.py" and "--env-json" in line]


@pytest.fixture(scope="module")
def ends() -> dict[str, tuple[str, int]]:
    """Of each page: what was refused, and how many settings its commands say."""
    done = subprocess.run(
        [sys.executable, "-c", DRY_RUNS],
        input=json.dumps({page_name(page): main_commands(page) for page in PAGES}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, tuple[str, int]] = json.loads(done.stdout)
    return found


@pytest.mark.xdist_group("commands on pages")
@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_main_commands_are_accepted(page: Path, ends: dict[str, tuple[str, int]]) -> None:
    refused, settings = ends[page_name(page)]
    assert refused == ""
    assert settings >= len(main_commands(page))


@pytest.fixture
def copy_of_the_project(tmp_path: Path) -> Path:
    for folder in ("agents", "envs", "experiment", "config"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "main.py", tmp_path)
    return tmp_path


def add_line(file: Path, after: str, line: str) -> None:
    text = file.read_text()
    assert text.count(after) == 1
    file.write_text(text.replace(after, after + line))


def test_extending_as_the_page_says(copy_of_the_project: Path) -> None:
    project = copy_of_the_project
    agent_module, agent_line, planner_module, environment_module, environment_line = blocks(
        "docs/extending.md", "python"
    )
    agent_file, environment_file = blocks("docs/extending.md", "json")
    (project / "agents/hill_climbing.py").write_text(agent_module)
    registry = "AGENTS: dict[str, tuple[str, str]] = {\n"
    add_line(project / "agents/__init__.py", registry, agent_line)
    (project / "config/agent/hillClimbing.json").write_text(agent_file)
    (project / "agents/looks_ahead.py").write_text(planner_module)
    planner = "agents.looks_ahead:LooksAhead"
    planner_line = f'    "looksAhead": ("{planner}Settings", "{planner}"),\n'
    add_line(project / "agents/__init__.py", registry, planner_line)
    planner_file = json.dumps({"agent_name": "looksAhead", "parameters": {}})
    (project / "config/agent/looksAhead.json").write_text(planner_file)
    (project / "envs/own/corridor.py").write_text(environment_module)
    registry = "OWN_ENVIRONMENTS: dict[str, tuple[str, int | None]] = {\n"
    add_line(project / "envs/registration.py", registry, environment_line)
    (project / "config/environment/Corridor-v1.json").write_text(environment_file)

    def run(*arguments: str) -> str:
        command = [sys.executable, "main.py", *arguments]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "standard deviation of a perturbation" in run("--agent-help", "hillClimbing")
    agent = ["--agent-json", "config/agent/hillClimbing.json"]
    pendulum = json.loads((project / "config/environment/PendulumContinuous-v1.json").read_text())
    short = project / "short.json"
    short.write_text(json.dumps(pendulum | {"total_timesteps": 3000, "eval_episodes": 1}))
    run("--env-json", str(short), *agent, "--runs", "1")
    assert len(list(project.glob("results/*hillClimbing/*_data_*.json"))) == 3
    run("--env-json", str(short), "--agent-json", "config/agent/looksAhead.json", "--index", "0")
    (record,) = project.glob("results/*looksAhead/*_data_0.json")
    (setting,) = json.loads(record.read_text())["experiment_data"].values()
    # hanging pays -1 a step; a step of looking ahead is enough to swing
    assert setting["runs"][0]["eval_episode_rewards"][-1][0] > -500
    corridor = ["--env-json", "config/environment/Corridor-v1.json"]
    run(*corridor, "--agent-json", "config/agent/ESarsa.json", "--index", "5")
    (record,) = project.glob("results/sweep-Corridor-v1_ESarsa/*_data_5.json")
    (setting,) = json.loads(record.read_text())["experiment_data"].values()
    assert setting["runs"][0]["eval_episode_rewards"][-1] == [-8.0] * 10
