"""From a data set to batches. Each sampler yields, for ever, exactly the arguments of its network:

    pairs      x1, x2, same                          → networks.siamese, networks.verification
    triplets   anchor, positive, negative            → networks.triplet
    pk         x, labels                             → networks.batch
    episodes   support, support_labels, query, labels   (few-shot learning)

`neighbour_pair_indices` draws pairs of a graph, where who is similar is told image by image and not by classes.
`pair_indices`, `triplet_indices`, `pk_indices` and `episode_indices` yield the same as rows of the data set.

All but the episodes go through every image, or every class, in a new order before any comes again.
"""

from .batches import (
    PkPopulation,
    copied_pairs,
    epochs_of_pairs,
    pair_indices,
    pairs,
    pk,
    pk_indices,
    pk_population,
    triplet_indices,
    triplets,
)
from .episodes import Episode, episode_indices, episodes
from .neighbours import Graph, PairsWithin, neighbour_batch_indices, neighbour_pair_indices

__all__ = [
    "Episode",
    "Graph",
    "PairsWithin",
    "PkPopulation",
    "copied_pairs",
    "episode_indices",
    "episodes",
    "epochs_of_pairs",
    "neighbour_batch_indices",
    "neighbour_pair_indices",
    "pair_indices",
    "pairs",
    "pk",
    "pk_indices",
    "pk_population",
    "triplet_indices",
    "triplets",
]
