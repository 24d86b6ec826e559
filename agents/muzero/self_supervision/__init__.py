"""What states of the model are drawn to beside rewards, values and policies."""
