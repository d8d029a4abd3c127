"""What should the distances be?     value, pullback = loss(distances, /, targets, margin)

A loss depends on distances only, so any loss can be combined with any distance and any encoder. By default it is the
mean over its terms, so its value does not grow with the batch; `reduction` selects another.

    pairs        d (n,), same        contrastive double_margin pair_hinge margin_loss cosine_embedding
                                     binary_cross_entropy
    triplets     d₊, d₋ (n,)         triplet_hinge triplet_soft_margin triplet_ratio
    a batch      D (n, n), labels    with_miner(loss, miner) all_pairs(loss) all_triplets(loss)
                                     supcon nt_xent nca n_pair lifted generalised_lifted multi_similarity
                                     circle tuplet_margin angular histogram fast_ap
    two sets     D (n, m), targets   softmax_cross_entropy info_nce pairwise_sigmoid matching
                                     arcface proxy_anchor soft_triple_distance
    nested sizes D (k, n, m)         nested(loss, weights)
    embeddings   z₁, z₂ (n, d)       vicreg
    weights      W                   l2_penalty
"""

from .angular_margin import angular, arcface, tuplet_margin
from .combinators import all_pairs, all_triplets, balanced, nested, with_miner
from .histograms import fast_ap, histogram
from .image_text import pairwise_sigmoid
from .lifted_structure import circle, generalised_lifted, lifted, multi_similarity
from .pairs import binary_cross_entropy, contrastive, cosine_embedding, double_margin, margin_loss, pair_hinge
from .penalties import l2_penalty, vicreg
from .proxies import proxy_anchor, soft_triple_distance
from .several_positives import nca, nt_xent, supcon
from .softmax import info_nce, matching, n_pair, softmax_cross_entropy
from .triplets import triplet_hinge, triplet_ratio, triplet_soft_margin

__all__ = [
    "all_pairs", "all_triplets", "angular", "arcface", "balanced", "binary_cross_entropy", "circle",
    "contrastive", "cosine_embedding", "double_margin", "fast_ap", "generalised_lifted", "histogram", "info_nce",
    "l2_penalty", "lifted", "margin_loss", "matching", "multi_similarity", "n_pair", "nca", "nested", "nt_xent",
    "pair_hinge", "pairwise_sigmoid", "proxy_anchor", "soft_triple_distance", "softmax_cross_entropy", "supcon",
    "triplet_hinge", "triplet_ratio", "triplet_soft_margin", "tuplet_margin", "vicreg", "with_miner",
]  # fmt: skip
