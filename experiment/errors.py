"""What can go wrong in a way that a person should read one sentence about."""

from __future__ import annotations

from collections.abc import Iterable


class SweepError(Exception):
    """Base of the errors that end a command with one sentence instead of a traceback.

    Attributes:
        exit_code: of the process.
    """

    exit_code = 1


class ConfigError(SweepError):
    """A file, a name or a value that cannot be used. Says what, where, and the nearest choice."""

    exit_code = 2


class Locked(SweepError):  # noqa: N818
    """Another process runs this index now."""

    exit_code = 3


class StorageError(SweepError):
    """A file could not be written or read; what was saved before is still there."""


class Broken(SweepError):  # noqa: N818
    """A process that a run needs has ended; the run is saved."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """A hint that ends an error message: the nearest choice, or all of them when none is near."""
    import difflib

    known = sorted(choices)
    by_lower = {choice.lower(): choice for choice in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    if close:
        return f"did you mean {by_lower[close[0]]!r}?"
    return f"known: {', '.join(known)}" if known else "there are none"
