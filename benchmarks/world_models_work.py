"""Sizes of the work of both sides of `world_models.py`."""

SIDE, LATENTS, ACTIONS = 64, 32, 3
HIDDEN, MIXTURES = 256, 5
BATCH = 100
#: Rollouts of a collection, and steps of one.
COLLECTED, STEPS = 2, 250
#: Steps of a rollout that is read.
READ_STEPS = 500
#: Data sets by the number of their rollouts. The peer keeps 16 rollouts in memory.
FEW, MANY = 16, 64
BATCHES, UPDATES = 8, 4
#: Steps of a dream by the number of its members.
DREAMT = {1: 1000, 64: 200}
POPULATION, GENERATIONS = 16, 2
#: Steps of a candidate, in the dream and in the environment.
DREAM_STEPS, ENVIRONMENT_STEPS = 250, 30
