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
_LEARNERS = ("sb3", "sbx")
PEERS = {
    "sb3": ("stable-baselines3==2.9.2",),
    "sbx": ("sbx-rl==0.28.0", "jax==0.10.2", "jaxlib==0.10.2", "flax==0.12.8", "optax==0.2.8"),
    "hydra": ("hydra-core==1.3.8", "hydra-submitit-launcher==1.2.0"),
}


class NotInstalledError(Exception):
    """What was said last: by pip, mostly."""


def python_of(peer: str) -> Path:
    """The Python that has the peer, and the environments in the versions of this project.

    Raises:
        NotInstalledError
    """
    shared = [f"{name}=={version(name)}" for name in ("gymnasium", "mujoco", "numpy")]
    shared[0] = shared[0].replace("==", "[mujoco]==")
    learns = peer in _LEARNERS
    steps = ((TORCH,), (*PEERS[peer], *shared)) if learns else (PEERS[peer],)
    digest = hashlib.sha256(repr((sys.version, steps)).encode()).hexdigest()[:12]
    folder = FOLDER / f"{peer}-{digest}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "installed"
    if stamp.exists():
        return python
    print(f"installing {PEERS[peer][0]} into {folder.relative_to(FOLDER.parent)}", flush=True)
    commands: list[list[str | Path]] = [[sys.executable, "-m", "venv", "--clear", folder]]
    commands += [[python, "-m", "pip", "install", "--quiet", *packages] for packages in steps]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotInstalledError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    stamp.touch()
    return python
