"""Twin delayed deterministic policy gradient."""
