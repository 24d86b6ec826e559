"""Slurm's commands, which record what they are asked for and print as those of Slurm 22.05 do.

No job runs: a test says what becomes of the elements of an array. Standard library only.

stub_slurm.py FOLDER COMMAND [ARGUMENT...]
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

COMMANDS = ("sbatch", "srun", "squeue", "sacct", "scontrol", "sacctmgr", "scancel")
_FIRST_JOB = 1001


class StubSlurm:
    """What the commands know, in a folder.

    Attributes:
        folder: of `settings.json`, `jobs.json` and `calls.jsonl`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, bin_folder: Path) -> None:
        """Puts the commands into a folder for PATH."""
        bin_folder.mkdir(parents=True)
        self.folder.mkdir(parents=True)
        for name in COMMANDS:
            path = bin_folder / name
            words = [sys.executable, "-S", "-E", __file__, str(self.folder), name]
            path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
            path.chmod(0o755)

    # -- for tests

    def settings(self, **values: Any) -> None:
        """How it is to be, from now on.

        max_array_size, max_submit, qos (name -> MaxSubmitPU), refuse (what sbatch says), accept
        (so many calls before), silent (commands that cannot reach the controller), no_accounting,
        kill_caller (sbatch kills who called it once the job is there), answer (what sbatch says).
        """
        self._write("settings.json", values)

    @property
    def calls(self) -> list[list[str]]:
        """Every command that was given, with its arguments."""
        try:
            lines = (self.folder / "calls.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """What sbatch took: number, name, options, and the state of each element."""
        return list(self._read("jobs.json", []))

    def becomes(self, state: str, *elements: int, job: int = -1, code: str = "") -> None:
        """Elements (all, if none are named) of a job get a state; those that end leave squeue.

        Args:
            code: exit code and signal, "1:0".
        """
        jobs = self.jobs
        states = jobs[job]["states"]
        for element in elements or range(len(states)):
            states[element] = f"{state} {code}".strip()
        self._write("jobs.json", jobs)

    # -- the commands

    def _read(self, name: str, default: Any) -> Any:
        try:
            return json.loads((self.folder / name).read_text())
        except FileNotFoundError:
            return default

    def _write(self, name: str, content: Any) -> None:
        new = self.folder / f"{name}.new"
        new.write_text(json.dumps(content))
        new.replace(self.folder / name)

    def answer(self, command: str, arguments: list[str]) -> None:
        """Does what a command does."""
        with (self.folder / "calls.jsonl").open("a") as file:
            file.write(json.dumps([command, *arguments]) + "\n")
        self.wishes: dict[str, Any] = self._read("settings.json", {})
        if command in self.wishes.get("silent", []):
            complaints = {
                "squeue": "slurm_load_jobs error",
                "scontrol": "slurm_load_ctl_conf error",
                "sbatch": "sbatch: error: Batch job submission failed",
            }
            what = complaints.get(command, f"{command}: error")
            refuse(f"{what}: Unable to contact slurm controller (connect failure)")
        getattr(self, command)(arguments)

    def sbatch(self, arguments: list[str]) -> None:
        script = Path(arguments[-1]).read_text()
        options: dict[str, Any] = {}
        for line in re.findall(r"^#SBATCH --(.*)$", script, re.M):
            name, equals, value = line.partition("=")
            options[name] = shlex.split(value)[0] if equals else True
        jobs = self.jobs
        if len(jobs) >= self.wishes.get("accept", 0) and "refuse" in self.wishes:
            refuse(self.wishes["refuse"])
        array = re.fullmatch(r"0-(\d+)%(\d+)", str(options.get("array", "")))
        count = int(array[1]) + 1 if array else 1
        longest = self.wishes.get("max_array_size", 1001)
        if "array" in options and (array is None or count > longest):
            refuse("sbatch: error: Batch job submission failed: Invalid job array specification")
        most = self.wishes.get("max_submit")
        if most is not None and len(self._queue()) + count > most:
            refuse(
                "sbatch: error: AssocMaxSubmitJobLimit\n"
                "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy "
                "(job submit limit, user's size and/or time limits)"
            )
        number = _FIRST_JOB + sum(len(job["states"]) for job in jobs)
        jobs.append(
            {
                "number": number,
                "name": options["job-name"],
                "options": options,
                "script": script,
                "states": ["PENDING"] * count,
                "array": array is not None,
            }
        )
        self._write("jobs.json", jobs)
        if self.wishes.get("kill_caller"):
            os.kill(os.getppid(), signal.SIGKILL)
        print(self.wishes.get("answer", f"Submitted batch job {number}"))

    def srun(self, arguments: list[str]) -> None:
        refuse("srun: error: Unable to allocate resources: Invalid account or account/partition")

    def _queue(self) -> list[tuple[str, str, dict[str, Any]]]:
        """(name of an element, state, job) of what is queued or runs."""
        there = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUE_HOLD")
        return [
            (f"{job['number']}_{element}" if job["array"] else str(job["number"]), state, job)
            for job in self.jobs
            for element, state in enumerate(job["states"])
            if state in there
        ]

    def squeue(self, arguments: list[str]) -> None:
        assert {"-h", "-r", "-u", "-o"} <= set(arguments), arguments
        assert arguments[arguments.index("-o") + 1] == "%i|%T|%j|%r"
        for name, state, job in reversed(self._queue()):
            reason = "None" if state == "RUNNING" else self.wishes.get("reason", "Resources")
            print(f"{name}|{state}|{job['name']}|{reason}")
        for other in range(self.wishes.get("others", 0)):
            print(f"7{other}|RUNNING|another | job|None")

    def sacct(self, arguments: list[str]) -> None:
        if self.wishes.get("no_accounting"):
            refuse("Slurm accounting storage is disabled")
        assert {"-X", "-n", "-P"} <= set(arguments), arguments
        assert arguments[arguments.index("-o") + 1] == "JobID,State,ElapsedRaw,ExitCode"
        asked = arguments[arguments.index("-j") + 1].split(",")
        for job in self.jobs:
            if str(job["number"]) in asked:
                self._account(job)

    def _account(self, job: dict[str, Any]) -> None:
        waiting = [n for n, state in enumerate(job["states"]) if state == "PENDING"]
        for element, state in enumerate(job["states"]):
            if not job["array"]:
                print(f"{job['number']}|{_accounted(state)}")
            elif state != "PENDING":
                print(f"{job['number']}_{element}|{_accounted(state)}")
        if waiting and job["array"]:
            print(f"{job['number']}_[{waiting[0]}-{waiting[-1]}%9]|PENDING|0|0:0")

    def scontrol(self, arguments: list[str]) -> None:
        assert arguments == ["show", "config"], arguments
        print("Configuration data as of 2026-01-01T00:00:00\nMailProg                = /bin/mail")
        print(f"MaxArraySize            = {self.wishes.get('max_array_size', 1001)}")
        print("MaxJobCount             = 10000\nMaxJobId                = 67043328\n")
        print("Slurmctld(primary) at login is UP")

    def sacctmgr(self, arguments: list[str]) -> None:
        if self.wishes.get("no_accounting"):
            refuse(
                "You are not running a supported accounting_storage plugin\n"
                "Only 'accounting_storage/slurmdbd' is supported."
            )
        qos = self.wishes.get("qos", {"normal": ""})
        if "qos" in arguments:
            for name, most in qos.items():
                print(f"{name}|{most}")
        else:
            most = self.wishes.get("max_submit")
            print(f"def-prof||{'' if most is None else most}||normal|{','.join(qos)}")

    def scancel(self, arguments: list[str]) -> None:
        jobs = self.jobs
        for job in jobs:
            for element in range(len(job["states"])):
                name = f"{job['number']}_{element}" if job["array"] else str(job["number"])
                if name in arguments:
                    job["states"][element] = "CANCELLED"
        self._write("jobs.json", jobs)


def _accounted(state: str) -> str:
    """State, seconds, and exit code with signal."""
    word, _, code = state.partition(" ")
    word = f"CANCELLED by {os.getuid()}" if word == "CANCELLED" else word
    return f"{word}|60|{code or '0:0'}"


def refuse(text: str) -> None:
    """Ends a command that failed."""
    print(text, file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    StubSlurm(Path(sys.argv[1])).answer(sys.argv[2], sys.argv[3:])
