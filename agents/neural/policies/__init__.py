"""Policies: laws of the action, parameterised by the linear outputs of a network."""
