"""Figures and tables from combined results; knows data.json, no agent and no environment."""
