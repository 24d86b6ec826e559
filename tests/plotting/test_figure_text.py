"""Text in figures: short numbers, and lines that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plotting.style import PALETTE, colour, short_number, value_text, wrap


def _one_a_letter(text: str, bold: bool) -> float:
    return len(text) * (2 if bold else 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (500, "500"),
        (2500, "2.5k"),
        (100_000, "100k"),
        (1_500_000, "1.5M"),
        (2e9, "2G"),
        (-1500, "\N{MINUS SIGN}1.5k"),
        (0.1 + 0.2, "0.3"),
    ],
)
def test_thousands_are_written_short(value: float, text: str) -> None:
    assert short_number(value, 1e3) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001, "0.001"),
        (0.00025, "2.5e\N{MINUS SIGN}4"),
        (1e-5, "1e\N{MINUS SIGN}5"),
        (1000, "1000"),
        (100_000, "100k"),
        (True, "true"),
        (None, "null"),
        ("relu", "relu"),
        ([64, 0.0001], "64, 1e\N{MINUS SIGN}4"),
        ("softplus_of_all", "softpl\N{HORIZONTAL ELLIPSIS}f_all"),
    ],
)
def test_values_at_ticks_are_short(value: object, text: str) -> None:
    assert value_text(value) == text


def test_thousands_are_written_out_where_asked() -> None:
    assert short_number(-1500, float("inf")) == "\N{MINUS SIGN}1500"


@given(text=st.text(alphabet="abc_ ", max_size=200), bold=st.integers(0, 3))
def test_no_line_is_wider_than_the_page_and_no_letter_is_lost(text: str, bold: int) -> None:
    lines = wrap(text, 12, _one_a_letter, bold)
    for line in lines:
        assert len(line) - 1 + sum(_one_a_letter(*part) for part in line) <= 12
    written = "".join(part for line in lines for part, _ in line)
    assert written.replace(" ", "") == text.replace(" ", "")


def test_the_first_words_are_bold() -> None:
    assert wrap("two words: rest", 100, _one_a_letter, bold=2) == [
        [("two words:", True), ("rest", False)]
    ]


def test_a_hyperparameter_and_its_value_stay_together() -> None:
    lines = wrap("setting 3 (critic_lr\N{NO-BREAK SPACE}0.1)", 20, _one_a_letter)
    assert [line[0][0] for line in lines] == ["setting 3", "(critic_lr\N{NO-BREAK SPACE}0.1)"]


def test_no_two_experiments_look_alike() -> None:
    looks = [colour(position) for position in range(3 * len(PALETTE))]
    assert len(set(looks)) == len(looks)
