"""Every loss of the registry and every miner with embeddings that it accepts, for the tests of torch and jax."""

from functools import partial

import numpy as np

from minisiam import distances, losses, miners, networks, pairwise
from minisiam.analysis import registry

N, SIZE, CLASSES = 12, 5, 3
ROWS = np.random.default_rng(1)
LABELS = ROWS.permutation(np.repeat(np.arange(CLASSES), N // CLASSES))
SAME = np.equal(LABELS, np.roll(LABELS, 1))
CALIBRATED = distances.calibrated(distances.l2)


def z(*shape):
    return ROWS.normal(size=shape or (N, SIZE))


def case(loss, distance, *batch, **options):
    return loss, distance, options, batch


# kind: the arguments of a loss of this kind
KINDS = {
    "verification": lambda loss: case(loss, CALIBRATED, z(), z(), SAME),
    "pairs": lambda loss: case(loss, distances.l2, z(), z(), SAME),
    "triplets": lambda loss: case(loss, distances.l2, z(), z(), z()),
    "matrix": lambda loss: case(loss, pairwise.cosine, z(), LABELS),
    "proxies": lambda loss: case(loss, pairwise.cosine, z(), LABELS, classes=CLASSES, size=SIZE),
    "episodes": lambda loss: case(
        loss, pairwise.l2, z(3, SIZE), np.arange(3), z(), LABELS, network=EPISODES[loss.func]
    ),
    "views": lambda loss: case(loss, VIEWS[loss], z(), z()),
}
EPISODES = {losses.softmax_cross_entropy: networks.prototypical, losses.matching: networks.matching}
VIEWS = {losses.info_nce: pairwise.cosine, losses.vicreg: None}


def seeded(miner, **options):
    """A random miner that repeats its draws."""

    def mine(D, labels):
        return miner(D, labels, rng=np.random.default_rng(0), **options)

    mine.__name__ = miner.__name__
    return mine


MINERS = registry.MINERS | {
    "random-triplets": seeded(miners.random_triplets),
    "distance-weighted": seeded(miners.distance_weighted, dimensions=SIZE),
}


def mined(name):
    found = MINERS[name](pairwise.l2(UNIT, UNIT)[0], LABELS)
    loss = losses.contrastive if isinstance(found, miners.Pairs) else losses.triplet_soft_margin
    return case(losses.with_miner(loss, MINERS[name]), pairwise.l2, UNIT, LABELS)


UNIT = z()
UNIT = UNIT / np.linalg.norm(UNIT, axis=1, keepdims=True)
CASES = {name: KINDS[registry.kind_of(name)](loss) for name, loss in registry.LOSSES.items()}
# with the weights of the paper, which the gradient treats as constants, it is not the derivative of the value
CASES["circle"] = case(losses.circle, pairwise.cosine, z(), LABELS, margin=0.25, scale=32.0, detached=False)
CASES |= {f"with {name}": mined(name) for name in registry.MINERS}
CASES |= {
    "all pairs": case(losses.all_pairs(losses.contrastive), pairwise.l2, z(), LABELS),
    "all triplets": case(losses.all_triplets(losses.triplet_soft_margin), pairwise.l2, z(), LABELS),
    "balanced": case(losses.balanced(losses.contrastive), distances.l2, z(), z(), SAME),
    "margin loss of a batch": case(losses.with_miner(losses.margin_loss, miners.all_pairs), pairwise.l2, z(), LABELS),
    "a learned distance": case(losses.supcon, pairwise.weighted_l1, z(), LABELS, size=SIZE),
    "soft triple": case(
        partial(losses.softmax_cross_entropy, margin=0.01),
        *(pairwise.cosine, z(), LABELS),
        **{"classes": CLASSES, "size": SIZE, "centres": 2, "temperature": 0.2},
    ),
}
