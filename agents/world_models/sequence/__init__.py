"""Sequence models: what comes next in latent space (Ha and Schmidhuber 2018)."""
