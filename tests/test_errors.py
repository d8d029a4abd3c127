"""Every error names the argument and gives the remedy."""

import numpy as np
import pytest

from minisiam import (
    datasets,
    distances,
    encoders,
    evaluate,
    fast,
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
from minisiam.app.config import Config
from minisiam.fast.blockwise import blockwise

F = np.float64
Z = np.zeros((3, 2))
D = np.ones(3)
SAME = np.array([True, False, True])
IMAGES = np.zeros((6, 4, 4, 1), np.float32)
LABELS = np.array([0, 0, 1, 1, 2, 2])
RNG = np.random.default_rng(0)
NAN = np.where(np.arange(96).reshape(6, 4, 4, 1) == 40, np.nan, IMAGES).astype(np.float32)


BATCH = np.arange(36.0).reshape(6, 6)
TARGETS = np.array([0, 1, 2, 0, 1, 2])
HELD = blockwise(pairwise.l2, threads=1)(BATCH, BATCH)[0]


def first(stream):
    return next(iter(stream))


CASES = {
    # wrong shape or dtype
    "integers for an op": (lambda: ops.relu(np.array([1, 2])), TypeError, "x must be a floating-point"),
    "text for an op": (lambda: ops.relu(["1.5"]), TypeError, "not list of <U3: np.asarray"),
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
    "a batch of one row": (lambda: ops.batch_norm(Z[:1], D[:2], D[:2]), ValueError, "has 1: train on larger batches"),
    "a batch of one pixel": (
        lambda: layers.BatchNorm()({"scale": D[:1], "shift": D[:1], "running": (D[:1], D[:1])}, IMAGES[:1, :1, :1]),
        ValueError,
        "two or more values",
    ),
    "a group of one value": (lambda: ops.group_norm(Z, D[:2], D[:2], groups=2), ValueError, "fewer groups"),
    "groups that do not fit": (
        lambda: ops.group_norm(Z, D[:2], D[:2], groups=3),
        ValueError,
        "groups must divide the number of channels, 2",
    ),
    "a layer of groups that do not fit": (
        lambda: layers.GroupNorm(8).init(RNG, (5, 5, 12)),
        ValueError,
        "must divide the number of channels, 12",
    ),
    "no groups": (lambda: layers.GroupNorm(0), ValueError, "groups must be a whole number"),
    "a mean without a variance": (
        lambda: ops.batch_norm(Z, D[:2], D[:2], mean=D[:2]),
        ValueError,
        "both mean and variance",
    ),
    "statistics of other channels": (
        lambda: ops.batch_norm(Z, D[:2], D[:2], mean=D, variance=D),
        ValueError,
        "must have one shape",
    ),
    "a scale of other channels": (lambda: ops.layer_norm(Z, D, D), ValueError, "do not fit"),
    "one vector to normalise": (lambda: ops.layer_norm(D, D, D), ValueError, r"\(n, ..., channels\)"),
    "an epsilon of 0 in a layer": (lambda: layers.BatchNorm(epsilon=0), ValueError, "epsilon must"),
    "an epsilon of 0 for groups": (lambda: layers.GroupNorm(2, epsilon=0), ValueError, "epsilon must"),
    "an epsilon of 0 for whole examples": (lambda: layers.LayerNorm(epsilon=0), ValueError, "epsilon must"),
    "an epsilon of 0": (lambda: ops.group_norm(Z, D[:2], D[:2], groups=1, epsilon=0), ValueError, "epsilon must"),
    "embeddings of two sizes": (lambda: distances.l2(Z, np.zeros((3, 4))), ValueError, r"a \(3, 2\), b \(3, 4\)"),
    "one vector for a distance": (lambda: distances.l2(D, D), ValueError, "one embedding a row"),
    "too few weights": (
        lambda: distances.weighted_l1(Z, Z, D, np.array(0.0)),
        ValueError,
        "2 weights, one per feature of the embeddings, not 3",
    ),
    "matrix of two widths": (lambda: pairwise.l2(Z, np.zeros((2, 3))), ValueError, "same number of columns"),
    "tempered and calibrated": (
        lambda: distances.tempered(distances.calibrated(distances.l2)),
        ValueError,
        "calibrated_l2 already has parameters: use it without distances.tempered",
    ),
    "a scale of 0": (lambda: distances.tempered(distances.l2, scale=0), ValueError, "scale must be .*greater than 0"),
    "a bias that is no number": (lambda: distances.tempered(distances.l2, bias="0"), ValueError, "bias must be"),
    "no sizes to nest": (lambda: pairwise.nested(pairwise.l2, ()), ValueError, "sizes must have one size or more"),
    "a size of 0": (lambda: pairwise.nested(pairwise.l2, (2, 0)), ValueError, "sizes must be .*at least 1"),
    "a size beyond the features": (
        lambda: pairwise.nested(pairwise.l2, (1, 3))(Z, Z),
        ValueError,
        "sizes must be at most 2, the number of features, not 3",
    ),
    "one matrix for nested sizes": (
        lambda: losses.nested(losses.info_nce)(BATCH),
        ValueError,
        r"D must have the shape \(k, n, m\), a matrix for each of k sizes, not \(6, 6\)",
    ),
    "too few weights of sizes": (
        lambda: losses.nested(losses.info_nce, (1,))(np.stack([BATCH, BATCH])),
        ValueError,
        "weights must have 2 entries, one for each size, not 1",
    ),
    "a weight that is no number": (lambda: losses.nested(losses.info_nce, ("1",)), ValueError, "weights must be"),
    "no images with texts": (lambda: losses.pairwise_sigmoid(BATCH[:0, :0]), ValueError, "D is empty"),
    "more texts than images": (lambda: losses.pairwise_sigmoid(BATCH[:4]), ValueError, r"square, .* not \(4, 6\)"),
    "calibrated twice": (lambda: distances.calibrated(distances.weighted_l1), ValueError, "already has parameters"),
    "a convolution of rows": (lambda: layers.Conv(4, 3).init(RNG, (9,)), ValueError, r"\(height, width, channels\)"),
    "dense of images": (lambda: layers.Dense(4).init(RNG, (9, 9, 1)), ValueError, "put Flatten before it"),
    "an encoder for larger images": (lambda: encoders.koch(105).init(RNG, (28, 28, 1)), ValueError, "larger images"),
    "koch in a size there is not": (lambda: encoders.koch(64), ValueError, "one of 105, 35, 28, not 64"),
    "an encoder that ends in images": (
        lambda: networks.siamese(layers.Relu, distances.l2, losses.contrastive).init(RNG, (4, 4, 1)),
        ValueError,
        "end it with Flatten",
    ),
    "no layers": (lambda: layers.serial(), ValueError, "at least one layer"),
    "no sizes": (lambda: encoders.mlp(), ValueError, "the embedding size"),
    # labels
    "labels of 0 and 1": (
        lambda: losses.contrastive(D, np.array([0, 1, 1])),
        TypeError,
        r"0 = similar\), pass np.asarray\(same\) == 0",
    ),
    "labels of strings": (
        lambda: losses.binary_cross_entropy(D, np.array(["same"] * 3)),
        TypeError,
        "same must be a boolean",
    ),
    "too few labels": (lambda: losses.contrastive(D, SAME[:2]), ValueError, r"shape \(3,\), one entry per pair"),
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
    "more classes than there are": (
        lambda: samplers.pk(IMAGES, LABELS, RNG, classes=4),
        ValueError,
        "at most 3, the number of classes",
    ),
    "more images than there are": (
        lambda: samplers.pk(IMAGES, LABELS, RNG, classes=2, per_class=3),
        ValueError,
        "at most 2, since the smallest class has only 2 images",
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
        "k must be at most 3, the number of embeddings",
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
        "every must be at most 1",
    ),
    "poses there are not": (lambda: datasets.rotated(IMAGES, np.full(6, 8)), ValueError, "from 0 to 7"),
    "turning what is not square": (lambda: datasets.rotated(IMAGES[:, :3], LABELS), ValueError, "must be square"),
    "a bias for each row": (lambda: distances.weighted_l1(Z, Z, D[:2], D), ValueError, "bias must have the shape"),
    "matrix weights for a matrix": (lambda: pairwise.weighted_l1(Z, Z, Z, np.array(0.0)), ValueError, "one weight"),
    "verification without a threshold": (
        lambda: networks.verification(encoders.mlp(2), distances.l2, losses.binary_cross_entropy),
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
        lambda: losses.with_miner(losses.triplet_hinge, miners.all_triplets)(np.zeros((6, 9)), LABELS),
        ValueError,
        "D must be square",
    ),
    # losses: variables
    "half of a same": (lambda: losses.matching(BATCH, LABELS == 0), TypeError, "labels.*== support_labels"),
    "integers for same": (
        lambda: losses.matching(BATCH, (LABELS[:, None] == LABELS).astype(int)),
        TypeError,
        r"same must be a boolean array, not int64: np.asarray\(same\) == 1",
    ),
    "a boundary for each pair": (lambda: losses.margin_loss(D, D, SAME), ValueError, "beta must have the shape"),
    "targets beyond the columns": (
        lambda: losses.softmax_cross_entropy(BATCH, TARGETS + 4),
        ValueError,
        "targets must be column numbers from 0 to 5; they range from 4 to 6: .*numbers classes from 0",
    ),
    "targets below 0": (lambda: losses.proxy_anchor(BATCH, TARGETS - 1), ValueError, "range from -1 to 1"),
    "targets of floats": (lambda: losses.arcface(BATCH, TARGETS.astype(F)), TypeError, "targets must be an array of"),
    "too few targets": (lambda: losses.arcface(BATCH, TARGETS[:4]), ValueError, r"targets must have the shape \(6,\)"),
    "no images for proxies": (lambda: losses.softmax_cross_entropy(BATCH[:0], TARGETS[:0]), ValueError, "D is empty"),
    "no queries to match": (lambda: losses.matching(BATCH[:0], BATCH[:0] > 0), ValueError, "D is empty"),
    "no pairs of views": (lambda: losses.info_nce(BATCH[:0, :0]), ValueError, "D is empty"),
    "more partners than images": (lambda: losses.info_nce(BATCH[:4]), ValueError, r"must be square, .* not \(4, 6\)"),
    "centres that do not divide": (
        lambda: losses.soft_triple_distance(BATCH, centres=4),
        ValueError,
        "6 columns, which is not a multiple of centres = 4",
    ),
    "a batch of one view": (lambda: losses.vicreg(Z[:1], Z[:1]), ValueError, "two rows or more, not 1"),
    "views of two sizes": (lambda: losses.vicreg(Z, Z[:2]), ValueError, r"one shape: z1 \(3, 2\), z2 \(2, 2\)"),
    "products of two sizes": (lambda: distances.dot(Z, Z[:2]), ValueError, r"a \(3, 2\), b \(2, 2\)"),
    "products of two widths": (lambda: pairwise.dot(Z, np.zeros((2, 3))), ValueError, "same number of columns"),
    "NaN in a histogram": (lambda: losses.histogram(np.nan * BATCH, LABELS), ValueError, r"D holds nan at \(0, 0\)"),
    # losses: constants out of range
    "a temperature of 0": (lambda: losses.supcon(BATCH, LABELS, temperature=0), ValueError, "temperature .* than 0"),
    "a negative lifted margin": (lambda: losses.lifted(BATCH, LABELS, margin=-1), ValueError, "margin .* at least 0"),
    "alpha 0": (lambda: losses.multi_similarity(BATCH, LABELS, alpha=0), ValueError, "alpha must"),
    "beta below 0": (lambda: losses.multi_similarity(BATCH, LABELS, beta=-1), ValueError, "beta must"),
    "an endless threshold": (lambda: losses.multi_similarity(BATCH, LABELS, threshold=np.inf), ValueError, "threshold"),
    "no scale": (lambda: losses.circle(BATCH, LABELS, scale=0), ValueError, "scale must"),
    "a right angle": (lambda: losses.angular(BATCH, LABELS, angle=90), ValueError, "less than 90; it is 90"),
    "a margin of more than a right angle": (
        lambda: losses.tuplet_margin(BATCH, LABELS, margin=91),
        ValueError,
        "margin .* at most 90",
    ),
    "a margin of radians below 0": (lambda: losses.arcface(BATCH, TARGETS, margin=-0.5), ValueError, "margin must"),
    "no bins": (lambda: losses.histogram(BATCH, LABELS, bins=0), ValueError, "bins must be a whole number, at least 1"),
    "half a bin": (lambda: losses.fast_ap(BATCH, LABELS, bins=2.5), ValueError, "bins must be a whole number"),
    "no largest distance": (lambda: losses.fast_ap(BATCH, LABELS, largest=0), ValueError, "largest must"),
    "no centres": (lambda: losses.soft_triple_distance(BATCH, centres=0), ValueError, "centres must be a whole number"),
    "gamma 0": (lambda: losses.soft_triple_distance(BATCH, centres=2, gamma=0), ValueError, "gamma must"),
    "epsilon 0": (lambda: losses.vicreg(Z, Z, epsilon=0), ValueError, "epsilon must"),
    "a negative invariance": (lambda: losses.vicreg(Z, Z, invariance=-1), ValueError, "invariance must"),
    "a cosine beyond 1": (
        lambda: losses.cosine_embedding(D, SAME, margin=1.5),
        ValueError,
        "at least -1 and at most 1",
    ),
    "an endless margin": (lambda: losses.double_margin(D, SAME, positive_margin=np.inf), ValueError, "positive_margin"),
    "a reduction there is not": (
        lambda: losses.contrastive(D, SAME, reduction="average"),
        ValueError,
        "unknown reduction 'average': choose one of mean, mean_active, none, sum",
    ),
    "a misspelt reduction": (lambda: losses.triplet_hinge(D, D, reduction="summ"), ValueError, "did you mean 'sum'"),
    # combinators
    "all pairs of a triplet loss": (
        lambda: fast.all_pairs(losses.triplet_soft_margin),
        ValueError,
        "unknown loss 'triplet_soft_margin': choose one of contrastive",
    ),
    "all pairs of a learned loss": (lambda: fast.all_pairs(losses.margin_loss), ValueError, "unknown loss"),
    "all triplets of a pair loss": (
        lambda: fast.all_triplets(losses.contrastive),
        ValueError,
        "unknown loss 'contrastive': choose one of triplet_hinge",
    ),
    "all pairs, one by one": (
        lambda: fast.all_pairs(losses.contrastive)(BATCH, LABELS, reduction="none"),
        ValueError,
        "unknown reduction 'none'",
    ),
    "all triplets with a negative margin": (
        lambda: losses.all_triplets(losses.triplet_hinge)(BATCH, LABELS, margin=-1),
        ValueError,
        "margin must",
    ),
    "labels apart": (lambda: losses.balanced(losses.contrastive)(D, LABELS[:3]), TypeError, "same must be a boolean"),
    "nothing apart": (lambda: losses.balanced(losses.contrastive)(D[:0], SAME[:0]), ValueError, "d is empty"),
    # blockwise matrices
    "row distances made blockwise": (
        lambda: blockwise(distances.l2),
        ValueError,
        "only the distances of minisiam.pairwise",
    ),
    "no threads": (lambda: blockwise(pairwise.l2, threads=0), ValueError, "threads must"),
    "blockwise, without a reduction": (
        lambda: losses.supcon(HELD, LABELS, reduction="none"),
        TypeError,
        "reduction 'none' needs the whole matrix",
    ),
    "blockwise, for a loss that needs all": (lambda: losses.lifted(HELD, LABELS), TypeError, "D is blockwise"),
    "blockwise, for proxies": (lambda: losses.softmax_cross_entropy(HELD, TARGETS), TypeError, "D is blockwise"),
    "blockwise, for a miner of all": (
        lambda: losses.with_miner(losses.triplet_hinge, miners.all_triplets)(HELD, LABELS),
        TypeError,
        "needs the whole matrix",
    ),
    "blockwise, of two widths": (lambda: blockwise(pairwise.l2)(Z, np.zeros((2, 3))), ValueError, "number of columns"),
    # settings that contradict each other
    "hinge on pairs": (lambda: Config(network="siamese", loss="hinge"), ValueError, "reads two distances"),
    "contrastive on triplets": (
        lambda: Config(network="triplet", loss="contrastive"),
        ValueError,
        "--network siamese",
    ),
    "contrastive verification": (
        lambda: Config(network="verification", loss="contrastive"),
        ValueError,
        "whether the pair is of the same class",
    ),
    "cross-entropy of a distance": (lambda: Config(network="siamese", loss="cross-entropy"), ValueError, "log-odds"),
    "a margin for the ratio": (
        lambda: Config(network="triplet", loss="ratio", margin=1.0),
        ValueError,
        "has no margin",
    ),
    "a margin beyond every cosine": (
        lambda: Config(network="siamese", distance="cosine", margin=3.0),
        ValueError,
        "between 0 and 2",
    ),
    "the cosine of single numbers": (lambda: Config(distance="cosine", embedding_size=1), ValueError, "±1"),
    "the temperature of a hinge": (lambda: Config(loss="hinge", temperature=0.1), ValueError, "use one of supcon"),
    "no temperature": (lambda: Config(temperature=0.0), ValueError, "temperature must"),
    "a misspelt network": (lambda: Config(network="siamesse"), ValueError, "did you mean 'siamese'"),
    "a misspelt distance": (lambda: Config(distance="l3"), ValueError, "unknown distance 'l3'"),
    "a negative seed": (lambda: Config(seed=-1), ValueError, "seed must be a whole number, at least 0"),
    "no time": (lambda: Config(time_limit=0), ValueError, "time-limit must"),
    "no steps": (lambda: Config(steps=0), ValueError, "steps must"),
    "settings of another version": (
        lambda: Config.from_dict({"flavour": 1}),
        ValueError,
        "another version, which has flavour",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_error_names_the_argument_and_the_remedy(name):
    call, error, message = CASES[name]
    with pytest.raises(error, match=message):
        result = call()
        if hasattr(result, "__next__"):
            next(result)


ON_A_BATCH = {
    loss.__name__: loss
    for loss in (
        losses.supcon,
        losses.nt_xent,
        losses.nca,
        losses.n_pair,
        losses.lifted,
        losses.generalised_lifted,
        losses.multi_similarity,
        losses.circle,
        losses.tuplet_margin,
        losses.angular,
        losses.histogram,
        losses.fast_ap,
        losses.all_pairs(losses.contrastive),
        losses.all_triplets(losses.triplet_hinge),
        losses.with_miner(losses.triplet_hinge, miners.batch_hard),
    )
}
WRONG_BATCHES = {
    "one class": (BATCH, 0 * LABELS, ValueError, "no negative.*samplers.pk|two classes of two.*samplers.pk"),
    "singletons": (BATCH, np.arange(6), ValueError, "no positive.*samplers.pk|two classes of two.*samplers.pk"),
    "no image": (BATCH[:0, :0], LABELS[:0], ValueError, "empty|no positive|two classes of two"),
    "one image": (BATCH[:1, :1], LABELS[:1], ValueError, "no positive|two classes of two"),
    "two images of a class": (BATCH[:2, :2], LABELS[:2], ValueError, "no negative|two classes of two"),
    "two images of two": (BATCH[:2, :2], LABELS[1:3], ValueError, "no positive|two classes of two"),
    "float labels": (BATCH, LABELS.astype(F), TypeError, "labels must be an array of integers.*return_inverse"),
    "boolean labels": (BATCH, LABELS == 0, TypeError, "labels must be an array of integers"),
    "too few labels": (BATCH, LABELS[:5], ValueError, r"labels must have the shape \(6,\)"),
    "labels in a column": (BATCH, LABELS[:, None], ValueError, r"not \(6, 1\)"),
    "half a matrix": (
        BATCH[:3],
        LABELS,
        ValueError,
        r"D must be square, every image against every image, not \(3, 6\)",
    ),
    "one row": (BATCH[0], LABELS, ValueError, "every image against every image, not"),
    "whole numbers": (BATCH.astype(int), LABELS, TypeError, "D must be a floating-point"),
}


@pytest.mark.parametrize("wrong", WRONG_BATCHES)
@pytest.mark.parametrize("name", ON_A_BATCH)
def test_a_loss_rejects_a_wrong_batch(name, wrong):
    D, labels, error, message = WRONG_BATCHES[wrong]
    with pytest.raises(error, match=message):
        ON_A_BATCH[name](D, labels)


@pytest.mark.parametrize("name", ON_A_BATCH)
def test_a_loss_accepts_a_batch_of_three(name):
    if name != "n_pair":
        value, pullback = ON_A_BATCH[name](BATCH[:3, :3] / 9, LABELS[:3])
        assert np.isfinite(value)
        assert np.isfinite(pullback(1.0)[0]).all()


@pytest.mark.parametrize("name", sorted(ON_A_BATCH))
def test_a_loss_names_the_position_of_a_nan(name):
    holed = np.where(BATCH == 1, np.nan, BATCH)
    with pytest.raises(ValueError, match=r"D holds nan at"):
        ON_A_BATCH[name](holed, LABELS)


def test_training_reports_nan_in_the_images_for_every_loss(rng):
    for loss in (losses.supcon, losses.with_miner(losses.triplet_hinge, miners.batch_hard)):
        network = networks.batch(encoders.mlp(2), pairwise.l2, loss)
        batch = np.where(np.arange(18).reshape(6, 3) == 4, np.nan, 1.0), np.array([0, 0, 1, 1, 2, 2])
        steps = train.fit(network, network.init(rng, (3,)), optimizers.sgd(0.1), [batch])
        with pytest.raises(FloatingPointError, match=r"step 1: .*Argument 1 of the batch holds NaN"):
            next(steps)


def test_a_loss_on_triplets_rejects_a_miner_of_pairs():
    D, labels = np.ones((4, 4)), np.array([0, 0, 1, 1])
    with pytest.raises(TypeError, match=r"triplet_hinge reads triplets, and miners\.all_pairs chooses pairs"):
        losses.with_miner(losses.triplet_hinge, miners.all_pairs)(D, labels)
    with pytest.raises(TypeError, match=r"contrastive reads pairs, and miners\.batch_hard chooses triplets"):
        losses.with_miner(losses.contrastive, miners.batch_hard)(D, labels)
    with pytest.raises(ValueError, match="threads must be 1 or 2"):
        blockwise(pairwise.l2, threads=3)


@pytest.mark.parametrize(
    ("images", "cause"), [(np.full((2, 3), np.nan), "holds NaN"), (np.full((2, 3), 1e200), "smaller learning rate")]
)
def test_training_stops_at_a_loss_that_is_not_finite(rng, images, cause):
    network = networks.siamese(encoders.mlp(2), distances.squared_l2, losses.contrastive)
    params = network.init(rng, (3,))
    good = rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), np.array([True, False])
    bad = images, rng.normal(size=(2, 3)), np.array([True, False])
    steps = train.fit(network, params, optimizers.sgd(0.1), [good, bad])
    assert next(steps)[0] == 1
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=f"step 2: the loss is .*{cause}"):
        next(steps)
