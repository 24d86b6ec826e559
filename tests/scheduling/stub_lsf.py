"""bsub, bjobs, bhist, bkill and busers, as those of LSF 10.1 read, refuse and print; jobs run.

stub_lsf.py FOLDER COMMAND [ARGUMENT...]

Where the manual leaves open whether a job that is taken back and ends with one of its requeue exit
values comes back, this one does bring it back.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import stub_jobs
from stub_jobs import Job, Jobs, Keeper

COMMANDS = ("bsub", "bjobs", "bhist", "bkill", "busers")
QUEUES = ("normal", "hpc", "gpuv100")
_WITH_VALUE = {"J", "n", "R", "gpu", "W", "P", "q", "Q", "o", "u", "w", "M", "app", "G", "sp"}
_WITHOUT = {"r", "B", "N", "Ne", "x"}


def refuse(text: str, code: int = 255) -> NoReturn:
    stub_jobs.refuse(text, code)
    raise AssertionError


# -- bsub


def options_of(script: str) -> list[tuple[str, str | None]]:
    """The directives, wherever they are."""
    found: list[tuple[str, str | None]] = []
    for line in script.splitlines():
        words = shlex.split(line[5:]) if line.startswith("#BSUB") else []
        while words:
            name = words.pop(0).removeprefix("-")
            if name in _WITHOUT:
                found.append((name, None))
            elif name in _WITH_VALUE and words:
                found.append((name, words.pop(0)))
            else:
                refuse(f"bsub: Illegal option: -{name}. Job not submitted.")
    return found


def check_needs(text: str) -> None:
    """A resource requirement: sections, each once, the selection first."""
    sections = re.findall(r"(\w+)\[([^]]*)\]", text)
    if re.sub(r"\w+\[[^]]*\]", "", text).strip() or not sections:
        refuse("Bad resource requirement syntax. Job not submitted.")
    names = [name for name, _ in sections]
    for name in names:
        if names.count(name) > 1:
            refuse(f'Error near "{name}" : duplicate section. Job not submitted.')
    for number, (name, inside) in enumerate(sections):
        good = {
            "select": number == 0 and bool(inside),
            "span": re.fullmatch(r"hosts=1|ptile=\d+", inside),
            "rusage": re.fullmatch(r"mem=\d+([KMGT]B)?(/(task|job|host))?", inside),
        }.get(name)
        if not good:
            refuse("Bad resource requirement syntax. Job not submitted.")


def bsub(jobs: Jobs, arguments: list[str]) -> None:
    if arguments:
        refuse("the script is a command here, its directives are comments")
    if os.environ.get("LSB_NTRIES") != "1":
        refuse("waits for room in the queue, maybe for days")
    script = sys.stdin.read()
    options = options_of(script)
    last = dict(options)
    for name, value in options:
        if name == "R":
            check_needs(value or "")
    queue = last.get("q", "normal")
    if queue not in QUEUES:
        refuse(f"{queue}: No such queue. Job not submitted.")
    forms = {
        "n": r"\d+",
        "W": r"(\d+:)?\d+",
        "Q": r"\d+( \d+)*",
        "gpu": r"num=\d+(/(host|task))?(:\w+=[\w-]+)*",
    }
    for option, form in forms.items():
        if option in last and not re.fullmatch(form, last[option] or ""):
            refuse(f"{last[option]}: Illegal value. Job not submitted.")
    after = None
    if "w" in last:
        match = re.fullmatch(r"ended\((\d+)\)", last["w"] or "")
        if match is None or jobs.get(int(match[1])) is None:
            refuse("Dependency condition invalid or never satisfied. Job not submitted.")
        after = int(match[1])
    most = jobs.setting("max_pending")
    if most is not None and sum(job["state"] == "waits" for job in jobs.all()) >= most:
        refuse(f"User <{getpass.getuser()}>: Pending job threshold reached. Job not submitted.")
    number = jobs.add(
        {
            "name": last.get("J", "sh"),
            "options": options,
            "after": after,
            "script": script,
            "environment": dict(os.environ),
            "cwd": str(Path.cwd()),
        }
    )
    stub_jobs.start_keeper(jobs, __file__, number)
    asked = "" if "q" in last else "default "
    print(f"Job <{number}> is submitted to {asked}queue <{queue}>.")


# -- the job


def keeper(jobs: Jobs, number: int) -> Keeper:
    job = jobs.get(number)
    assert job is not None
    options = dict(job["options"])
    path = jobs.folder / f"{number}.script"
    path.write_text(job["script"])
    path.chmod(0o700)
    limit = None
    if "W" in options:
        hours, _, minutes = options["W"].rpartition(":")
        limit = (int(hours or 0) * 60 + int(minutes)) * jobs.setting("minute", 60.0)
    environment = job["environment"] | {
        "LSB_JOBID": str(number),
        "LSB_JOBINDEX": "0",
        "LSB_JOBNAME": job["name"],
        "LSB_QUEUE": options.get("q", "normal"),
        "LSB_HOSTS": " ".join(["node1"] * int(options.get("n", 1))),
    }
    return Keeper(
        jobs,
        number,
        [str(path)],  # the first line is respected
        environment,
        Path(job["cwd"]),
        Path(options.get("o", os.devnull).replace("%J", str(number))),
        limit,
        signal.SIGUSR2,
        lambda code: code if code >= 0 else 128 - code,
        int(options["Q"]) if "Q" in options else None,
    )


# -- bjobs, bhist


def stat(job: Job) -> str:
    if job["state"] == "ended":
        return "EXIT" if job.get("killed") or job["code"] else "DONE"
    return "PEND" if job["state"] == "waits" else "RUN"


def reason(job: Job) -> str:
    if job["state"] != "ended":
        return ""
    if job.get("late"):
        return "TERM_RUNLIMIT: job killed after reaching LSF run time limit"
    return "TERM_OWNER: job killed by owner" if job.get("killed") else ""


def field(job: Job, name: str) -> str:
    ended = job["state"] == "ended"
    values = {
        "jobid": str(job["number"]),
        "stat": stat(job),
        "job_name": job["name"],
        "pend_reason": "New job is waiting for scheduling;" if stat(job) == "PEND" else "",
        "exit_code": str(job["code"]) if ended and job.get("code") else "",
        "exit_reason": reason(job),
        "run_time": f"{round(job['seconds'])} second(s)" if "seconds" in job else "0 second(s)",
    }
    return str(values[name])


def bjobs(jobs: Jobs, arguments: list[str]) -> None:
    given = dict.fromkeys(arguments)
    if arguments[arguments.index("-u") + 1] != getpass.getuser() or "-json" not in given:
        refuse("bjobs: Illegal option")
    fields = arguments[arguments.index("-o") + 1].split()
    here = [
        job
        for job in jobs.all()
        if job["state"] != "ended" or ("-a" in given and not jobs.setting("cleaned", False))
    ]
    if jobs.setting("busy", False):
        print("Batch system concurrent job query limit exceeded. LSF is retrying. Please wait...")
    if not here:
        refuse(f"No {'' if '-a' in given else 'unfinished '}job found", jobs.setting("none", 0))
    records = [{name.upper(): field(job, name) for name in fields} for job in here]
    print(json.dumps({"COMMAND": "bjobs", "JOBS": len(records), "RECORDS": records}, indent=2))


def history(job: Job) -> Iterator[str]:
    """-l, before it is folded."""
    at = "Thu Oct  8 12:00:0"
    yield (
        f"Job <{job['number']}>, Job Name <{job['name']}>, User <{getpass.getuser()}>, "
        "Project <default>, Command <#!/bin/bash;#BSUB -J something>"
    )
    yield f"{at}0: Submitted from host <login1>, to Queue <normal>, CWD <$HOME>;"
    for _ in range(job["runs"] - 1):
        yield f"{at}1: Dispatched 1 Task(s) on Host(s) <node1>;"
        yield f"{at}2: Pending: Requeued job is waiting for rescheduling;(exit code 75)"
    yield f"{at}3: Dispatched 1 Task(s) on Host(s) <node1>, Allocated 1 Slot(s) on Host(s) <node1>;"
    yield f"{at}4: Starting (Pid 4711);"
    if stat(job) == "DONE":
        yield f"{at}5: Done successfully. The CPU time used is 1.0 seconds;"
    elif stat(job) == "EXIT":
        if job.get("code"):
            yield f"{at}5: Exited with exit code {job['code']}. The CPU time used is 1.0 seconds;"
        yield f"{at}5: Completed <exit>{'; ' if reason(job) else ''}{reason(job)}."
    yield ""
    yield "Summary of time in seconds spent in various states by  Thu Oct  8 12:00:05"
    yield "  PEND     PSUSP    RUN      USUSP    SSUSP    UNKWN    TOTAL"
    yield "  1        0        4        0        0        0        5"


def bhist(jobs: Jobs, arguments: list[str]) -> None:
    assert arguments.pop(0) == "-l"
    found = [job for text in arguments if (job := jobs.get(int(text))) is not None]
    if not found:
        refuse("No matching job found")
    for number, job in enumerate(found):
        if number:
            print("-" * 78)
        print()
        for line in history(job):
            while len(line) > 80:
                print(line[:80])
                line = " " * 21 + line[80:]
            print(line)


def bkill(jobs: Jobs, arguments: list[str]) -> None:
    failed = 0
    for text in arguments:
        job = jobs.get(int(text))
        if job is None or job["state"] == "ended":
            what = "No matching job found" if job is None else "Job has already finished"
            print(f"Job <{text}>: {what}", file=sys.stderr)
            failed = 255
        else:
            jobs.kill(job["number"], [signal.SIGINT, signal.SIGTERM])
            print(f"Job <{text}> is being terminated")
    sys.exit(failed)


def busers(jobs: Jobs, arguments: list[str]) -> None:
    assert arguments == ["-w", getpass.getuser()]
    titles = ["JL/P", "MAX", "NSTART", "PEND", "RUN", "SSUSP", "USUSP", "RSV", "NJOBS"]
    titles += ["MPEND", "PJOBS", "MPJOBS"]
    most = jobs.setting("max_pending")
    values = ["-", "-", *"0" * 7, "-", "0", "-" if most is None else str(most)]
    print(f"{'USER/GROUP':<16}", *(f"{title:>8}" for title in titles))
    print(f"{getpass.getuser():<16}", *(f"{value:>8}" for value in values))


if __name__ == "__main__":
    folder, command, *rest = sys.argv[1:]
    here = Jobs(Path(folder))
    if command == "keep":
        keeper(here, int(rest[0])).keep()
    else:
        {"bsub": bsub, "bjobs": bjobs, "bhist": bhist, "bkill": bkill, "busers": busers}[command](
            here, rest
        )
