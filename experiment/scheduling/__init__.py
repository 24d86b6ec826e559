"""From a cluster file and indices to jobs: the machinery that hands runs to a scheduler."""
