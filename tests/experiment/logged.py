"""What logs hold, as (timestep, value) by tag, and what they should."""

from __future__ import annotations

import importlib
import json
import struct
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

Series = dict[str, list[tuple[int, float]]]


def in_the_record(run: Mapping[str, Any]) -> Series:
    """What the logs of a run should hold: without an episode that never ended."""
    lengths = run["train_episode_steps"]
    if run["last_episode_unfinished"]:
        lengths = lengths[:-1]
    ends = list(accumulate(lengths))
    means = [sum(returns) / len(returns) for returns in run["eval_episode_rewards"]]
    series = {
        "train/episode_return": list(zip(ends, run["train_episode_rewards"], strict=False)),
        "train/episode_length": list(zip(ends, lengths, strict=True)),
        "eval/return_mean": list(zip(run["timesteps_at_eval"], means, strict=True)),
    }
    for name, points in run["metrics"].items():
        series[f"metrics/{name}"] = list(zip(points["timestep"], points["value"], strict=True))
    return {tag: points for tag, points in series.items() if points}


def in_tensorboard(folder: Path) -> Series:
    """As TensorBoard reads a folder of event files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def hyperparameters_in_tensorboard(folder: Path) -> dict[str, bool | float | str]:
    """As its HParams page reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    events = EventAccumulator(str(folder)).Reload()
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    found = metadata.parse_session_start_info_plugin_data(content).hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in found.items()}


def wandb_records(file: Path) -> Iterator[Any]:
    """The records of a .wandb file: a log of LevelDB's format after a header of 7 bytes."""
    messages: Any = importlib.import_module("wandb.proto.wandb_internal_pb2")
    data, at, parts = file.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = messages.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def in_wandb(file: Path) -> tuple[dict[str, Any], Series]:
    """(configuration, series) of an offline run, which has begun once and ended once."""
    records = list(wandb_records(file))
    (begun,) = [each.run for each in records if each.WhichOneof("record_type") == "run"]
    assert sum(each.WhichOneof("record_type") == "exit" for each in records) == 1
    series: Series = {}
    for each in records:
        if each.WhichOneof("record_type") == "history":
            keys = [item.key or ".".join(item.nested_key) for item in each.history.item]
            row = dict(
                zip(keys, (json.loads(i.value_json) for i in each.history.item), strict=True)
            )
            assert row["global_step"] == row["_step"]
            for tag in sorted(row):
                if "/" in tag:
                    series.setdefault(tag, []).append((row["_step"], row[tag]))
    config = {item.key: json.loads(item.value_json) for item in begun.config.update}
    return config | {"name": begun.display_name, "group": begun.run_group}, series
