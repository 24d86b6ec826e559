"""plotting/report.py: its refusals, what it writes, its size and speed, and --serve."""

from __future__ import annotations

import json
import re
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Draw, refusal, runner
from large_sweep import write_large_sweep
from learning_curve_data import flat_run, make_tree, write_tree
from report_folder import ReportFolder

from plotting import report

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, str(ROOT / "plotting" / "report.py")]


@pytest.fixture
def make_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Draw:
    monkeypatch.chdir(tmp_path)
    return runner(report.main, "figure.html")


def test_one_file_holds_everything(make_report: Draw, tmp_path: Path) -> None:
    data = write_tree(tmp_path, make_tree({0: [flat_run(0, 1.0)], 1: [flat_run(0, 2.0)]}))
    result = make_report(data)
    assert result.exit_code == 0, result.output
    text = Path("figure.html").read_text()
    assert not re.findall(r"(?:src|href)=[\"'](?!#|data:)", text)
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "{{" not in text


def test_text_of_the_data_cannot_end_the_script(make_report: Draw, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>"
    make_report(write_tree(tmp_path, make_tree({0: [flat_run(0, 1.0)]}, env_name=evil)))
    text = Path("figure.html").read_text()
    assert evil not in text
    assert text.count("<script") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "figure.pdf"], "figure.pdf does not end in .html: try figure.html"),
        (["-o", "figure.html", "--serve"], "give -o report.html, or --serve"),
        (["-o", "figure.html", "--metric", "evalmean"], "did you mean eval-mean?"),
    ],
)
def test_refusals(make_report: Draw, tmp_path: Path, arguments: list[str], said: str) -> None:
    data = write_tree(tmp_path, make_tree({0: [flat_run(0, 1.0)]}))
    assert said in refusal(make_report(data, *arguments))


def test_a_folder_without_records_is_refused(make_report: Draw, tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path)
    assert "there is no record yet" in refusal(make_report(folder.path))
    assert "does not exist" in refusal(make_report("nowhere"))


def test_500_settings_of_20_seeds_in_one_megabyte_and_five_seconds(tmp_path: Path) -> None:
    data = write_large_sweep(tmp_path / "data.json")
    page = tmp_path / "report.html"
    before = _processor_seconds()
    subprocess.run([*PROGRAM, str(data), "-o", str(page)], check=True, capture_output=True)
    assert _processor_seconds() - before < 5
    assert page.stat().st_size < 1_000_000


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# -- --serve


class Served:
    """A program that serves a folder with one record."""

    def __init__(self, parent: Path) -> None:
        self.folder = ReportFolder(parent)
        self.folder.add(0)
        command = [*PROGRAM, "--serve", "--port", "0", str(self.folder.path)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        found = re.search(r"http://localhost:(\d+)", said)
        assert found, said
        self.address = f"http://127.0.0.1:{found[1]}"

    def get(self, path: str, **headers: str) -> tuple[bytes, str]:
        """The answer's body and ETag."""
        request = urllib.request.Request(self.address + path, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read(), answer.headers.get("ETag", "")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    found = Served(tmp_path)
    yield found
    found.process.send_signal(signal.SIGINT)
    said, complained = found.process.communicate(timeout=60)
    assert (found.process.returncode, complained) == (0, "")
    assert said.endswith("ended\n")


def test_the_server_follows_the_runs_and_leaves_with_ctrl_c(served: Served) -> None:
    page, _ = served.get("/")
    assert b'data-source="live"' in page
    data, version = served.get("/data")
    assert json.loads(data)["experiments"][0]["standing"]["counts"]["completed"] == 1
    with pytest.raises(urllib.error.HTTPError, match="304"):
        served.get("/data", **{"If-None-Match": version})
    served.folder.add(1, 2)
    newer = version
    while newer == version:  # content is made for a part of the time only
        data, newer = served.get("/data")
        time.sleep(0.05)
    assert json.loads(data)["experiments"][0]["standing"]["counts"]["completed"] == 3
    for path, headers, code in (("/etc/passwd", {}, "404"), ("/", {"Host": "evil.org:80"}, "403")):
        with pytest.raises(urllib.error.HTTPError, match=code):
            served.get(path, **headers)
