"""Tree search with a learned model: pUCT, Gumbel and Q-value search over batches of roots.

`search.Search` grows a tree from each of B latent states, by what a `model.Model` says of each next
one, and returns visit counts, values and a policy to learn from. It knows no network library.
"""
