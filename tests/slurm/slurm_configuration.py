"""The files that a Slurm cluster of one node needs, all in one folder and on this machine only."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import random
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

#: What a cluster consists of, in the order of the start.
DAEMONS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd")
#: Where Debian keeps daemons, and the PATH of a user need not lead.
SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"
#: MariaDB's own tables: without them there are no stored procedures, which slurmdbd needs.
#: The name depends on the release.
SYSTEM_TABLES = [
    Path(f"/usr/share/{folder}/{name}_system_tables.sql")
    for folder in ("mariadb", "mysql")
    for name in ("mariadb", "mysql")
]


@dataclass(frozen=True)
class Limits:
    """What a test may want otherwise."""

    #: One above the largest index of an array.
    max_array_size: int = 21
    #: As many as jobs may use at once, whatever the machine has.
    cpus: int = 4
    #: Seconds that a requeued job waits: 5 or more, else Slurm takes its usual 120.
    requeue_delay: int = 5
    #: Seconds between SIGTERM and SIGKILL.
    kill_wait: int = 3


def program(name: str) -> str | None:
    """Where a program is."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}")


def missing_parts() -> list[str]:
    """What this machine lacks for a cluster."""
    lacking = [name for name in (*DAEMONS, "sbatch", "sacct", "srun") if program(name) is None]
    if not lacking and not _system_tables():
        lacking.append(str(SYSTEM_TABLES[-1]))
    if not lacking and os.geteuid() != 0:
        lacking.append("root, as whom slurmd runs")
    return lacking


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at, and that no outgoing connection is given."""
    found: list[int] = []
    for port in random.SystemRandom().sample(range(20_000, 32_000), 200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        if len(found) == count:
            return found
    raise OSError("no free ports")


def write_configuration(folder: Path, limits: Limits) -> dict[str, int]:
    """Writes all files; returns the ports of the daemons that have one."""
    names = ("slurmdbd", "slurmctld", "slurmd")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    for name in ("database", "state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").touch(mode=0o600)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "tables.sql").write_text("create database mysql;\nuse mysql;\n" + _system_tables())
    (folder / "plugstack.conf").touch()
    (folder / "slurm.conf").write_text(_slurm_conf(folder, ports, limits))
    (folder / "slurmdbd.conf").touch(mode=0o600)  # slurmdbd insists
    (folder / "slurmdbd.conf").write_text(_slurmdbd_conf(folder, ports))
    (folder / "daemons.json").write_text(json.dumps(_commands(folder)))
    return ports


def _system_tables() -> str:
    """The statements that make them, empty where they are not installed."""
    return next((path.read_text() for path in SYSTEM_TABLES if path.exists()), "")


def _host() -> str:
    """This machine as slurmd and slurmctld know it."""
    return socket.gethostname().partition(".")[0]


def _binding() -> str:
    """Has the daemons listen at this machine's own address, where Slurm can be told so.

    It binds to no other address than that of the machine's name. Elsewhere strangers may
    connect, but without the key of this cluster they are not heard.
    """
    with contextlib.suppress(OSError):
        if socket.gethostbyname(socket.gethostname()) == "127.0.0.1":
            return "CommunicationParameters=NoCtldInAddrAny,NoInAddrAny"
    return ""


def _slurm_conf(folder: Path, ports: dict[str, int], limits: Limits) -> str:
    # cred_expire is also how long a requeued job waits
    return f"""\
ClusterName=tests
SlurmctldHost={_host()}(127.0.0.1)
SlurmctldPort={ports["slurmctld"]}
SlurmdPort={ports["slurmd"]}
{_binding()}
SlurmUser={getpass.getuser()}
SlurmdUser={getpass.getuser()}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire={limits.requeue_delay}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdLogFile={folder}/steps.log

ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
NodeName=node NodeHostname={_host()} NodeAddr=127.0.0.1 \
CPUs={limits.cpus} RealMemory={limits.cpus * 4096}
PartitionName=all Nodes=node Default=YES
DefMemPerCPU=2048
MaxArraySize={limits.max_array_size}
JobRequeue=1
ReturnToService=2

KillWait={limits.kill_wait}
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports["slurmdbd"]}
AccountingStoragePass={folder}/munge.socket
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
"""


def _slurmdbd_conf(folder: Path, ports: dict[str, int]) -> str:
    return f"""\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
{_binding()}
DbdHost={_host()}
DbdAddr=127.0.0.1
DbdPort={ports["slurmdbd"]}
SlurmUser={getpass.getuser()}
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser={getpass.getuser()}
StorageLoc=slurm
"""


def _commands(folder: Path) -> dict[str, list[str]]:
    """How each daemon is started, in the foreground."""
    arguments = {
        "munged": [
            "--foreground",
            "--force",
            f"--key-file={folder}/munge.key",
            f"--socket={folder}/munge.socket",
            f"--pid-file={folder}/munge.pid",
            f"--seed-file={folder}/munge.seed",
            f"--log-file={folder}/munge.log",
        ],
        "mariadbd": [
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={folder}/database",
            f"--socket={folder}/mariadb.socket",
            f"--pid-file={folder}/mariadb.pid",
            f"--init-file={folder}/tables.sql",
            "--skip-networking",
            "--skip-grant-tables",
            "--skip-log-bin",
            "--performance-schema=off",
            # nothing here must survive a power cut
            "--innodb-flush-method=nosync",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=8M",
            "--innodb-lock-wait-timeout=900",
        ],
        "slurmdbd": ["-D"],
        "slurmctld": ["-D", "-f", f"{folder}/slurm.conf"],
        "slurmd": ["-D", "-f", f"{folder}/slurm.conf"],
    }
    return {name: [str(program(name)), *arguments[name]] for name in DAEMONS}
