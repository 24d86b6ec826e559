"""qsub, qstat and qdel, as those of OpenPBS 23 read, refuse and print; jobs really run.

stub_pbs.py FOLDER COMMAND [ARGUMENT...]
"""

from __future__ import annotations

import getopt
import getpass
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import stub_jobs
from stub_jobs import Job, Jobs, Keeper

SERVER = "pbs-m1.example.org"
COMMANDS = ("qsub", "qstat", "qdel")
QUEUES = ("workq", "gpu@pbs-m1.example.org", "default@pbs-m1.example.org")
_OPTIONS = "a:A:c:C:e:fhIj:J:k:l:m:M:N:o:p:q:r:R:S:u:v:VW:XzP:"
_CHUNK = {"ncpus", "mem", "ngpus", "mpiprocs", "ompthreads", "scratch_local", "cl_adan", "gpu_mem"}
_SIZE = r"\d+([kmgt]?[bw])?"


def refuse(text: str, code: int = 1) -> NoReturn:
    stub_jobs.refuse(text, code)
    raise AssertionError


# -- qsub


def words(line: str) -> list[str]:
    """As qsub splits a directive: quotes of both kinds, anywhere in a word."""
    found, word, started = [], "", False
    rest = line.strip()
    while rest:
        character, rest = rest[0], rest[1:]
        if character in "\"'":
            inside, quote, rest = rest.partition(character)
            if not quote:
                refuse("qsub: unmatched \0")
            word, started = word + inside, True
        elif character.isspace():
            if started:
                found.append(word)
            word, started = "", False
        else:
            word, started = word + character, True
    return [*found, word] if started else found


def options_of(script: str) -> list[tuple[str, str]]:
    """The directives before the first line that does something."""
    found = []
    for line in script.splitlines():
        if line.startswith("#PBS"):
            try:
                options, rest = getopt.getopt(words(line[4:]), _OPTIONS)
            except getopt.GetoptError as error:
                refuse(f"qsub: invalid option -- '{error.opt}'\nqsub: directive error: {line[5:]} ")
            if rest:
                refuse(f"qsub: directive error: {line[5:]} ")
            found += [(name[1:], value) for name, value in options]
        elif line.strip() and not line.startswith(("#", ":")):
            break
    return found


def illegal(option: str) -> NoReturn:
    usage = "usage: qsub [-a date_time] [-A account_string] [-c interval]\n\t[-z] [script]"
    refuse(f"qsub: illegal -{option} value\n{usage}\n       qsub --version", 2)


def resources(options: list[tuple[str, str]]) -> dict[str, str]:
    """Of all -l together: the first of a name counts."""
    found: dict[str, str] = {}
    for name, value in options:
        for pair in value.split(",") if name == "l" else ():
            resource, equal, amount = pair.partition("=")
            if not resource or not equal:
                illegal("l")
            found.setdefault(resource, amount)
    for resource, amount in found.items():
        if resource not in ("select", "walltime", "place"):
            refuse(f"qsub: Unknown resource: {resource}", 35)
        if resource == "walltime" and not re.fullmatch(r"(\d+:)?(\d+:)?\d+", amount):
            illegal("l")
    for part in found.get("select", "1:ncpus=1").split(":")[1:]:
        resource, _, amount = part.partition("=")
        if resource not in _CHUNK:
            refuse(f"qsub: Unknown resource: {resource}", 35)
        if not re.fullmatch(_SIZE if resource in ("mem", "scratch_local") else r"\w+", amount):
            illegal("l")
    return found


def qsub(jobs: Jobs, arguments: list[str]) -> None:
    (path,) = arguments
    script = Path(path).read_text()
    options = options_of(script)
    last = dict(options)
    if not re.fullmatch(r"[A-Za-z][\w.+-]{0,14}", last.get("N", "STDIN"), re.ASCII):
        illegal("N")
    for option, values in (("r", "[yn]"), ("j", "oe|eo|n"), ("m", "n|[abe]{1,3}")):
        if option in last and not re.fullmatch(values, last[option]):
            illegal(option)
    if last.get("q", QUEUES[0]) not in QUEUES:
        refuse("qsub: Unknown queue", 170)
    asked = resources(options)
    after = None
    for name, value in options:
        if name == "W" and value.startswith("depend="):
            match = re.fullmatch(r"depend=afterany:(\d+)\.pbs.*", value)
            if match is None or jobs.get(int(match[1])) is None:
                refuse("qsub: illegal -W value", 2)
            after = int(match[1])
    most = jobs.setting("max_queued")
    if most is not None and sum(job["state"] != "ended" for job in jobs.all()) >= most:
        refuse("qsub: would exceed complex's per-user limit", 38)
    number = jobs.add(
        {
            "name": last.get("N", "STDIN"),
            "options": options,
            "resources": asked,
            "after": after,
            "script": script,
            "submitted_from": str(Path.cwd()),
        }
    )
    stub_jobs.start_keeper(jobs, __file__, number)
    print(f"{number}.{SERVER}")


# -- the job


def keeper(jobs: Jobs, number: int) -> Keeper:
    job = jobs.get(number)
    assert job is not None
    options = dict(job["options"])
    cores = re.search(r":ncpus=(\d+)", job["resources"].get("select", ""))
    home = jobs.folder / "home"
    home.mkdir(exist_ok=True)
    path = home / f"{number}.SC"
    path.write_text(job["script"])
    # without -V nothing of the environment of qsub gets here
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "USER": getpass.getuser(),
        "PBS_JOBID": f"{number}.{SERVER}",
        "PBS_JOBNAME": job["name"],
        "PBS_ENVIRONMENT": "PBS_BATCH",
        "PBS_O_WORKDIR": job["submitted_from"],
        "NCPUS": cores[1] if cores else "1",
        "OMP_NUM_THREADS": cores[1] if cores else "1",
    }
    clock = job["resources"].get("walltime")
    limit = None
    if clock is not None:
        limit = 0.0
        for part in clock.split(":"):
            limit = limit * 60 + int(part)
    return Keeper(
        jobs,
        number,
        # the login shell takes no notice of the first line; this one is nobody's login shell
        [options.get("S", shutil.which("false") or "false"), str(path)],
        environment,
        home,
        Path(options.get("o", home / f"{job['name']}.o{number}")),
        limit,
        signal.SIGTERM,
        lambda code: code if code >= 0 else 256 - code,
        # killed by nobody here: with its node
        265 if jobs.setting("node_fails") and options.get("r", "y") == "y" else None,
    )


# -- qstat


def wide(job: Job) -> str:
    """A line of the alternate format, -w."""
    server = f"{job['number']}.{SERVER}"
    chunk = job["resources"].get("select", "1:ncpus=1")
    cores = re.search(r"ncpus=(\d+)", chunk)
    session = str(job["pid"]) if "pid" in job else "--"
    time = job["resources"].get("walltime", "--")[:5]
    columns = [f"{server:<30}", f"{getpass.getuser():<15.15}", f"{'workq':<15}"]
    columns += [f"{job['name']:<15}", f"{session:>8}", f"{1:>4}", f"{cores[1] if cores else 1:>5}"]
    elapsed = "00:00" if job["state"] == "runs" else "--"
    return " ".join([*columns, f"{'--':>6}", f"{time:>5}", letter(job), f"{elapsed:>5}"])


def letter(job: Job) -> str:
    if job["state"] == "waits":
        return "H" if job["after"] else "Q"
    return {"starts": "R", "runs": "R", "ended": "F"}[job["state"]]


def exit_status(job: Job) -> int:
    return -29 if job.get("late") else int(job["code"])


def full(job: Job) -> Iterator[str]:
    """-f, each line folded at 78 characters."""
    yield f"Job Id: {job['number']}.{SERVER}"
    values = {"Job_Name": job["name"], "Job_Owner": f"{getpass.getuser()}@login.example.org"}
    if "seconds" in job:
        minutes, seconds = divmod(round(job["seconds"]), 60)
        values["resources_used.walltime"] = f"00:{minutes:02}:{seconds:02}"
    values["job_state"] = letter(job)
    values |= {f"Resource_List.{name}": value for name, value in job["resources"].items()}
    substate = {"waits": 10, "starts": 41, "runs": 42}.get(job["state"])
    if substate is None:
        substate = 91 if job.get("killed") else 93 if exit_status(job) else 92
    values["substate"] = str(substate)
    values["Variable_List"] = "PBS_O_HOME=/home/someone," + ",".join(
        f"PBS_O_SOMETHING_{number}=a rather long value" for number in range(9)
    )
    ending = {91: "terminated", 92: "finished", 93: "failed"}.get(substate, "")
    values["comment"] = f"Job run at Thu Oct 08 at 12:00 on (node1:ncpus=1) and {ending}"
    if "code" in job and job["state"] == "ended":
        values["Exit_status"] = str(exit_status(job))
    for name, value in values.items():
        line = f"    {name} = {value}"
        while len(line) > 78:
            yield line[:78]
            line = f"\t{line[78:]}"
        yield line
    yield ""


def qstat(jobs: Jobs, arguments: list[str]) -> None:
    try:
        options, operands = getopt.getopt(arguments, "swxfBu:F:")
    except getopt.GetoptError as error:
        refuse(f"qstat: invalid option -- '{error.opt}'", 2)
    given = {name[1:]: value for name, value in options}
    if "F" in given and given.keys() & set("wsu"):
        refuse("qstat: conflicting options.", 2)
    if "B" in given:
        print(f"Server: {SERVER}\n    server_state = Active\n    total_jobs = {len(jobs.all())}")
        if (most := jobs.setting("max_queued")) is not None:
            print(f"    max_queued = [o:PBS_ALL=100000],[u:PBS_GENERIC={most}]")
        print("    pbs_version = 23.06.06\n")
    elif "u" in given:
        here = [job for job in jobs.all() if job["state"] != "ended"]
        if here:
            print(f"\n{SERVER}: ")
            print(f"{'':99}Req'd  Req'd   Elap")
            titles = ("Job ID", "Username", "Queue", "Jobname", "SessID", "NDS", "TSK")
            widths = (30, 15, 15, 15, 8, 4, 5)
            together = list(zip(titles, widths, strict=True))
            print(" ".join(f"{title:<{width}}" for title, width in together), "Memory Time  S Time")
            print(" ".join("-" * width for _, width in together), "------ ----- - -----")
        for job in here:
            print(wide(job))
            if job["state"] == "waits":
                print("   Not Running: Insufficient amount of resource: ncpus (R: 8 A: 2 T: 64)")
            else:
                print("   Job run at Thu Oct 08 at 12:00 on (node1:ncpus=8)")
    else:
        failed = 0
        if "x" in given and not jobs.setting("history", True):
            refuse("qstat: PBS is not configured to maintain job history", 218)
        for operand in operands:
            number = re.fullmatch(r"(\d+)(\.[\w.-]+)?", operand)
            one = jobs.get(int(number[1])) if number else None
            if one is None or one["number"] in jobs.setting("forgotten", []):
                print(f"qstat: Unknown Job Id {operand}", file=sys.stderr)
                failed = 153
            else:
                print("\n".join(full(one)))
        sys.exit(failed)


def qdel(jobs: Jobs, arguments: list[str]) -> None:
    failed = 0
    for operand in arguments:
        job = jobs.get(int(operand.partition(".")[0]))
        if job is None:
            print(f"qdel: Unknown Job Id {operand}", file=sys.stderr)
            failed = 153
        elif job["state"] == "ended":
            print(f"qdel: Job has finished {operand}", file=sys.stderr)
            failed = 35
        else:
            jobs.kill(job["number"], [signal.SIGTERM])
    sys.exit(failed)


if __name__ == "__main__":
    os.umask(0o022)
    folder, command, *rest = sys.argv[1:]
    if command == "keep":
        keeper(Jobs(Path(folder)), int(rest[0])).keep()
    else:
        {"qsub": qsub, "qstat": qstat, "qdel": qdel}[command](Jobs(Path(folder)), rest)
