"""The compiled loops of a search: trees, and small networks inside of them.

What they compute is said, in numpy, in `agents.search.plain`; the names are the same.
"""

from agents.search.kernels.batches import begin, finish, grow, select
from agents.search.kernels.whole import search_mlp, search_sampled

__all__ = ["begin", "finish", "grow", "search_mlp", "search_sampled", "select"]
