"""Actor-critic by the forward KL divergence."""
