"""Times and memory as Slurm writes them."""

from __future__ import annotations

import re

TIME = r"([0-9]{1,9}-)?[0-9]{1,9}(:[0-9]{1,9}){0,2}"
MEMORY = r"[0-9]{1,15}[KMGTkmgt]?"

_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_time(text: str | int) -> int | None:
    """Seconds of "MM", "MM:SS", "HH:MM:SS", "D-HH", "D-HH:MM", "D-HH:MM:SS", or of minutes.

    None for anything else, and for no time at all.
    """
    written = str(text)
    if not re.fullmatch(TIME, written, re.ASCII):
        return None
    days, dash, clock = written.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if dash:  # after days, hours come first; without, a lone number is minutes
        hours, minutes, seconds = (*parts, 0, 0)[:3]
    elif len(parts) == 3:
        hours, minutes, seconds = parts
    else:
        hours, minutes, seconds = 0, *(*parts, 0)[:2]
    return (((int(days or 0) * 24) + hours) * 60 + minutes) * 60 + seconds or None


def format_time(seconds: int) -> str:
    """The time as "HH:MM:SS" below a day, else as "D-HH:MM:SS"."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{f'{days}-' if days else ''}{hour:02}:{minute:02}:{second:02}"


def parse_memory(text: str) -> int | None:
    """Bytes of "512K", "2048M", "2G", "1T"; a bare number is mebibytes.

    None for anything else, and for no memory at all.
    """
    if not re.fullmatch(MEMORY, text, re.ASCII):
        return None
    number = text.rstrip("KMGTkmgt")
    return int(number) * _UNITS[text[len(number) :].upper() or "M"] or None


def format_memory(size: int) -> str:
    """The memory in the largest unit in which it is a whole number; kibibytes are rounded up."""
    for unit in "TGM":
        if size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return f"{-(-size // _UNITS['K'])}K"
