"""The page on this machine, following the runs: python plotting/report.py --serve DIR..."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click

from experiment.manifest import FILE_NAME
from experiment.merge_folder import is_record_name
from plotting.data_file import DATA_FILE, BadInput
from plotting.html_report.content import content
from plotting.html_report.page import encoded, page
from plotting.html_report.sources import open_source

ADDRESS = "127.0.0.1"
#: Of the time at most this share goes into making content.
_SHARE = 0.25
_WAITING = (
    "<!DOCTYPE html><meta charset=utf-8><meta http-equiv=refresh content=3><title>waiting</title>"
    "<body style='font: 16px system-ui; margin: 4em'><p>Nothing to show yet: {}</p>"
)


class Watch:
    """The newest content of some folders, made anew when something has changed in them."""

    def __init__(self, folders: Sequence[Path], runs: int | None, metric: str | None) -> None:
        self._folders, self._runs, self._metric = folders, runs, metric
        self._seen: list[Any] = []
        self._rest_until = 0.0
        self._lock = threading.Lock()
        self.content: dict[str, Any] | None = None
        self.version = ""
        self.problem = ""

    def look(self) -> None:
        """Makes the content anew if that is due.

        Raises:
            BadInput: and there was no content before.
        """
        with self._lock:
            seen = [_state(folder) for folder in self._folders]
            if seen == self._seen or time.monotonic() < self._rest_until:
                return
            began = time.monotonic()
            try:
                sources = [open_source(folder, self._runs) for folder in self._folders]
                self.content, self.problem = content(sources, self._metric), ""
            except BadInput as error:
                self.problem = str(error)  # a folder that is being written; the content stays
            else:
                digest = hashlib.sha256(encoded(self.content | {"made": ""}))
                self.version = f'"{digest.hexdigest()[:16]}"'
            self._seen = seen
            took = time.monotonic() - began
            self._rest_until = time.monotonic() + took * (1 / _SHARE - 1)


def _state(path: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times that change when a run begins, ends or fails."""
    if (path / FILE_NAME).is_file():
        # the folder's own time says nothing: combining writes into it
        files = [path / FILE_NAME, path / "running"]
        files += sorted([*path.glob("jobs/*/*.jsonl"), *path.glob("jobs/*/sender.lock")])
        found = [("records", sum(map(is_record_name, os.listdir(path))), 0)]  # noqa: PTH208
    else:
        files, found = [path, path / DATA_FILE], []
    for file in files:
        with contextlib.suppress(OSError):
            stat = file.stat()
            found.append((str(file), stat.st_size, stat.st_mtime_ns))
    return found


class PageServer(ThreadingHTTPServer):
    """Serves what `watch` has; port 0 is any that is free."""

    daemon_threads = True

    def __init__(self, port: int, watch: Watch) -> None:
        super().__init__((ADDRESS, port), _Handler)
        self.watch = watch


class _Handler(BaseHTTPRequestHandler):
    server: PageServer

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").rpartition(":")[0]
        if host not in ("localhost", ADDRESS):  # another site's name for this machine
            self._answer(403, "text/plain", b"only at localhost\n")
        elif self.path in ("/", "/data"):
            self.server.watch.look()
            (self._page if self.path == "/" else self._data)()
        else:
            self._answer(404, "text/plain", b"there is / and /data\n")

    def _page(self) -> None:
        watch = self.server.watch
        if watch.content is None:
            body = _WAITING.format(watch.problem).encode()
        else:
            body = page(watch.content, live=True)
        self._answer(200, "text/html; charset=utf-8", body)

    def _data(self) -> None:
        watch = self.server.watch
        if self.headers.get("If-None-Match") == watch.version:
            self._answer(304, "application/json", b"")
            return
        body = encoded(watch.content) if watch.content is not None else json.dumps({}).encode()
        self._answer(200, "application/json", body, {"ETag": watch.version})

    def _answer(
        self, code: int, kind: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(code)
        fixed = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
        }
        for name, value in (fixed | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the browser has left
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are not worth a line."""


def serve(folders: Sequence[Path], port: int, runs: int | None, metric: str | None) -> None:
    """Until Ctrl-C.

    Raises:
        BadInput: a folder is not there, or the port is taken.
    """
    for folder in folders:
        if not folder.exists():
            raise BadInput(f"{folder} does not exist: give a results folder or a data.json")
    watch = Watch(folders, runs, metric)
    watch.look()
    if watch.problem:
        click.echo(f"waiting: {watch.problem}", err=True)
    try:
        server = PageServer(port, watch)
    except OSError as error:
        raise BadInput(f"port {port}: {error.strerror}; try --port 0") from None
    with server:
        click.echo(f"http://localhost:{server.server_port} follows the runs; Ctrl-C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever(poll_interval=0.2)
    click.echo("ended")
