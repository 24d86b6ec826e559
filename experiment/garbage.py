"""Garbage collection while a program starts: what it loads is no garbage, and looking at it again
and again takes longer than many a run."""

from __future__ import annotations

import gc


def pause() -> None:
    """No collection until `resume`."""
    gc.disable()


def resume() -> None:
    """Collection from now on, of what comes from now on. Does nothing where it goes on already."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
