"""The page of algorithms and the lists of configuration files leave nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import agents
from agents.neural.policies.factory import CONTINUOUS, DISCRETE
from experiment.values import hyperparameters

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "algorithms.md").read_text()
CODE = set(re.findall(r"`([^`\n]+)`", PAGE))


def test_every_agent_has_a_section() -> None:
    headings = " ".join(re.findall(r"^## (.*)$", PAGE, re.MULTILINE))
    assert set(agents.AGENTS) <= set(re.findall(r"\w+", headings))


@pytest.mark.parametrize("name", sorted(agents.AGENTS))
def test_every_hyperparameter_is_on_the_page(name: str) -> None:
    assert set(hyperparameters(agents.settings_type(name))) <= CODE


def test_every_policy_is_on_the_page() -> None:
    assert {*CONTINUOUS, *DISCRETE} <= CODE


def test_formulas_are_closed_and_use_what_github_allows() -> None:
    blocks = re.findall(r"^```math\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert blocks
    prose = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    for line in re.sub(r"`[^`\n]+`", "", prose).splitlines():
        assert line.count("$") % 2 == 0, line
        formulas = re.findall(r"\$([^$]*)\$", line)
        for formula in formulas:
            # Markdown takes the backslash of \, or \{ for its own, and | for the end of a cell
            assert not re.search(r"\\[^A-Za-z]|[|*]", formula), formula
        blocks += formulas
    for formula in blocks:
        assert formula.count("{") == formula.count("}"), formula
        assert "\\operatorname" not in formula, formula


@pytest.mark.parametrize("folder", ["agent", "environment"])
def test_every_configuration_file_is_listed(folder: str) -> None:
    path = ROOT / "config" / folder
    listed = set(re.findall(r"`([^`\n]+)`", (path / "README.md").read_text()))
    names = {file.stem for file in path.glob("*.json")} - {"template"}
    assert names <= listed
