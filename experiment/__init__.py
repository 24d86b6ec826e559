"""From two JSON files and an index to a run record: the machinery of sweeps."""
