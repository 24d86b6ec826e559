"""Sizes of the work of all sides of `imagination.py`: those that IRIS was published with."""

SIDE = 64
VOCABULARY, TOKENS = 512, 16
ACTIONS = 4
#: Trajectories at once, and frames that each imagines after its first.
BATCH, STEPS = 16, 20
