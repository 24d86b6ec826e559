"""Garbage collection while a program starts: what it loads is no garbage, and looking at it again
and again takes longer than many a run."""

from __future__ import annotations

import atexit
import gc
import sys


def pause() -> None:
    """No collection until `resume`."""
    gc.disable()


def resume() -> None:
    """Collection from now on, of what comes from now on. Does nothing where it goes on already."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
        atexit.register(_thaw)


def _thaw() -> None:
    # the Atari emulator complains of all that is never collected, cycles that froze too
    if "ale_py" in sys.modules:
        gc.unfreeze()
