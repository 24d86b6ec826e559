"""Several processes that learn the same networks, each from a share of every batch."""
