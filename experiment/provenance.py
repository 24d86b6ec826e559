"""Where a result comes from: code, packages, machine."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import platform
import socket
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
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
    commit = _git("rev-parse", "HEAD").strip()
    difference = _difference() if commit else ""
    return {
        "commit": commit or None,
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
    files = [file for folder in _SOURCE_FOLDERS for file in (ROOT / folder).rglob("*.py")]
    for file in sorted([*files, ROOT / "main.py"]):
        digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def package_versions() -> dict[str, str]:
    """Installed versions of the packages that compute."""
    versions = {}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


@functools.cache
def cpu_model() -> str:
    """The processor's name where the system tells, else its architecture."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
