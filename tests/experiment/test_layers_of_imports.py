"""Who may import whom, read off the syntax trees of the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweep_runs import ROOT

import agents

FOLDERS = ("agents", "envs", "experiment", "plotting", "clusters", "benchmarks")
#: Command lines among the agents' modules: nobody imports them.
COMMANDS = [
    ROOT / "agents" / "piiw" / "plan.py",
    ROOT / "agents" / "muzero" / "play.py",
    ROOT / "agents" / "iris" / "eval.py",
    ROOT / "agents" / "iris" / "play.py",
    *(
        ROOT / "agents" / "world_models" / f"{name}.py"
        for name in ("collect", "encode", "exchange", "play", "verify")
    ),
]
#: They run agent files, or write records, as commands do.
PARTS_OF_COMMANDS = [
    ROOT / "agents" / "collecting" / "trained.py",
    ROOT / "agents" / "muzero" / "episode.py",
    ROOT / "agents" / "world_models" / "collect_record.py",
]
#: Layers take their first weights from torch's generator; this one sees to its seed.
SEEDS = ROOT / "agents" / "first_weights.py"
FILES = sorted(
    [*ROOT.glob("*.py"), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))]
)
IDS = [str(file.relative_to(ROOT)) for file in FILES]


def in_folder(*folders: str) -> list[Path]:
    return [file for file in FILES if file.relative_to(ROOT).parts[0] in folders]


def imports(file: Path) -> Iterator[str]:
    """Dotted names of everything that a file imports, inside functions as well."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importing(files: list[Path], *packages: str) -> list[str]:
    """The imports, in these files, of these packages."""
    return [
        f"{file.relative_to(ROOT)}: {name}"
        for file in files
        for name in imports(file)
        if any(name == package or name.startswith(f"{package}.") for package in packages)
    ]


def test_agents_and_envs_do_not_know_the_machinery() -> None:
    commands = ("main", "schedule", "combine")
    commanding = [*COMMANDS, *PARTS_OF_COMMANDS]
    files = [file for file in in_folder("agents", "envs") if file not in commanding]
    assert importing(files, "experiment", "plotting", *commands) == []


def test_environments_do_not_know_agents() -> None:
    assert importing(in_folder("envs"), "agents") == []


def test_the_machinery_knows_no_plot() -> None:
    assert importing(in_folder("experiment"), "plotting") == []


def test_the_machinery_knows_no_particular_agent() -> None:
    known = importing(in_folder("experiment"), "agents")
    allowed = (
        "agents",
        "agents.base",
        "agents.AGENTS",
        "agents.settings_type",
        "agents.agent_type",
    )
    assert [
        line
        for line in known
        if not line.endswith(tuple(f": {name}" for name in allowed))
        and not line.partition(": ")[2].startswith(
            ("agents.base.", "agents.group.", "agents.progress.")
        )
    ] == []


def test_plots_do_not_know_agents() -> None:
    assert importing(in_folder("plotting"), "agents") == []


def test_commands_do_not_import_one_another() -> None:
    commands = [file.stem for file in ROOT.glob("*.py")]
    for file in COMMANDS:
        commands.append(".".join(file.relative_to(ROOT).with_suffix("").parts))
    assert importing(in_folder(*FOLDERS), *commands) == []


def _home(name: str) -> str:
    """The file or folder right below `agents` that a dotted name lies in."""
    return ".".join(name.split(".")[:2])


def test_no_agent_imports_the_internals_of_another() -> None:
    homes = {_home(path.partition(":")[0]) for pair in agents.AGENTS.values() for path in pair}
    assert "agents.linear" in homes
    for file in in_folder("agents"):
        own = _home(".".join(file.relative_to(ROOT).with_suffix("").parts))
        assert [name for name in imports(file) if _home(name) in homes - {own}] == [], file


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_no_module_has_a_name_of_the_standard_library(file: Path) -> None:
    # a script puts its own folder first on the path, where the name would hide the library's
    names = {file.stem} | set(file.relative_to(ROOT).parent.parts[:1])
    assert not names & sys.stdlib_module_names - {"__init__"}


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_no_global_random_state_is_used(file: Path) -> None:
    if file.relative_to(ROOT).parts[0] == "benchmarks" or file == SEEDS:
        return
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = [name for node in ast.walk(tree) if (name := _global_random(node)) is not None]
    assert found == []
    assert "random" not in {name.partition(".")[0] for name in imports(file)}


_GENERATORS = {"default_rng", "Generator", "SeedSequence", "PCG64", "BitGenerator", "Philox"}
_TORCH = {"manual_seed", "seed", "set_rng_state", "manual_seed_all"}


def _global_random(node: ast.AST) -> str | None:
    if not isinstance(node, ast.Attribute):
        return None
    owner = ast.unparse(node.value)
    if owner in ("np.random", "numpy.random") and node.attr not in _GENERATORS:
        return f"{owner}.{node.attr}"
    if owner in ("random", "torch", "torch.random", "torch.cuda") and node.attr in _TORCH:
        return f"{owner}.{node.attr}"
    return None


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "import experiment"],
        ["-c", "import agents"],
        ["-c", "import envs"],
        ["-c", "import experiment.configuration, experiment.manifest"],
        *(
            [str(ROOT / name), "--help"]
            for name in ("main.py", "combine.py", "schedule.py")
            if (ROOT / name).exists()
        ),
    ],
    ids=lambda arguments: " ".join(arguments).removeprefix(f"{ROOT}/"),
)
def test_torch_is_not_imported_without_need(arguments: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    packages = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert not packages & {"torch", "matplotlib"}


def test_a_cluster_file_is_read_in_no_time() -> None:
    program = "import sys, experiment.scheduling.cluster; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    packages = {name.partition(".")[0] for name in done.stdout.split()}
    assert not packages & {"numpy", "torch", "submitit", "agents", "envs", "click", "pandas"}


def test_linear_agents_need_no_torch() -> None:
    program = (
        "import sys, agents;"
        "[agents.agent_type(name) for name in ('linearAC', 'ESarsa', 'random')];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
