"""Bad input gets an error that names the argument and says what to do."""

import numpy as np
import pytest

from minisiam import (
    datasets,
    distances,
    encoders,
    evaluate,
    initializers,
    layers,
    losses,
    miners,
    networks,
    ops,
    optimizers,
    pairwise,
    samplers,
    train,
)
from minisiam.methods import Settings

F = np.float64
Z = np.zeros((3, 2))
D = np.ones(3)
SAME = np.array([True, False, True])
IMAGES = np.zeros((6, 4, 4, 1), np.float32)
LABELS = np.array([0, 0, 1, 1, 2, 2])
RNG = np.random.default_rng(0)
NAN = np.where(np.arange(96).reshape(6, 4, 4, 1) == 40, np.nan, IMAGES).astype(np.float32)


def first(stream):
    return next(iter(stream))


CASES = {
    # wrong shape or dtype
    "integers for an op": (lambda: ops.relu(np.array([1, 2])), TypeError, "x must be a floating-point"),
    "a list for an op": (lambda: ops.relu([1.0]), TypeError, "not list"),
    "images for dense": (lambda: ops.dense(np.zeros((2, 3, 3)), Z, D), ValueError, "flatten before a dense"),
    "dense that does not fit": (lambda: ops.dense(Z, np.zeros((3, 2)), np.zeros(2)), ValueError, "do not fit"),
    "conv that does not fit": (
        lambda: ops.conv2d(np.zeros((1, 5, 5, 2)), np.zeros((3, 3, 1, 4)), np.zeros(4)),
        ValueError,
        "do not fit",
    ),
    "conv larger than its image": (
        lambda: ops.conv2d(np.zeros((1, 2, 2, 1)), np.zeros((3, 3, 1, 4)), np.zeros(4)),
        ValueError,
        "smaller than the 3×3 kernel: use padding='same'",
    ),
    "conv with an unknown padding": (
        lambda: ops.conv2d(np.zeros((1, 5, 5, 1)), np.zeros((3, 3, 1, 4)), np.zeros(4), padding="sane"),
        ValueError,
        "did you mean 'same'",
    ),
    "a block larger than the image": (
        lambda: ops.max_pool(np.zeros((1, 1, 4, 1))),
        ValueError,
        "smaller than one block",
    ),
    "a mask of numbers": (lambda: ops.dropout(Z, np.ones((3, 2))), ValueError, r"rng.random\(x.shape\) >= rate"),
    "dropping everything": (lambda: ops.dropout(Z, Z == 0, rate=1), ValueError, "less than 1"),
    "embeddings of two sizes": (lambda: distances.l2(Z, np.zeros((3, 4))), ValueError, r"a \(3, 2\), b \(3, 4\)"),
    "one vector for a distance": (lambda: distances.l2(D, D), ValueError, "one embedding a row"),
    "too few weights": (
        lambda: distances.weighted_l1(Z, Z, D, np.array(0.0)),
        ValueError,
        "3 weights for embeddings of 2",
    ),
    "matrix of two widths": (lambda: pairwise.l2(Z, np.zeros((2, 3))), ValueError, "same number of columns"),
    "calibrated twice": (lambda: distances.calibrated(distances.weighted_l1), ValueError, "already learns"),
    "a convolution of rows": (lambda: layers.Conv(4, 3).init(RNG, (9,)), ValueError, r"\(height, width, channels\)"),
    "dense of images": (lambda: layers.Dense(4).init(RNG, (9, 9, 1)), ValueError, "put Flatten before it"),
    "an encoder for larger images": (lambda: encoders.koch(105).init(RNG, (28, 28, 1)), ValueError, "larger images"),
    "koch in a size there is not": (lambda: encoders.koch(64), ValueError, "105, 35, 28 pixels, not 64"),
    "an encoder that ends in images": (
        lambda: networks.siamese(layers.Relu, distances.l2, losses.contrastive).init(RNG, (4, 4, 1)),
        ValueError,
        "end it with Flatten",
    ),
    "no layers": (lambda: layers.serial(), ValueError, "at least one layer"),
    "no sizes": (lambda: encoders.mlp(), ValueError, "the embedding's"),
    # labels
    "labels of 0 and 1": (
        lambda: losses.contrastive(D, np.array([0, 1, 1])),
        TypeError,
        r"0 = similar\) pass labels == 0",
    ),
    "labels of strings": (lambda: losses.cross_entropy(D, np.array(["same"] * 3)), TypeError, "same must be a boolean"),
    "labels in a list": (lambda: losses.contrastive(D, [True, False, True]), TypeError, "not list"),
    "too few labels": (lambda: losses.contrastive(D, SAME[:2]), ValueError, "each of the 3 pairs"),
    "float class labels": (lambda: samplers.pk(IMAGES, LABELS.astype(F), RNG), TypeError, "return_inverse"),
    "labels for another batch": (lambda: evaluate.few_shot(Z, LABELS, RNG), ValueError, r"shape \(3,\)"),
    # empty, one class, one image
    "an empty batch": (lambda: losses.triplet_hinge(D[:0], D[:0]), ValueError, "positive is empty"),
    "an empty batch of pairs": (lambda: losses.contrastive(D[:0], SAME[:0]), ValueError, "d is empty"),
    "no images": (lambda: samplers.pairs(IMAGES[:0], LABELS[:0], RNG), ValueError, "images is empty"),
    "a batch of one class": (lambda: miners.batch_hard(np.zeros((2, 2)), np.array([1, 1])), ValueError, "no negative"),
    "a batch without positives": (
        lambda: miners.all_pairs(np.zeros((2, 2)), np.array([0, 1])),
        ValueError,
        "samplers.pk",
    ),
    "one class only": (lambda: samplers.triplets(IMAGES, 0 * LABELS, RNG), ValueError, "need a second class"),
    "one image a class": (lambda: samplers.pairs(IMAGES, np.arange(6), RNG), ValueError, r"class 0 has one image"),
    "alone in its group": (
        lambda: samplers.triplets(IMAGES, LABELS, RNG, groups=LABELS),
        ValueError,
        "alone in its group",
    ),
    "a class in two groups": (
        lambda: samplers.triplets(IMAGES, LABELS, RNG, groups=np.array([0, 1, 0, 0, 1, 1])),
        ValueError,
        "in two groups",
    ),
    "groups of another length": (
        lambda: samplers.pairs(IMAGES, LABELS, RNG, groups=LABELS[:2]),
        ValueError,
        "groups must",
    ),
    "more classes than there are": (lambda: samplers.pk(IMAGES, LABELS, RNG, classes=4), ValueError, "only 3 of them"),
    "more images than there are": (
        lambda: samplers.pk(IMAGES, LABELS, RNG, classes=2, per_class=3),
        ValueError,
        "smallest class has only 2",
    ),
    "fewer classes than ways": (
        lambda: evaluate.few_shot(np.zeros((6, 2)), LABELS, RNG, way=4),
        ValueError,
        "smaller way",
    ),
    "fewer drawers than shots": (
        lambda: first(samplers.episode_indices(LABELS, RNG, way=2, drawers=0 * LABELS)),
        ValueError,
        "only 1 drawers",
    ),
    "images without labels": (lambda: samplers.pairs(IMAGES, LABELS[:4], RNG), ValueError, "6 images and 4 labels"),
    "only same pairs to verify": (lambda: evaluate.roc(D, SAME | True), ValueError, "no different pair"),
    "more neighbours than there are": (
        lambda: evaluate.knn_accuracy(Z, LABELS[:3], Z, LABELS[:3], k=4),
        ValueError,
        "only 3 embeddings",
    ),
    # NaN
    "NaN images": (lambda: samplers.pairs(NAN, LABELS, RNG), ValueError, r"nan at \(2, 2, 0, 0\)"),
    "NaN embeddings": (lambda: evaluate.few_shot(np.full((6, 2), np.nan), LABELS, RNG), ValueError, "z holds nan"),
    # out of range
    "a margin of nothing": (lambda: losses.contrastive(D, SAME, margin=0), ValueError, "margin must be"),
    "a negative margin": (lambda: losses.triplet_hinge(D, D, margin=-1), ValueError, "at least 0"),
    "a margin of NaN": (lambda: losses.triplet_hinge(D, D, margin=np.nan), ValueError, "finite number"),
    "a share above one": (lambda: samplers.pairs(IMAGES, LABELS, RNG, same=1.5), ValueError, "at most 1"),
    "half an image": (lambda: samplers.pairs(IMAGES, LABELS, RNG, size=2.5), ValueError, "whole number"),
    "a seed for a generator": (lambda: samplers.pairs(IMAGES, LABELS, 0), TypeError, "default_rng"),
    "a negative learning rate": (lambda: optimizers.sgd(-0.1), ValueError, "learning_rate must"),
    "a negative std": (lambda: initializers.normal(-1), ValueError, "std must"),
    "glyphs too small": (lambda: datasets.pen_glyphs(size=8), ValueError, "at least 14"),
    "a letter there is not": (lambda: datasets.posed_glyphs("漢"), ValueError, "no skeleton for 漢"),
    "images without a channel": (lambda: datasets.centred(IMAGES[..., 0]), ValueError, "channels"),
    "too few alphabets": (
        lambda: datasets.split(datasets.Dataset(IMAGES, LABELS, 0 * LABELS, LABELS, ("a",))),
        ValueError,
        "cannot hold out",
    ),
    "poses there are not": (lambda: datasets.turned(IMAGES, np.full(6, 8)), ValueError, "from 0 to 7"),
    "turning what is not square": (lambda: datasets.turned(IMAGES[:, :3], LABELS), ValueError, "only square"),
    "a bias for each row": (lambda: distances.weighted_l1(Z, Z, D[:2], D), ValueError, "bias must have the shape"),
    "matrix weights for a matrix": (lambda: pairwise.weighted_l1(Z, Z, Z, np.array(0.0)), ValueError, "one weight"),
    "verification without a threshold": (
        lambda: networks.verification(encoders.mlp(2), distances.l2, losses.cross_entropy),
        ValueError,
        r"pass distances.calibrated\(l2\)",
    ),
    "drawers of another length": (
        lambda: first(samplers.episode_indices(LABELS, RNG, way=2, drawers=LABELS[:2])),
        ValueError,
        "drawers must have one entry",
    ),
    "drawers that share no class": (
        lambda: first(samplers.episode_indices(LABELS, RNG, way=3, drawers=np.arange(6))),
        ValueError,
        "use a smaller way",
    ),
    "a decay of one": (lambda: optimizers.adam(beta1=1.0), ValueError, "beta1 must be a finite number, .* less than 1"),
    "a momentum of one": (lambda: optimizers.sgd(0.1, momentum=1.0), ValueError, "less than 1"),
    "no epsilon": (lambda: optimizers.adam(epsilon=0), ValueError, "epsilon must"),
    "no queries": (lambda: evaluate.knn_accuracy(Z, LABELS[:3], Z[:0], LABELS[:0]), ValueError, "queries is empty"),
    "half a matrix": (
        lambda: losses.over(losses.triplet_hinge, miners.all_triplets)(np.zeros((6, 9)), LABELS),
        ValueError,
        "D must be square",
    ),
    # combinations that make no sense say why
    "hinge on pairs": (lambda: Settings(network="siamese", loss="hinge"), ValueError, "reads two distances"),
    "contrastive on triplets": (
        lambda: Settings(network="triplet", loss="contrastive"),
        ValueError,
        "--network siamese",
    ),
    "contrastive verification": (
        lambda: Settings(network="verification", loss="contrastive"),
        ValueError,
        "whether the pair is the same",
    ),
    "cross-entropy of a distance": (lambda: Settings(network="siamese", loss="cross-entropy"), ValueError, "log-odds"),
    "a margin for the ratio": (
        lambda: Settings(network="triplet", loss="ratio", margin=1.0),
        ValueError,
        "has no margin",
    ),
    "a margin beyond every cosine": (
        lambda: Settings(network="siamese", distance="cosine", margin=3.0),
        ValueError,
        "between 0 and 2",
    ),
    "the cosine of single numbers": (lambda: Settings(distance="cosine", embedding_size=1), ValueError, "±1"),
    "a misspelt network": (lambda: Settings(network="siamesse"), ValueError, "did you mean 'siamese'"),
    "a misspelt distance": (lambda: Settings(distance="l3"), ValueError, "unknown distance 'l3'"),
    "a negative seed": (lambda: Settings(seed=-1), ValueError, "seed must be a whole number, at least 0"),
    "no time": (lambda: Settings(minutes=0), ValueError, "minutes must"),
    "no steps": (lambda: Settings(steps=0), ValueError, "steps must"),
    "settings of another version": (lambda: Settings.of({"flavour": 1}), ValueError, "flavour is unknown here"),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name):
    call, error, message = CASES[name]
    with pytest.raises(error, match=message):
        result = call()
        if hasattr(result, "__next__"):
            next(result)


@pytest.mark.parametrize(
    ("images", "cause"), [(np.full((2, 3), np.nan), "holds NaN"), (np.full((2, 3), 1e200), "smaller learning rate")]
)
def test_a_loss_that_is_not_finite_stops_the_training(rng, images, cause):
    network = networks.siamese(encoders.mlp(2), distances.squared_l2, losses.contrastive)
    params = network.init(rng, (3,))
    good = rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), np.array([True, False])
    bad = images, rng.normal(size=(2, 3)), np.array([True, False])
    steps = train.fit(network, params, optimizers.sgd(0.1), [good, bad])
    assert next(steps)[0] == 1
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=f"step 2: the loss is .*{cause}"):
        next(steps)
