"""The compiled inner loops of planning: random numbers, novelty, and growing a tree by rollouts."""
