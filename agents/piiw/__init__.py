"""Policy-guided Rollout IW, flat and hierarchical: a network learns what planning found."""
