"""What all commands that draw do alike: how they start, what they write, what they refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import Draw, refusal
from learning_curve_data import write_tree
from sensitivity_data import grid, sweep

PLOTTING = Path(__file__).resolve().parents[2] / "plotting"
SECOND_TABLE = {"learning_curve": "seeds", "sensitivity": "settings"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    settings = grid({"lr": [0.01, 0.1, 1.0], "decay": [0.5, 0.9]})
    return write_tree(tmp_path, sweep(settings, lambda p, run: p["lr"] + p["decay"] * run, 3))


# How they start


@pytest.mark.parametrize(
    "name",
    [
        *SECOND_TABLE,
        *("choose", "individual_runs", "heat_map", "distribution", "parallel_coordinates"),
        *("importance", "wall_clock", "performance_profile", "losses"),
    ],
)
def test_help_needs_neither_numpy_nor_matplotlib(name: str) -> None:
    program = (
        "import sys; sys.argv = ['x', '--help']; import runpy\n"
        f"try: runpy.run_path({str(PLOTTING / name)!r} + '.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert not {'numpy', 'matplotlib', 'msgspec'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "DATA" in result.stdout


@pytest.mark.parametrize(("name", "table"), SECOND_TABLE.items())
def test_they_run_as_scripts_from_any_folder(data: Path, name: str, table: str) -> None:
    command = [sys.executable, str(PLOTTING / f"{name}.py"), ".", "-o", "f.svg"]
    result = subprocess.run(command, cwd=data.parent, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"wrote f.svg, f.csv, f_{table}.csv\n"
    assert result.stderr == ""


# What they write


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        *(("learning_curve", suffix) for suffix in ("pdf", "png", "svg")),
        ("sensitivity", "svg"),
    ],
)
def test_the_same_input_gives_the_same_bytes(data: Path, name: str, suffix: str) -> None:
    written = []
    for folder, hash_seed in (("first", "1"), ("second", "2")):
        script = str(PLOTTING / f"{name}.py")
        command = [sys.executable, script, ".", "-o", f"{folder}/figure.{suffix}"]
        environment = {"PYTHONHASHSEED": hash_seed, "HOME": str(data.parent), "TZ": folder}
        environment["MPLCONFIGDIR"] = str(data.parent / "mpl")
        subprocess.run(command, check=True, cwd=data.parent, env=environment)
        written.append([path.read_bytes() for path in sorted((data.parent / folder).iterdir())])
    assert len(written[0]) == 3
    assert written[0] == written[1]


# What they refuse: one sentence on stderr, exit code 2, nothing written


def test_they_refuse_a_file_that_does_not_exist(draw_anything: Draw) -> None:
    assert refusal(draw_anything("nowhere/data.json")).startswith(
        "nowhere/data.json does not exist: give a"
    )


def test_they_refuse_a_folder_without_data(draw_anything: Draw, tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    assert refusal(draw_anything("sweep")) == (
        "sweep holds no data.json: make it with 'python combine.py sweep'"
    )


def test_they_refuse_an_unknown_metric_and_name_the_nearest(
    draw_anything: Draw, data: Path
) -> None:
    sentence = refusal(draw_anything(data, "--metric", "eval-men"))
    assert sentence.startswith("there is no metric 'eval-men': did you mean eval-mean?")


def test_they_refuse_the_same_experiment_twice(draw_anything: Draw, data: Path) -> None:
    assert refusal(draw_anything(".", "data.json")) == "data.json is given twice: give it once"


@pytest.mark.parametrize(
    ("output", "nearest"), [("figure.jpg", "figure.pdf"), ("figure.PNG", "figure.png")]
)
def test_they_refuse_another_kind_of_output(
    draw_anything: Draw, data: Path, output: str, nearest: str
) -> None:
    assert refusal(draw_anything(data, "-o", output)) == (
        f"{output} does not end in .pdf, .png or .svg: try {nearest}"
    )


def test_they_refuse_an_output_that_cannot_be_written(
    draw_anything: Draw, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    assert "taken" in refusal(draw_anything(data, "-o", "taken/figure.svg"))
