"""`--log`: what runs measure, written for other tools while they train.

A writer reads what its run has measured so far and changes nothing of it. The libraries are
optional: this module imports none.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from experiment.errors import ConfigError


def require(names: Iterable[str]) -> None:
    """
    Args:
        names: of writers, which are those of the packages that they need.

    Raises:
        ConfigError: a package is not installed.
    """
    for name in names:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:  # a mere folder: W&B leaves one of its name
            raise ConfigError(
                f"--log {name}: the package {name} is not installed here; "
                f"install it with 'python -m pip install {name}'"
            )
