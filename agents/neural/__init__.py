"""Neural agents: members of a group train together, each with the bits it would have alone."""
