"""Whatever is killed, and however often: called until nothing is missing, a sweep is as if it had
never been disturbed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from small_sweep import LOCAL, SmallSweep, undisturbed

INDICES = 200
SECONDS_BETWEEN_KILLS = 1.0
REBOOTS = 2
SLOTS = 2
#: A tenth of a second or so, with a checkpoint or two.
RUN = {
    "total_timesteps": 3_000,
    "steps_per_episode": 200,
    "eval_interval_timesteps": 3_000,
    "eval_episodes": 1,
}
CLUSTER = LOCAL | {"cores": SLOTS, "checkpointMinutes": 0.001, "retry": {"attempts": 100}}
AGENT = {"agent_name": "linearAC", "parameters": {"critic_lr": [0.01, 0.1]}}


class Machine:
    """On which schedule.py runs, and every process that comes of it."""

    def __init__(self, sweep: SmallSweep) -> None:
        self.sweep = sweep
        self.random = random.Random(1)
        self.kills = self.reboots = self.calls = 0

    def call(self) -> subprocess.Popen[str]:
        """One more call of schedule.py."""
        self.calls += 1
        return self.sweep.start("--runs", INDICES // 2, start_new_session=True)

    def kill_a_worker(self, process: subprocess.Popen[str]) -> None:
        """One of those that hold a lock."""
        holders = set()
        for lock in self.sweep.folder.rglob("running/*.lock"):
            with contextlib.suppress(OSError, ValueError):
                holders.add(json.loads(lock.read_text())["pid"])
        # locks outlive their holders, whose numbers others may have by now
        if workers := sorted(holders.intersection(_session(process.pid))):
            self.kills += _signal(self.random.choice(workers), signal.SIGKILL)

    def reboot(self, process: subprocess.Popen[str]) -> None:
        """No process has time to say anything."""
        while running := [pid for pid in _session(process.pid) if _signal(pid, signal.SIGSTOP)]:
            for pid in running:
                _signal(pid, signal.SIGKILL)
        process.communicate()
        self.reboots += 1

    def records(self) -> int:
        return len(list(self.sweep.folder.rglob("*_data_*.json")))


def _session(leader: int) -> list[int]:
    """Its processes that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] not in "ZX":
                found.append(int(path.parent.name))
    return found


def _signal(pid: int, number: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def test_a_sweep_survives_everything(tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "chaos", CLUSTER, AGENT, **RUN)
    machine = Machine(sweep)
    code = None
    while code != 0:
        assert machine.calls < 10, "it does not come to an end"
        process = machine.call()
        next_kill = time.monotonic() + SECONDS_BETWEEN_KILLS
        while process.poll() is None:
            time.sleep(0.02)
            if machine.records() >= INDICES * (machine.reboots + 1) / (REBOOTS + 1) > 0:
                if machine.reboots < REBOOTS:
                    machine.reboot(process)
            elif time.monotonic() >= next_kill:
                next_kill += SECONDS_BETWEEN_KILLS
                machine.kill_a_worker(process)
        code = process.returncode
        if code not in (0, -signal.SIGKILL):
            raise AssertionError(process.communicate()[0])
        with contextlib.suppress(ValueError):  # read when it was rebooted
            process.communicate()
    assert machine.reboots == REBOOTS
    assert machine.kills >= 3

    # nothing is lost, and all is as it would have been
    expected = undisturbed(sweep, tmp_path / "plain", "--runs", INDICES // 2, "--batch", INDICES)
    assert sweep.records() == expected
    assert len(expected) == INDICES
    # nothing was run to its end twice; what a reboot kept a job from telling, nobody knows
    done = sweep.times_done()
    assert set(done.values()) == {1}
    assert len(done) >= INDICES - REBOOTS * SLOTS
    # nothing is left behind
    assert list(sweep.folder.rglob("running/*")) == []
    assert list(sweep.folder.rglob("*.lock")) == []
    assert sweep.schedule("--runs", INDICES // 2).code == 0
    assert len(sweep.submissions) == machine.calls
