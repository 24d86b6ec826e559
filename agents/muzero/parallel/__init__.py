"""MuZero in several processes: actors, and learners that share their gradients."""
