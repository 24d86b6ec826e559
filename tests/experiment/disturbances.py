"""A run that is killed, or asked to stop, at random moments, beside one that is not."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable


def disturb(start: Callable[[str], subprocess.Popen[str]], share: float) -> None:
    """Runs "whole" to its end; then "left", disturbed at least twice, SIGTERM and SIGKILL by turns.

    Args:
        start: begins, or goes on with, the run in a place of that name, its errors piped.
        share: of the undisturbed run's seconds, within which "left" is disturbed each time.
    """
    whole = start("whole")
    began = time.monotonic()
    _, errors = whole.communicate(timeout=300)
    seconds = time.monotonic() - began
    assert whole.returncode == 0, errors
    moments, codes = random.Random(1), []
    for number in range(6):
        process = start("left")
        time.sleep(3 + seconds * share * moments.random())
        process.send_signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
        _, errors = process.communicate(timeout=300)
        codes.append(process.returncode)
        assert process.returncode in (0, 75, -signal.SIGKILL, -signal.SIGTERM), errors
        if process.returncode == 0:
            break
    last = start("left")
    _, errors = last.communicate(timeout=300)
    assert last.returncode == 0, errors
    assert 75 in codes and -signal.SIGKILL in codes
