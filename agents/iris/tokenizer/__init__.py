"""Tokenizers: frames to K tokens of a vocabulary of V, and back."""
