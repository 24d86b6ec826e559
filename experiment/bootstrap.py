"""Virtual environments for the scripts that must run before anything is installed.

Uses the standard library only, and any Python from 3.11 on.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"


def python_with(*requirement_files: str) -> str:
    """A Python that has the packages of the files installed.

    That is the running one when it is a virtual environment's, else `.venv`'s, which is created
    when missing; packages are installed again only when a file changed.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever has an older one learns it here
        sys.exit(f"error: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    active = sys.prefix != sys.base_prefix
    folder = Path(sys.prefix) if active else ENVIRONMENT
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"creating {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    for name in requirement_files:
        content = (ROOT / name).read_bytes()
        stamp = folder / f"installed-{hashlib.sha256(content).hexdigest()[:16]}"
        if not stamp.exists():
            print(f"installing {name}", flush=True)
            install = [str(python), "-m", "pip", "install", "--quiet", "-r", str(ROOT / name)]
            if subprocess.run(install, check=False).returncode != 0:
                sys.exit(f"error: {name} could not be installed into {folder}; pip says why above")
            stamp.touch()
    return str(python)
