"""IRIS: an agent that learns in the imagination of a world model over tokens.

Micheli, Alonso and Fleuret, Transformers are Sample-Efficient World Models, 2023. A tokenizer turns
each frame into K tokens of a vocabulary of V; a world model predicts the next frame's tokens, the
reward and the end from tokens and actions so far; an actor-critic sees decoded frames and learns
from imagined trajectories alone.

`actions[t]` was chosen on seeing frame t; `rewards[t]`, `ends[t]` and frame t + 1 came of it.
"""
