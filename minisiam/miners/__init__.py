"""Miners choose the pairs or triplets of a batch that a loss uses.     chosen = miner(D, labels)

`D` is (n, n), the distance of every image of a batch from every other. It may be asymmetric: the row is the anchor.
`labels` are (n,) integers in any order, for classes of any size. A miner returns a named tuple of index arrays,
`Pairs(rows, columns, same)` or `Triplets(anchor, positive, negative)`. Both have `.entries`, the entries of D that a
loss takes, and `.targets`, its other arguments, for `losses.with_miner`.

A miner has no gradient and no state. A batch without a positive pair, or without a negative pair, is an error. An
anchor without a positive is left out. A miner that finds nothing returns empty arrays, and the loss is then 0.
"""

from .hardest import batch_easy_hard, batch_hard, semi_hard_facenet, semi_hard_tensorflow
from .pairs import all_pairs, hardest_pairs, multi_similarity, ordered_pairs, pair_margin
from .random import distance_weighted, random_triplets
from .triplets import all_triplets, angular, easy, hard, triplet_margin
from .types import Pairs, Triplets

__all__ = [
    "Pairs", "Triplets", "all_pairs", "all_triplets", "angular", "batch_easy_hard", "batch_hard",
    "distance_weighted", "easy", "hard", "hardest_pairs", "multi_similarity", "ordered_pairs", "pair_margin",
    "random_triplets", "semi_hard_facenet", "semi_hard_tensorflow", "triplet_margin",
]  # fmt: skip
