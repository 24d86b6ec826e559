"""How many files a submission makes on PBS and LSF, as docs/scheduling.md says for quotas."""

from __future__ import annotations

from pathlib import Path

import pytest
from batch_site import Site
from batch_submission import wait_for_the_end


@pytest.mark.parametrize("scheduler", ["pbs", "lsf"])
def test_the_page_counts_right(
    scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(scheduler, tmp_path, monkeypatch)
    try:
        sent = site.send(["0-1", "2"])
        wait_for_the_end(site.scheduler, sent)
    finally:
        site.end()
    made = [path.name for path in sent.folder.iterdir()]
    assert len(made) == 4 + 3 * len(sent.tasks), made
