"""Watching and playing: an environment, a world model or a saved episode, in a window or a file."""
