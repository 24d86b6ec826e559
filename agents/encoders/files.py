"""Encoders as files: settings, weights, and a hash that finds every changed bit."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from agents.base import AgentRefused
from agents.encoders.building import build_observed
from agents.encoders.interface import ObservationEncoder
from agents.encoders.observations import Observed
from agents.encoders.settings import EncoderSettings, as_builtins
from agents.rollouts.files import Temporary

_FORMAT = "encoder/1"


def encoder_hash(encoder: ObservationEncoder) -> str:
    """SHA-256 of what an encoder is: settings, observations, weights; in hexadecimal."""
    return _hash(_description(encoder), encoder.state_dict())


def save_encoder(path: Path | str, encoder: ObservationEncoder) -> str:
    """Writes an encoder: the whole file or none.

    Returns:
        its hash.

    Raises:
        OSError: it cannot be written; `path` is as it was.
    """
    described = _description(encoder)
    weights = {name: value.cpu() for name, value in encoder.state_dict().items()}
    digest = _hash(described, weights)
    content = io.BytesIO()
    torch.save({"format": _FORMAT, **described, "weights": weights, "hash": digest}, content)
    temporary = Temporary(Path(path))
    try:
        view = content.getbuffer()
        while view:
            view = view[temporary.file.write(view) :]
        temporary.publish()
    except BaseException:
        temporary.discard()
        raise
    return digest


def load_encoder(path: Path | str, device: str = "cpu") -> ObservationEncoder:
    """What `save_encoder` wrote, ready to encode.

    Raises:
        AgentRefused: it is no such file, or not, to the bit, what was written.
        OSError: it cannot be read.
    """
    data = Path(path).read_bytes()
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        if content["format"] != _FORMAT:
            raise ValueError(f"has the format {content['format']!r}, not {_FORMAT!r}")
        weights: dict[str, Tensor] = content["weights"]
        described = {name: content[name] for name in ("settings", "observed")}
        if content["hash"] != _hash(described, weights):
            raise ValueError("is damaged: its hash is another")
        settings = msgspec.convert(described["settings"], EncoderSettings)
        encoder = build_observed(settings, msgspec.convert(described["observed"], Observed), 0)
        encoder.load_state_dict(weights)
    except (
        RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError,
        AttributeError, IndexError,
    ) as error:  # fmt: skip
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AgentRefused(f"{path}: no encoder can be read from it: {problem}") from None
    return encoder.to(device).eval()


def _description(encoder: ObservationEncoder) -> dict[str, Any]:
    """Of plain values, as a file and JSON have them alike."""
    described = {
        "settings": as_builtins(encoder.settings),
        "observed": msgspec.to_builtins(encoder.observed),
    }
    plain: dict[str, Any] = json.loads(json.dumps(described))
    return plain


def _hash(described: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name, value in sorted(weights.items()):
        array = value.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
