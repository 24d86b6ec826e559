"""Observation encoders: from pictures or vectors to small latent vectors, and back."""
