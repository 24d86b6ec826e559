"""A small real sweep from nothing: install, train, combine, plot.

    python benchmarks/quickstart.py

Sweeps the linear actor-critic over four settings with three seeds on the continuing Pendulum, and
draws the best setting beside random actions. Run again, it has nothing left to train.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from experiment.bootstrap import python_with  # noqa: E402 - needs the path above

RESULTS = Path("results/quickstart")
ENVIRONMENT = "config/environment/PendulumContinuing-v1.json"
AGENTS = ("config/agent/linearAC_quickstart.json", "config/agent/random.json")


def main() -> None:
    """Runs the commands that a user would."""
    python = python_with("requirements.txt")
    started = time.perf_counter()
    for agent in AGENTS:
        files = ["--env-json", ENVIRONMENT, "--agent-json", agent]
        step(python, "main.py", *files, "--save-dir", RESULTS.name, "--runs", "3")
    folders = [f"{RESULTS}/sweep-PendulumContinuing-v1_{name}" for name in ("linearAC", "random")]
    for folder in folders:
        step(python, "combine.py", folder)
    data = [f"{folder}/data.json" for folder in folders]
    step(python, "plotting/learning_curve.py", *data, "-o", f"{RESULTS}/learning_curve.png")
    print(f"done in {time.perf_counter() - started:.0f} s: {RESULTS}/learning_curve.png")


def step(*command: str) -> None:
    """Prints and runs one command from the project's root."""
    print("$ python", *command[1:], flush=True)
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code != 0:
        sys.exit(code)


if __name__ == "__main__":
    main()
