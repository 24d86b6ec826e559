"""Jobs of brittle agents, in this process, and what they told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from batch_submission import happened, prepare

from experiment.scheduling.events import Ended, Left
from experiment.scheduling.job import Result, run_task
from experiment.scheduling.submission import Submission


def brittle(*hows: str) -> dict[str, Any]:
    """An agent file: what becomes of index i is `hows[i]`."""
    values = [f"{how}-{index}" for index, how in enumerate(hows)]
    return {"agent_name": "brittle", "parameters": {"how": values}}


def of_brittle(folder: Path, hows: list[str], slots: int = 2, **fields: Any) -> Submission:
    """One task that takes them all."""
    chunk = {"slots": slots, "cores": slots} | fields.pop("chunk", {})
    tasks = [f"0-{len(hows) - 1}"]
    return prepare(folder, "local", tasks, agent=brittle(*hows), chunk=chunk, **fields)


def run(sent: Submission, task: int = 0) -> Result:
    """A job, in this process."""
    return run_task(sent, task)


def ends(sent: Submission, task: int = 0) -> dict[int, list[str]]:
    """Index -> how it ended, each time."""
    found: dict[int, list[str]] = {}
    for event in happened(sent, task):
        if isinstance(event, Ended):
            for index in event.indices:
                found.setdefault(index, []).append(event.ended)
    return found


def the_end(sent: Submission, index: int) -> Ended:
    """The last word of a job on an index."""
    told = [event for event in happened(sent, 0) if isinstance(event, Ended)]
    return [event for event in told if index in event.indices][-1]


def left(sent: Submission) -> Left:
    *_, last = happened(sent, 0)
    assert isinstance(last, Left)
    return last


def same(record: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether the numbers are the same; what the setting is called depends on its list."""
    return {**record, "setting_id": ""} == {**expected, "setting_id": ""}


def processes_with(field: int, value: int) -> list[int]:
    """Those that have not ended, by their parent (1) or their process group (2)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[field]) == value and fields[0] not in "ZX":
            found.append(int(path.parent.name))
    return found


def own_program(folder: Path, text: str) -> Path:
    """An executable file that is no Python."""
    path = folder / "train it"
    path.write_text(f"#!/bin/bash\n{text}")
    path.chmod(0o755)
    return path
