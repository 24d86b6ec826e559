"""MuZero over sampled actions, for boxes of them (Hubert et al. 2021)."""
