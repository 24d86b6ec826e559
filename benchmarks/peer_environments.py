"""Virtual environments of other libraries, made once and kept in `.venv-peers`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".venv-peers"

#: By itself and first: the libraries ask for any torch, and would get another build of it.
TORCH = "torch==2.13.0"
#: Libraries that train, beside torch and the environments in the versions of this project.
PEERS = {
    "sb3": ("stable-baselines3==2.9.2",),
    "sbx": ("sbx-rl==0.28.0", "jax==0.10.2", "jaxlib==0.10.2", "flax==0.12.8", "optax==0.2.8"),
}
#: Others, by themselves.
TOOLS = {
    "simulusion": (
        *("simulusion==1.1.0", "torch==2.14.1", "torchvision==0.29.1"),
        f"gymnasium[box2d]=={version('gymnasium')}",
        *(f"{name}=={version(name)}" for name in ("numpy", "cma")),
    ),
    "hydra": ("hydra-core==1.3.8", "hydra-submitit-launcher==1.2.0"),
    "rliable": (
        *("rliable==1.2.0", "arch==7.2.0", "pandas==2.3.3"),  # does not import beside pandas 3
        *(f"{name}=={version(name)}" for name in ("numpy", "scipy")),
    ),
}


class NotInstalledError(Exception):
    """What was said last: by pip, mostly."""


def python_of(peer: str) -> Path:
    """The Python that has the peer.

    Raises:
        NotInstalledError
    """
    steps = _steps(peer)
    digest = hashlib.sha256(repr((sys.version, steps)).encode()).hexdigest()[:12]
    folder = FOLDER / f"{peer}-{digest}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "installed"
    if stamp.exists():
        return python
    print(f"installing {steps[-1][0]} into {folder.relative_to(FOLDER.parent)}", flush=True)
    commands: list[list[str | Path]] = [[sys.executable, "-m", "venv", "--clear", folder]]
    commands += [[python, "-m", "pip", "install", "--quiet", *packages] for packages in steps]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotInstalledError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    stamp.touch()
    return python


def _steps(peer: str) -> tuple[tuple[str, ...], ...]:
    """What is installed in turn."""
    if peer in TOOLS:
        return (TOOLS[peer],)
    shared = [f"{name}=={version(name)}" for name in ("gymnasium", "mujoco", "numpy")]
    shared[0] = shared[0].replace("==", "[mujoco]==")
    return ((TORCH,), (*PEERS[peer], *shared))
