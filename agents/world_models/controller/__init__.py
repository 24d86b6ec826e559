"""Controllers: small functions of what encoder and sequence model say, and their training."""
