"""Width-based planning without learning."""
