"""`slurm`: a cluster of its own for each test process, as each test finds it: up and empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slurm_cluster import SlurmCluster, require_slurm


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps what needs the cluster in one process, so that one cluster does (--dist loadgroup)."""
    for item in items:
        if "slurm" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("slurm"))


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[SlurmCluster]:
    require_slurm()
    cluster = SlurmCluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def slurm(running_cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmCluster]:
    """The cluster; it is also the one that every command of Slurm finds."""
    running_cluster.lead_commands_here(monkeypatch)
    yield running_cluster
    print(running_cluster.logs())  # pytest shows it for a test that failed
    running_cluster.cancel_everything()
