"""TensorBoard event files, written by the tensorboard package itself.

It needs neither torch (tensorboardX imports it wherever it is installed) nor TensorFlow, and
whoever looks at the files has it.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.summary.writer.record_writer import RecordWriter

from experiment.writers.writer import LoggedRun, Points

_STEM = "events.out.tfevents"
_STATUS = {"completed": api_pb2.STATUS_SUCCESS, "diverged": api_pb2.STATUS_FAILURE}


class EventFile:
    """`<logs>/tensorboard/<run>/events.out.tfevents.<time>.<host>.<identity>`: a file for each
    time that the run is begun or taken up; TensorBoard reads them as one."""

    def __init__(self, run: LoggedRun) -> None:
        folder = run.folder / "tensorboard" / run.name
        folder.mkdir(parents=True, exist_ok=True)
        # an edited configuration may have given the index to another run
        earlier = sorted(folder.glob(f"{_STEM}.*.{run.identity}"))
        self.since = min(run.timestep, _last_step(earlier)) if run.timestep else 0
        name = f"{_STEM}.{time.time():017.6f}.{socket.gethostname()}.{run.identity}"
        self._path = folder / name
        # hides what an earlier file says of this timestep and later
        begin = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        events = [
            event_pb2.Event(file_version="brain.Event:2"),
            event_pb2.Event(step=self.since, session_log=begin),
        ]
        if self.since == 0:
            flat = {
                name: _plain(value) for name, value in {**run.agent_params, **run.facts}.items()
            }
            events.append(event_pb2.Event(summary=summary_v2.hparams_pb(flat, run.identity)))
        self._append(events)

    def write(self, points: Points) -> None:
        self._append(
            event_pb2.Event(
                step=timestep,
                summary=summary_pb2.Summary(
                    value=[
                        summary_pb2.Summary.Value(tag=tag, simple_value=number)
                        for tag, number in values.items()
                    ]
                ),
            )
            for timestep, values in points
        )

    def close(self, status: str | None) -> None:
        if status is None:
            return
        end = plugin_data_pb2.SessionEndInfo(status=_STATUS[status], end_time_secs=time.time())
        data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
        value = summary_pb2.Summary.Value(
            tag=metadata.SESSION_END_INFO_TAG,
            metadata=metadata.create_summary_metadata(data),
            tensor=metadata.NULL_TENSOR,
        )
        self._append([event_pb2.Event(summary=summary_pb2.Summary(value=[value]))])

    def _append(self, events: Iterable[event_pb2.Event]) -> None:
        """Opens the file anew, so that a group of a thousand runs does not hold a thousand."""
        with self._path.open("ab") as file:
            records = RecordWriter(file)
            for event in events:
                event.wall_time = time.time()
                records.write(event.SerializeToString())


def _last_step(files: Sequence[Path]) -> int:
    """The last timestep of a log; before it nothing is missing, torn as its files may be."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    last = 0
    for file in files:
        for event in EventFileLoader(str(file)).Load():
            begins = event.session_log.status == event_pb2.SessionLog.START
            last = min(last, event.step) if begins else max(last, event.step)
    return last


def _plain(value: Any) -> bool | int | float | str:
    """What TensorBoard takes for a hyperparameter; JSON of anything else."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)
