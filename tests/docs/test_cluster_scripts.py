"""The scripts and recipes in clusters/ do what they say, as far as that shows without a cluster."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
CLUSTERS = ROOT / "clusters"
SCRIPTS = sorted(CLUSTERS.rglob("*.sh"))
EXECUTED = [path for path in SCRIPTS if path.read_text().startswith("#!")]
ACTIVATE = "clusters/alliance/activate.sh"


def bash(command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a job does with a line, Python being the one of the tests."""
    kept = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(cwd)}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def write_wheel(folder: Path, name: str, version: str, answer: str) -> None:
    """A package of one module, which says the answer."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"ANSWER = {answer!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, content in (files | {f"{info}/RECORD": record}).items():
            wheel.writestr(path, content)


# -- shell scripts


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_bash_can_read_it(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)


def test_what_is_executed_can_be_and_stops_at_the_first_error() -> None:
    assert {path.name for path in EXECUTED} == {"install.sh", "interactive_gpu.sh"}
    for script in EXECUTED:
        assert os.access(script, os.X_OK)
        assert "\nset -euo pipefail\n" in script.read_text()


@pytest.mark.parametrize("script", EXECUTED, ids=lambda path: path.name)
def test_without_arguments_it_says_how_it_is_used(script: Path, tmp_path: Path) -> None:
    done = bash(str(script), tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


# -- the Alliance's wheels


def test_a_job_gets_its_packages_from_the_wheels(tmp_path: Path) -> None:
    wheels = tmp_path / "project" / "wheels"
    wheels.parent.mkdir()
    write_wheel(wheels, "trivial", "1.0", "old")
    write_wheel(wheels, "trivial", "1.1", "new")
    (wheels / "requirements.txt").write_text("trivial==1.0\n")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = bash(
        f"source {ROOT / ACTIVATE} || exit; "
        "python -c 'import sys, trivial; print(sys.prefix, trivial.ANSWER)'",
        tmp_path,
        SLURM_TMPDIR=str(disk),
        PROJECT=str(wheels.parent),
    )
    assert done.stdout.split() == [str(disk / "env"), "old"], done.stderr


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({}, "SLURM_TMPDIR is not set"),
        ({"SLURM_TMPDIR": "."}, "no wheels in nowhere; run clusters/alliance/install.sh"),
    ],
)
def test_a_job_without_wheels_ends_and_says_why(
    tmp_path: Path, variables: dict[str, str], complaint: str
) -> None:
    done = bash(
        f"source {ROOT / ACTIVATE} || exit; echo went on",
        tmp_path,
        SWEEP_WHEELS="nowhere",
        **variables,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr


def test_install_collects_what_activate_installs(tmp_path: Path) -> None:
    """On a login node with modules and wheels of the site."""
    shutil.copytree(CLUSTERS / "alliance", tmp_path / "clusters" / "alliance")
    write_wheel(tmp_path / "site", "trivial", "1.0", "of the site")
    (tmp_path / "requirements.txt").write_text("trivial>=1\n")
    cluster = {"modules": ["a/1", "b"], "environment": {"SWEEP_WHEELS": str(tmp_path / "wheels")}}
    (tmp_path / "cluster.json").write_text(json.dumps(cluster))
    module = 'module() { echo "$@" >>modules; }; export -f module; '
    done = bash(
        f"{module} clusters/alliance/install.sh cluster.json",
        tmp_path,
        PIP_FIND_LINKS=str(tmp_path / "site"),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "modules").read_text() == "load a/1\nload b\n"
    assert (tmp_path / "wheels" / "requirements.txt").read_text() == "trivial==1.0\n"
    assert [path.name for path in (tmp_path / "wheels").glob("*.whl")] == [
        "trivial-1.0-py3-none-any.whl"
    ]
    says = "import trivial; print(trivial.ANSWER)"
    assert bash(f'.venv/bin/python -c "{says}"', tmp_path).stdout == "of the site\n"
    shutil.rmtree(tmp_path / "site")
    done = bash(
        f'source {ACTIVATE} || exit; python -c "{says}"',
        tmp_path,
        SLURM_TMPDIR=str(tmp_path),
        SWEEP_WHEELS=str(tmp_path / "wheels"),
    )
    assert done.stdout == "of the site\n", done.stderr


@pytest.mark.parametrize("name", ["cedar", "narval", "narval_gpu"])
def test_the_jobs_of_the_alliance_use_it(name: str) -> None:
    cluster = json.loads((CLUSTERS / f"{name}.json").read_text())
    assert cluster["setup"] == [f"source {ACTIVATE} || exit"]
    assert cluster["python"] == "python"
    (python,) = (module for module in cluster["modules"] if module.startswith("python/"))
    assert python_fits(python.removeprefix("python/"))


# -- a shell with a GPU


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ("def-me", "--account=def-me --time=1:00:00 --gpus-per-node=1"),
        ("'' 30", "--time=30 --gpus-per-node=1"),
        ("def-me 2:00:00 a100:1 --qos=x", "--account=def-me --time=2:00:00 --gpus-per-node=a100:1"),
    ],
)
def test_interactive_gpu_asks_for_a_shell(tmp_path: Path, arguments: str, asked: str) -> None:
    srun = tmp_path / "srun"
    srun.write_text('#!/bin/sh\necho "$@"\n')
    srun.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = bash(f"{CLUSTERS / 'interactive_gpu.sh'} {arguments}", tmp_path, PATH=path)
    others = " --qos=x" if "--qos" in arguments else ""
    assert done.stdout == (
        f"{asked} --nodes=1 --ntasks=1 --cpus-per-task=4 --mem-per-cpu=4000M{others} "
        "--pty bash -l\n"
    )


# -- containers


def python_fits(version: str) -> bool:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return version in SpecifierSet(tomllib.load(file)["project"]["requires-python"])


def test_the_dockerfile_copies_what_is_there_and_all_that_runs() -> None:
    text = (CLUSTERS / "Dockerfile").read_text()
    (python,) = re.findall(r"^ARG PYTHON=(\S+)$", text, re.MULTILINE)
    assert python_fits(python)
    copied = set()
    for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            assert (ROOT / source).is_dir() == (source == target), line
            assert (ROOT / source).exists(), line
            copied.add(source)
    imported = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    programs = {path.name for path in ROOT.glob("*.py")}
    assert imported | programs | {"config", "clusters", "requirements.txt"} <= copied


def test_the_apptainer_definition_copies_what_is_there() -> None:
    text = (CLUSTERS / "apptainer.def").read_text()
    header, *parts = re.split(r"^%(\w+)$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    (python,) = re.findall(r"^From: python:(\S+)-slim$", header, re.MULTILINE)
    assert python_fits(python)
    assert set(sections) == {"files", "post", "environment", "test", "help"}
    for line in sections["files"].split("\n"):
        if line:
            source, target = line.split()
            assert (ROOT / source).is_file(), line
            assert target in sections["post"]
    for name in ("post", "environment", "test"):
        subprocess.run(["sh", "-n"], input=sections[name], text=True, check=True)
