"""Linear agents on tile-coded features: no torch, microseconds a step."""
