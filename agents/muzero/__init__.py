"""MuZero: a network learns what searches in its own model advise (Schrittwieser et al. 2020)."""
