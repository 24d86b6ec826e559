"""MuZero: what a search in a learned model advises, a network learns (Schrittwieser et al. 2020)."""
