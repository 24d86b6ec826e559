"""Rollouts on disk: written by many processes, checked, and read at random."""
