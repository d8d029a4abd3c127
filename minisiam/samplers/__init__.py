"""From a data set to batches. Each sampler is an infinite iterator over the arguments of a network:

    pairs      x1, x2, same                          → networks.siamese, networks.verification
    triplets   anchor, positive, negative            → networks.triplet
    pk         x, labels                             → networks.batch
    episodes   support, support_labels, query, labels   → networks.prototypical, networks.matching

`pair_indices`, `triplet_indices`, `pk_indices` and `episode_indices` yield the same as row numbers of the data set.

All samplers except the episodes use every image, or every class, once per epoch, in a new random order.
"""

from .batches import (
    pair_indices,
    pairs,
    pk,
    pk_indices,
    triplet_indices,
    triplets,
)
from .episodes import Episode, episode_indices, episodes

__all__ = [
    "Episode", "episode_indices", "episodes", "pair_indices", "pairs", "pk", "pk_indices", "triplet_indices",
    "triplets",
]  # fmt: skip
