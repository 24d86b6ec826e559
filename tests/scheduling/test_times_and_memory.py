"""Times and memory are read as Slurm reads them, and written so that nothing is lost."""

from __future__ import annotations

import re

import pytest
from checked_clusters import BATCH, refusal
from hypothesis import given
from hypothesis import strategies as st

from experiment.scheduling.units import format_memory, format_time, parse_memory, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90 * 60),
        ("90", 90 * 60),
        ("90:30", 90 * 60 + 30),
        ("2:59:00", 2 * 3600 + 59 * 60),
        ("100:00:00", 100 * 3600),
        ("1-12", 36 * 3600),
        ("1-12:30", 36 * 3600 + 30 * 60),
        ("1-12:30:15", 36 * 3600 + 30 * 60 + 15),
        ("0-00:00:01", 1),
    ],
)
def test_times_are_read_as_slurm_reads_them(text: str | int, seconds: int) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "00:00", "0-0", "-5", "1:", ":30", "1:2:3:4", "1-2-3", "1.5", "1h", " 90"),
        *("90\n", "UNLIMITED", "1-", "-1:00", "٣", "1-1:2:3:4", "9" * 5000),
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert parse_time(text) is None
    assert refusal(BATCH, time=text).endswith(
        'expected minutes, or a time above zero as "02:59:00" or "1-12:00:00"'
    )


@given(st.integers(1, 10**9))
def test_a_time_survives_its_text(seconds: int) -> None:
    text = format_time(seconds)
    assert parse_time(text) == seconds
    assert re.fullmatch(r"([1-9][0-9]*-)?[0-9]{2}:[0-9]{2}:[0-9]{2}", text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2G", 2 * 2**30),
        ("2g", 2 * 2**30),
        ("2048M", 2 * 2**30),
        ("2048", 2 * 2**30),
        ("512K", 2**19),
        ("1T", 2**40),
    ],
)
def test_memory_is_read_as_slurm_reads_it(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "0G", "G", "2GB", "2 G", "1.5G", "-2G", "2P", "2G\n", "٢G"])
def test_what_is_no_memory(text: str) -> None:
    assert parse_memory(text) is None
    assert refusal(BATCH, memPerCpu=text).endswith(
        'expected a memory above zero as "2G" or "2048M"'
    )


@given(st.integers(1, 10**12))
def test_memory_survives_its_text(kibibytes: int) -> None:
    assert parse_memory(format_memory(kibibytes * 1024)) == kibibytes * 1024


@given(st.integers(1, 10**15))
def test_memory_is_never_written_smaller_than_it_is(size: int) -> None:
    read = parse_memory(format_memory(size))
    assert read is not None
    assert size <= read < size + 1024
