"""The commands that go on with an experiment, or do it again, and both of its files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from experiment.scheduling.sweep import Sweep
    from plotting.html_report.sources import Source

ROOT = Path(__file__).resolve().parents[2]
_LONGEST_INDICES = 120


def reproduce(source: Source) -> dict[str, Any]:
    """[what, command] pairs, and the text of both files.

    A command may hold {index}, of a run to be done again.
    """
    files = {
        name: _readable(msgspec.json.format(msgspec.json.encode(content), indent=2).decode())
        for name, content in source.experiment.files.items()
    }
    return {"commands": _commands(source), "files": files}


def _readable(text: str) -> str:
    """Indented JSON with each list of numbers or strings on one line."""
    return re.sub(r"\[\s+[^\[\]{}]*?\s+\]", lambda found: _one_line(found[0]), text)


def _one_line(of_list: str) -> str:
    return f"[{' '.join(of_list[1:-1].split())}]"


def _commands(source: Source) -> list[tuple[str, str]]:
    path = str(source.path)
    commands = []
    if source.sweep is not None:
        sweep = source.sweep
        commands += _training(sweep)
        record = str(source.path / f"{sweep.folder.manifest.stem}_data_@.json")
        replay = _line("python", "main.py", "--replay", record).replace("@", "{index}")
        commands.append(("Do one run again and compare it, to the last bit", replay))
        commands.append(("Combine new records", _line("python", "combine.py", path)))
    for name in ("learning_curve", "sensitivity"):
        figure = _line("python", f"plotting/{name}.py", path, "-o", f"{name}.pdf")
        commands.append((f"The figure for a paper: {name.replace('_', ' ')}", figure))
    commands.append(
        ("This page again", _line("python", "plotting/report.py", path, "-o", "report.html"))
    )
    return commands


def _training(sweep: Sweep) -> list[tuple[str, str]]:
    """Commands that do what is missing; none when the folder is not where they would look."""
    place = _save_dir(sweep)
    if place is None:
        return []
    environment = _file_like(sweep.experiment.files["environment"], "environment")
    agent = _file_like(sweep.experiment.files["agent"], "agent")
    which = [*_indices(sweep), *_offset(sweep)]
    save_dir = ["--save-dir", place] if place else []
    files = ["--env-json", environment, "--agent-json", agent]
    commands = [
        (
            "Train what is missing, here",
            _line("python", "main.py", *files, *which, "--batch", "auto", *save_dir),
        )
    ]
    if sweep.submissions:
        sent = sweep.submissions[-1]
        cluster = _cluster_like(msgspec.to_builtins(sent.cluster))
        if cluster is not None:
            words = [cluster, sent.executable, ".", environment, place or ".", agent, *which]
            send = _line("python", "schedule.py", *words)
            commands.append((f"Send what is missing, by {sent.scheduler}", send))
    return commands


def _indices(sweep: Sweep) -> list[str]:
    from experiment.scheduling.ranges import write_ranges

    runs, rest = divmod(len(sweep.wanted), sweep.folder.manifest.grid.size)
    if not rest and sweep.wanted[-1] == len(sweep.wanted) - 1:
        return ["--runs", str(runs)]
    text = write_ranges(sweep.wanted)
    if len(text) > _LONGEST_INDICES:
        return ["--runs", str(runs + bool(rest))]
    return ["--indices", text]


def _offset(sweep: Sweep) -> list[str]:
    offset = sweep.folder.manifest.seed_offset
    return ["--seed-offset", str(offset)] if offset else []


def _save_dir(sweep: Sweep) -> str | None:
    """What --save-dir has to be for results to go to the folder; "" for none."""
    from experiment.folder import folder_of

    path = sweep.folder.path.resolve()
    if folder_of(sweep.experiment, None).name != path.name:
        return None
    results = Path("results").resolve()
    if path.parent == results:
        return ""
    if path.is_relative_to(results):
        return str(path.parent.relative_to(results))
    return str(path.parent)


def _file_like(content: dict[str, Any], kind: str) -> str:
    """The file in config/ with this content; else the name that the page gives its download."""
    for file in sorted((ROOT / "config" / kind).glob("*.json")):
        if msgspec.json.decode(file.read_bytes()) == content:
            return str(file.relative_to(ROOT))
    return f"{kind}.json"


def _cluster_like(cluster: dict[str, Any]) -> str | None:
    """The file in clusters/ that says the same."""
    from experiment.errors import ConfigError
    from experiment.scheduling.cluster import read_cluster

    for file in sorted((ROOT / "clusters").glob("*.json")):
        try:
            if msgspec.to_builtins(read_cluster(file)) == cluster:
                return str(file.relative_to(ROOT))
        except ConfigError:
            continue
    return None


def _line(*words: str) -> str:
    return shlex.join(words)
