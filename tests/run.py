"""Install what the tests need, and run them.

python tests/run.py [arguments of pytest]
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from experiment.bootstrap import python_with  # noqa: E402 - needs the path above


def main() -> None:
    """Runs pytest in the project's virtual environment."""
    python = python_with("requirements.txt", "tests/requirements.txt")
    # the tests of Slurm, one group, mostly wait for it: their worker leaves its processor to others
    workers = len(os.sched_getaffinity(0)) + 1
    command = [python, "-m", "pytest", "-n", str(workers), "--dist", "loadgroup", *sys.argv[1:]]
    # the tests start hundreds of programs: none is to compile the source anew
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
