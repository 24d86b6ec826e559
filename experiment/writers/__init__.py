"""`--log`: what runs measure, written for other tools while they train.

A writer reads what its run has measured so far and changes nothing of it. The libraries are
optional: this module imports none.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from experiment.errors import ConfigError

#: What `--log` takes, each the name of the package that it needs.
NAMES = ("tensorboard", "wandb")


def require(names: Iterable[str]) -> None:
    """
    Raises:
        ConfigError: a writer whose package is not installed.
    """
    for name in names:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:  # a mere folder: W&B leaves one of its name
            raise ConfigError(
                f"--log {name}: the package {name} is not installed here; "
                f"install it with 'python -m pip install {name}'"
            )
