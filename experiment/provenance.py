"""Where a result comes from: code, packages, machine."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiment.files import write_atomically
from experiment.processor import matrix_products

ROOT = Path(__file__).resolve().parent.parent
_SOURCE_FOLDERS = ("agents", "envs", "experiment")
#: A difference that `git apply` takes, whatever a person's configuration says.
_DIFF = (
    *("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--binary"),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)
_PACKAGES = (
    "numpy",
    "gymnasium",
    "numba",
    "torch",
    "mujoco",
    "box2d",
    "ale-py",
    "opencv-python-headless",
)


def provenance(device: str) -> dict[str, Any]:
    """What a record says of its origin; everything that can change the numbers of a run."""
    return {
        "code": code_version(),
        "packages": package_versions(),
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "cpu": cpu_model(),
        "matrix_products": matrix_products(),
        "device": device,
        # what a run has in common with the same run in other company
        "equal_in_any_group": "to the bit" if device == "cpu" else "statistically",
    }


class Origin:
    """Where a run was computed: here, and before it was interrupted."""

    def __init__(self, device: str, saved: Mapping[str, Any] | None) -> None:
        self.here = provenance(device)
        self.started = _now()
        self.resumed = 0
        self.earlier: list[dict[str, Any]] = []
        if saved is not None:
            before = saved["origin"]
            self.started, self.resumed = before["started"], before["resumed"] + 1
            self.earlier = before["earlier"]
            if before["here"] != self.here:
                self.earlier = [*self.earlier, before["here"]]

    def state_dict(self) -> dict[str, Any]:
        """For the run's checkpoint."""
        return dict(vars(self))

    def provenance(self) -> dict[str, Any]:
        """For the record."""
        return self.here | {
            "started": self.started,
            "ended": _now(),
            "resumed": self.resumed,
            "earlier": self.earlier,
        }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@functools.cache
def code_version() -> dict[str, Any]:
    """The git commit, whether the tree was changed since, and a digest of the source itself."""
    commit, changed = _state()
    difference = _difference() if changed else ""
    return {
        "commit": commit,
        "changed": bool(difference),
        "difference": _difference_name(difference) if difference else None,
        "source_digest": _source_digest(),
    }


def keep_difference(folder: Path) -> None:
    """Keeps the uncommitted difference in `folder`, once for all runs that share it."""
    name = code_version()["difference"]
    if name and not (folder / name).exists():
        with contextlib.suppress(FileExistsError):
            write_atomically(folder / name, _bytes(_difference()), exclusive=True)


def _difference_name(difference: str) -> str:
    return f"code-{hashlib.sha256(_bytes(difference)).hexdigest()[:12]}.diff"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # as _git decoded it


def _state() -> tuple[str | None, bool]:
    """The commit, and whether anything may differ from it."""
    status = ("status", "--porcelain=v2", "--branch", "-z", "--no-renames", "--untracked-files=all")
    lines = _git("--no-optional-locks", *status).split("\0")
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), None)
    if commit in (None, "(initial)"):
        return None, False
    changes = (line for line in lines if line and not line.startswith("# "))
    return commit, any(not line.startswith("? ") or line.endswith(".py") for line in changes)


@functools.cache
def _difference() -> str:
    """The working tree against its commit, new source files included."""
    changed = _git(*_DIFF, "HEAD")
    listed = _git("ls-files", "-z", "--others", "--exclude-standard", "--", "*.py").split("\0")
    new = [_git(*_DIFF, "--no-index", "--", "/dev/null", file) for file in listed if file]
    return "".join([changed, *new])


def _git(*arguments: str) -> str:
    """Output of git in the project's own repository; nothing where there is none."""
    if not (ROOT / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "surrogateescape")


@functools.cache
def _source_digest() -> str:
    digest = hashlib.sha256()
    files = [
        f"{folder}/{name}"
        for source in _SOURCE_FOLDERS
        for folder, _, names in os.walk(ROOT / source)
        for name in names
        if name.endswith(".py")
    ]
    for file in sorted([*files, f"{ROOT}/main.py"]):
        digest.update(f"{file.removeprefix(f'{ROOT}/')}\0".encode() + Path(file).read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def package_versions() -> dict[str, str]:
    """Installed versions of the packages that compute."""
    versions = _versions_in_folders()
    missing = [name for name in _PACKAGES if name not in versions]
    if missing:
        from importlib import metadata  # knows every way to install; takes as long as many a run

        for name in missing:
            with contextlib.suppress(metadata.PackageNotFoundError):
                versions[name] = metadata.version(name)
    return {name: versions[name] for name in _PACKAGES if name in versions}


def _versions_in_folders() -> dict[str, str]:
    """Those that lie in a folder of Python's path, as pip leaves them."""
    versions: dict[str, str] = {}
    for place in sys.path:
        with contextlib.suppress(OSError), os.scandir(place or ".") as entries:
            for entry in entries:
                name = entry.name.partition("-")[0].replace("_", "-").lower()
                if entry.name.endswith(".dist-info") and name in _PACKAGES:
                    with Path(entry.path, "METADATA").open(encoding="utf-8") as lines:
                        stated = (line for line in lines if line.startswith("Version: "))
                        versions.setdefault(name, next(stated, "").partition(" ")[2].strip())
    return {name: version for name, version in versions.items() if version}


@functools.cache
def cpu_model() -> str:
    """The processor's name where the system tells, else its architecture."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
