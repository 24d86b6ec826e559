"""World models: rollouts, an encoder, a sequence model, and a controller that acts on both."""
