"""Policy-guided Rollout IW, flat and hierarchical: planning that a network guides and learns from."""
