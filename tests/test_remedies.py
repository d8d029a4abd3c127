"""Every remedy that an error of the core prints as code cures it: the code is taken from the message and run.

A row of CURES has the call that fails, the code that its message must print, and the call with that code in it.
A message that prints code and has no row here fails the last test.
"""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from arrays import Frame, OnDevice, Sparse, Tensor, matrix
from test_architecture import CORE_ORDER

import minisiam
from minisiam import datasets, distances, encoders, fast, layers, losses, miners, networks, ops, pairwise, samplers
from minisiam.analysis import statistics
from minisiam.datasets import augment
from minisiam.fast.blockwise import blockwise

F = np.float64
MODULES = (
    augment,
    datasets,
    statistics,
    distances,
    encoders,
    fast,
    layers,
    losses,
    miners,
    networks,
    ops,
    pairwise,
    samplers,
)
LABELS = np.repeat([7, -3, 2, 30], 3)
Z = np.random.default_rng(0).normal(size=(12, 4))
D = pairwise.l2(Z, Z)[0]
IMAGES = np.random.default_rng(1).random((12, 20, 20, 1))
HELD = blockwise(pairwise.l2, threads=1)(Z, Z)[0]
PROTOTYPES = networks.prototypical(encoders.mlp(2), pairwise.l2, losses.softmax_cross_entropy)
PARAMS = PROTOTYPES.init(np.random.default_rng(0), (4,))


def names(**inputs):
    """What a reader of the message has at hand: the library, a generator, and the inputs of the call."""
    at_hand = dict(vars(minisiam), np=np, **{f.__name__: f for f in (pairwise.l2, encoders.mlp, fast.conv2d_im2row)})
    at_hand |= {module.__name__.rpartition(".")[2]: module for module in MODULES}
    at_hand |= {"rng": np.random.default_rng(0), "images": IMAGES, "labels": LABELS, "z": Z, "D": D}
    return at_hand | {"draw_affine": augment.draw_affine, "Flatten": layers.Flatten, **inputs}


FLOATING = "np.asarray({}, np.float32)"
INTEGERS = "np.unique(labels, return_inverse=True)[1]"
MASKED = np.ma.array(Z, mask=Z > 1)
RECORDS = np.array([(1.0, 2.0), (3.0, 5.0)], [("x", float), ("y", float)])
DRAW = "samplers.pk"
WITHOUT_MISSING = "keep = ~np.isin(np.asarray({}).astype(str), ['nan', 'None', '<NA>'])"
WITH_TWO = "keep = np.isin(labels, [label for label, n in zip(*np.unique(labels, return_counts=True)) if n > 1])"
BATCH = "next(samplers.pk(z, labels, rng, classes=3, per_class=2))"
# name: inputs, the call that fails, the code that is printed, what is run before, the call that works
CURES = {
    "whole numbers for floating ones": ({"x": np.array([-1, 2])}, "ops.relu(x)", FLOATING.format("x"), "x = {}", ""),
    "whole numbers for a figure": (
        {"x": np.array([-1, 2])},
        "require.floating(x=x)",
        FLOATING.format("x"),
        "x = {}",
        "",
    ),
    "half precision": ({"x": Z.astype(np.float16)}, "ops.relu(x)", FLOATING.format("x"), "x = {}", ""),
    "more than double precision": (
        {"x": Z.astype(np.longdouble)},
        "ops.relu(x)",
        "np.asarray(x, np.float64)",
        "x = {}",
        "",
    ),
    "booleans for floating ones": ({"x": Z > 0}, "ops.relu(x)", FLOATING.format("x"), "x = {}", ""),
    "text for numbers": ({"x": Z.astype(str)}, "ops.relu(x)", FLOATING.format("x"), "x = {}", ""),
    "a list of text": ({"x": Z.astype(str).tolist()}, "ops.relu(x)", FLOATING.format("x"), "x = {}", ""),
    "objects for numbers": ({"x": Z.astype(object)}, "ops.relu(x)", FLOATING.format("x"), "x = {}", ""),
    "missing values": (
        {"x": Frame(np.array([1.0, None], object))},
        "ops.relu(x)",
        "x.to_numpy(np.float32, na_value=np.nan)",
        "x = {}; x = x[~np.isnan(x)]",
        "",
    ),
    "durations": (
        {"x": np.array([3, 4], "m8[s]")},
        "ops.relu(x)",
        "np.asarray(x).astype(np.float32)",
        "x = {}; assert x.tolist() == [3, 4]",
        "",
    ),
    "complex numbers": ({"x": Z + 1j}, "ops.relu(x)", "np.real(x)", "x = {}; assert (x == z).all()", ""),
    "pictures of 0 to 255": (
        {"images": (255 * IMAGES).astype(np.uint8)},
        "next(samplers.pairs(images, labels, rng))",
        "np.asarray(images, np.float32) / 255",
        "images = {}; assert images.max() <= 1",
        "",
    ),
    "pictures of 0 to 255 in a list": (
        {"images": list((255 * IMAGES).astype(np.uint8))},
        "next(samplers.pairs(images, labels, rng))",
        "np.asarray(images, np.float32) / 255",
        "images = {}; assert images.max() <= 1",
        "",
    ),
    "a record array": (
        {"a": RECORDS},
        "pairwise.l2(a, a)",
        "np.stack([a[field] for field in a.dtype.names], axis=-1)",
        "a = {}; assert a.tolist() == [[1, 2], [3, 5]]",
        "",
    ),
    "a np.matrix": (
        {"a": matrix(Z)},
        "distances.squared_l2(a, z)",
        "np.asarray(a)",
        "a = {}; assert type(a) is np.ndarray",
        "",
    ),
    "a np.matrix for a vector": (
        {"d": matrix(D[0]), "same": LABELS == 7},
        "losses.contrastive(d, same)",
        "np.asarray(d).ravel()",
        "d = {}",
        "",
    ),
    "a mask": ({"a": MASKED}, "pairwise.l2(a, z)", "a.filled(0)", "a = {}", ""),
    "a list with a mask in it": (
        {"a": [*MASKED]},
        "pairwise.l2(a, z)",
        "a[0].filled(0)",
        "a[0] = {}; a = [np.ma.getdata(row) for row in a]",
        "",
    ),
    "masked labels": (
        {"labels": np.ma.array(LABELS, mask=LABELS == 7)},
        "miners.batch_hard(D, labels)",
        "labels.filled(0)",
        "labels = {}",
        "",
    ),
    "a sparse matrix": ({"a": Sparse(Z)}, "pairwise.l2(a, z)", "a.toarray()", "a = {}", ""),
    "a tensor with a gradient": (
        {"a": Tensor(Z, requires_grad=True)},
        "pairwise.l2(a, z)",
        "a.detach().cpu().numpy()",
        "a = {}",
        "",
    ),
    "a tensor on a device": (
        {"a": Tensor(Z, "cuda:0")},
        "pairwise.l2(a, z)",
        "a.detach().cpu().numpy()",
        "a = {}",
        "",
    ),
    "a list of tensors": (
        {"a": [Tensor(row, "cuda:0") for row in Z]},
        "pairwise.l2(a, z)",
        "a[0].detach().cpu().numpy()",
        "a[0] = {}; a = [row.detach().cpu().numpy() if row is not a[0] else row for row in a]",
        "",
    ),
    "an array of a device": (
        {"a": OnDevice(Z)},
        "pairwise.l2(a, z)",
        "np.asarray(a)",
        "a = {}",
        "",
    ),
    "a generator": ({"a": iter(Z.tolist())}, "pairwise.l2(a, z)", "list(a)", "a = {}", ""),
    "a dict": ({"a": dict(enumerate(Z.tolist()))}, "pairwise.l2(a, z)", "list(a.values())", "a = {}", ""),
    "rows of several lengths": (
        {"a": [[1.0, 2.0, 3.0], [4.0, 5.0]]},
        "pairwise.l2(a, a)",
        "[row[:2] for row in a]",
        "a = {}; assert a == [[1, 2], [4, 5]]",
        "",
    ),
    "a column for a vector": (
        {"d": D[0][:, None], "same": LABELS == 7},
        "losses.contrastive(d, same)",
        "np.ravel(d)",
        "d = {}",
        "",
    ),
    "a column of same": (
        {"d": D[0], "same": (LABELS == 7)[:, None]},
        "losses.contrastive(d, same)",
        "np.ravel(same)",
        "same = {}",
        "",
    ),
    "a column of labels": (
        {"labels": LABELS[:, None]},
        "losses.supcon(D, labels)",
        "np.ravel(labels)",
        "labels = {}",
        "",
    ),
    "0 for similar": (
        {"d": D[0], "same": (LABELS != 7).astype(int)},
        "losses.contrastive(d, same)",
        "np.asarray(same) == 0",
        "same = {}; assert same.tolist() == [True] * 3 + [False] * 9",
        "",
    ),
    "1 for same": (
        {"d": D[0], "same": (LABELS == 7).astype(int).tolist()},
        "losses.binary_cross_entropy(d, same)",
        "np.asarray(same) == 1",
        "same = {}; assert same.tolist() == [True] * 3 + [False] * 9",
        "",
    ),
    "0 for similar, in a figure": (
        {"d": D[0], "same": (LABELS != 7).astype(int)},
        "require.same_or_not(same, 12)",
        "np.asarray(same) == 0",
        "same = {}; assert same.tolist() == [True] * 3 + [False] * 9",
        "",
    ),
    "floats for labels": (
        {"labels": LABELS.astype(F)},
        "next(samplers.pairs(images, labels, rng))",
        INTEGERS,
        "labels = {}",
        "",
    ),
    "booleans for labels": (
        {"labels": (LABELS == 7).tolist()},
        "losses.supcon(D, labels)",
        INTEGERS,
        "labels = {}",
        "",
    ),
    "floats for labels, in a figure": (
        {"labels": LABELS.astype(F)},
        "require.class_labels(labels, 12)",
        INTEGERS,
        "labels = {}",
        "",
    ),
    "objects for labels": (
        {"labels": np.array([1, "a"] * 6, object)},
        "losses.supcon(D, labels)",
        "[str(label) for label in labels]",
        "labels = {}",
        "",
    ),
    "missing labels": (
        {"labels": np.where(LABELS == 7, np.nan, LABELS)},
        "losses.supcon(D, labels)",
        WITHOUT_MISSING.format("labels"),
        "{}; labels, D = labels[keep].astype(int), D[np.ix_(keep, keep)]",
        "",
    ),
    "a column of names with missing ones": (
        {"labels": Frame(np.array(["a", "a", "b", "b", None, float("nan")] * 2, object))},
        "losses.supcon(D, labels)",
        WITHOUT_MISSING.format("labels"),
        "{}; labels, D = labels.to_numpy()[keep], D[np.ix_(keep, keep)]",
        "",
    ),
    "a column of same with missing ones": (
        {"same": np.array([True, None, False] * 4, object), "d": D[0]},
        "losses.contrastive(d, same)",
        WITHOUT_MISSING.format("same"),
        "{}; same, d = same[keep], d[keep]",
        "",
    ),
    "labels beyond all integers": (
        {"labels": [2**63 + 1, 2**63 + 1, -1, -1, 2**63, 2**63] * 2},
        "losses.supcon(D, labels)",
        "[str(label) for label in labels]",
        "labels = {}; assert len(set(labels)) == 3",
        "",
    ),
    "a data frame of pixels": (
        {"x": Frame(np.array([[0, 254, 3], [7, 8, 9]]))},
        "ops.relu(x)",
        "np.asarray(x, np.float32) / 255",
        "x = {}",
        "",
    ),
    "a row of zeros and ones for each label": (
        {"labels": (LABELS[:, None] == np.unique(LABELS)).astype(F)},
        "losses.supcon(D, labels)",
        "np.argmax(labels, axis=1)",
        "labels = {}",
        "",
    ),
    "a row of whole zeros and ones for each label": (
        {"labels": (LABELS[:, None] == np.unique(LABELS)).astype(int)},
        "losses.supcon(D, labels)",
        "np.argmax(labels, axis=1)",
        "labels = {}",
        "",
    ),
    "names for columns": (
        {"D": D[:, :4], "targets": LABELS.astype(str)},
        "losses.softmax_cross_entropy(D, targets)",
        "np.unique(targets, return_inverse=True)[1]",
        "targets = {}",
        "",
    ),
    "targets that are no columns": (
        {"D": D[:, :4], "targets": LABELS},
        "losses.softmax_cross_entropy(D, targets)",
        "np.unique(targets, return_inverse=True)[1]",
        "targets = {}",
        "",
    ),
    "a vector for a matrix of same": (
        {"same": LABELS[:5] == 7, "labels": LABELS[:5], "support_labels": LABELS[5:], "D": D[:5, 5:]},
        "losses.matching(D, same)",
        "labels[:, None] == support_labels",
        "same = {}",
        "",
    ),
    "numbers for a matrix of same": (
        {"same": (LABELS[:5, None] == LABELS[5:]).astype(int), "D": D[:5, 5:]},
        "losses.matching(D, same)",
        "np.asarray(same) == 1",
        "same = {}",
        "",
    ),
    "a share of a count": (
        {},
        "evaluate.recall_at_k(z, labels, k=2.0)",
        "k=2",
        "",
        "evaluate.recall_at_k(z, labels, {})",
    ),
    "labels for a matrix of same": (
        {"labels": LABELS[:5], "support_labels": LABELS[5:], "D": D[:5, 5:]},
        "losses.matching(D, labels)",
        "labels[:, None] == support_labels",
        "same = {}",
        "losses.matching(D, same)",
    ),
    "NaN in a matrix": (
        {"D": np.where(D > 2, np.nan, D)},
        "losses.histogram(D, labels)",
        "np.nan_to_num",
        "D = {}(D)",
        "",
    ),
    "infinity in images": (
        {"images": np.where(IMAGES > 0.99, np.inf, IMAGES)},
        "next(samplers.pairs(images, labels, rng))",
        "np.nan_to_num",
        "images = {}(images)",
        "",
    ),
    "a seed for a generator": (
        {"rng": 0},
        "next(samplers.pairs(images, labels, rng))",
        "np.random.default_rng(0)",
        "rng = {}",
        "",
    ),
    "a blockwise matrix where the whole is needed": (
        {"D": HELD},
        "losses.lifted(D, labels)",
        "pairwise.l2",
        "D = {}(z, z)[0]",
        "",
    ),
    "a blockwise matrix for a miner": (
        {"D": HELD},
        "losses.with_miner(losses.triplet_hinge, miners.all_triplets)(D, labels)",
        "pairwise.l2",
        "D = {}(z, z)[0]",
        "",
    ),
    "half a matrix for a miner": ({"D": D[:5]}, "miners.batch_hard(D, labels)", "pairwise.l2(z, z)", "D = {}[0]", ""),
    "what is no distance, for the angular miner": (
        {"D": pairwise.dot(Z, Z)[0]},
        "miners.angular(D, labels)",
        "pairwise.l2(z, z)",
        "D = {}[0]",
        "",
    ),
    "long embeddings for distances on a sphere": (
        {"D": 9 * D},
        "miners.distance_weighted(D, labels, rng=rng, dimensions=4)",
        "Normalize",
        "unit = layers.{}.apply((), z)[0]; D = pairwise.l2(unit, unit)[0]",
        "",
    ),
    "a batch without a positive": (
        {"D": D[::3, ::3], "labels": LABELS[::3]},
        "losses.supcon(D, labels)",
        DRAW,
        f"labels = np.repeat(np.arange(4), 3); z, labels = {BATCH}; D = pairwise.l2(z, z)[0]",
        "",
    ),
    "a batch without a negative": (
        {"D": D[:3, :3], "labels": LABELS[:3]},
        "losses.supcon(D, labels)",
        DRAW,
        f"labels = np.repeat(np.arange(4), 3); z, labels = {BATCH}; D = pairwise.l2(z, z)[0]",
        "",
    ),
    "a miner without a positive": (
        {"D": D[::3, ::3], "labels": LABELS[::3]},
        "miners.all_pairs(D, labels)",
        DRAW,
        f"labels = np.repeat(np.arange(4), 3); z, labels = {BATCH}; D = pairwise.l2(z, z)[0]",
        "",
    ),
    "a miner without a negative": (
        {"D": D[:3, :3], "labels": LABELS[:3]},
        "miners.all_pairs(D, labels)",
        DRAW,
        f"labels = np.repeat(np.arange(4), 3); z, labels = {BATCH}; D = pairwise.l2(z, z)[0]",
        "",
    ),
    "N-pair of one class": (
        {"D": D[:4, :4], "labels": LABELS[:4]},
        "losses.n_pair(D, labels)",
        DRAW,
        f"labels = np.repeat(np.arange(4), 3); z, labels = {BATCH}; D = pairwise.l2(z, z)[0]",
        "",
    ),
    "triplets for a loss on pairs": (
        {"miner": miners.batch_hard},
        "losses.with_miner(losses.contrastive, miner)(D, labels)",
        "lambda D, labels: miner(D, labels).pairs",
        "of_pairs = {}",
        "losses.with_miner(losses.contrastive, of_pairs)(D, labels)",
    ),
    "pairs for a loss on triplets": (
        {"miner": miners.all_pairs},
        "losses.with_miner(losses.triplet_hinge, miner)(D, labels)",
        "lambda D, labels: miner(D, labels).triplets",
        "of_triplets = {}",
        "losses.with_miner(losses.triplet_hinge, of_triplets)(D, labels)",
    ),
    "a class of one image": (
        {"images": IMAGES[:-2], "labels": LABELS[:-2]},
        "next(samplers.pairs(images, labels, rng))",
        WITH_TWO,
        "{}",
        "next(samplers.pairs(images[keep], labels[keep], rng))",
    ),
    "a large label of one image": (
        {"images": IMAGES[:-2], "labels": np.append(LABELS[:-3], 10**12)},
        "next(samplers.pairs(images, labels, rng))",
        WITH_TWO,
        "{}; assert keep.tolist() == [True] * 9 + [False]",
        "next(samplers.pairs(images[keep], labels[keep], rng))",
    ),
    "a name of one image": (
        {"images": IMAGES[:-2], "labels": list("aaabbbcccd")},
        "next(samplers.pairs(images, labels, rng))",
        WITH_TWO,
        "{}; assert keep.tolist() == [True] * 9 + [False]",
        "next(samplers.pairs(images[keep], np.array(labels)[keep], rng))",
    ),
    "a class alone in its group": (
        {"groups": LABELS},
        "next(samplers.pairs(images, labels, rng, groups=groups))",
        "groups=None",
        "",
        "next(samplers.pairs(images, labels, rng, {}))",
    ),
    "labels of prototypes with gaps": (
        {"network": PROTOTYPES, "params": PARAMS, "support_labels": LABELS[::3], "support": Z[::3], "query": Z},
        "network(params, support, support_labels, query, labels)",
        "of = np.unique([*support_labels, *labels], return_inverse=True)[1]",
        "{}",
        "network(params, support, of[:4], query, of[4:])",
    ),
    "no sizes to nest": (
        {},
        "pairwise.nested(pairwise.cosine, ())",
        "pairwise.nested(pairwise.cosine, (1, 2))",
        "distance = {}",
        "losses.nested(losses.info_nce)(distance(z, z)[0])",
    ),
    "one matrix where nested sizes are expected": (
        {},
        "losses.nested(losses.info_nce)(D)",
        "pairwise.nested(pairwise.cosine, (1, 2))",
        "distance = {}",
        "losses.nested(losses.info_nce)(distance(z, z)[0])",
    ),
    "a temperature on a learned distance": (
        {},
        "distances.tempered(distances.weighted_l1)",
        "without distances.tempered",
        "assert '{}'",
        "distances.weighted_l1(z, z, np.ones(4), np.array(0.0))",
    ),
    "a temperature that is not learned": (
        {},
        "networks.clamp_log_scale({'distance': ()})",
        "distances.tempered",
        "distance = {}(pairwise.cosine)",
        "distance(z, z, np.array(1.0))",
    ),
    "verification without a threshold": (
        {},
        "networks.verification(encoders.mlp(2), l2, losses.binary_cross_entropy)",
        "distances.calibrated(l2)",
        "from minisiam.distances import l2; distance = {}",
        "networks.verification(encoders.mlp(2), distance, losses.binary_cross_entropy)",
    ),
    "an encoder of images": (
        {"encoder": layers.Relu},
        "networks.siamese(encoder, distances.l2, losses.contrastive).init(rng, (4, 4, 1))",
        "Flatten",
        "encoder = layers.serial(encoder, {})",
        "",
    ),
    "images for a dense layer": (
        {"layer": layers.Dense(4)},
        "layer.init(rng, (4, 4, 1))",
        "Flatten",
        "layer = layers.serial({}, layer)",
        "",
    ),
    "an encoder of no layers": ({}, "encoders.mlp()", "mlp(512, 64)", "", "{}"),
    "a kernel larger than the image": (
        {"x": np.ones((1, 2, 2, 1)), "W": np.ones((3, 3, 1, 2)), "b": np.zeros(2)},
        "ops.conv2d(x, W, b)",
        "padding='same'",
        "",
        "ops.conv2d(x, W, b, {})",
    ),
    "tiles of another size": (
        {"x": np.ones((1, 7, 7, 1)), "W": np.ones((5, 5, 1, 2)), "b": np.zeros(2)},
        "fast.conv2d_winograd(x, W, b)",
        "fast.conv2d_im2row",
        "",
        "{}(x, W, b)",
    ),
    "one map for all images": (
        {"maps": augment.grid(20, 20)},
        "augment.warp(images, maps[None])",
        "np.broadcast_to(maps, (len(images), *maps.shape[-3:]))",
        "maps = {}",
        "augment.warp(images, maps)",
    ),
    "parts for other images": (
        {"parameters": augment.draw_affine(3, np.random.default_rng(0))},
        "augment.apply_affine(images, parameters)",
        "draw_affine(12, rng)",
        "parameters = {}",
        "",
    ),
    "letters that are not there": (
        {"letters": "漢"},
        "datasets.posed_glyphs(letters)",
        "''.join(map(chr, datasets.skeletons().codes))",
        "letters = {}[:3]",
        "",
    ),
    "glyphs larger than they are drawn": (
        {},
        "datasets.pen_glyphs(size=80)",
        "datasets.resized",
        "glyphs = datasets.pen_glyphs(size=28, drawers=2)",
        "{}(glyphs.images[:3], 80)",
    ),
    "a row distance in blocks": (
        {"blockwise": blockwise},
        "blockwise(distances.l2)",
        "fast.blockwise(pairwise.l2)",
        "distance = {}",
        "losses.supcon(distance(z, z)[0], labels)",
    ),
    "scores for answers": (
        {"given": np.eye(3), "wanted": np.eye(3)},
        "statistics.clustered(given)",
        "given == wanted",
        "",
        "statistics.clustered({})",
    ),
    "a learned distance with one more scale": (
        {},
        "distances.calibrated(distances.weighted_l1)",
        "without distances.calibrated",
        "assert '{}'",
        "distances.weighted_l1(z, z, np.ones(4), np.array(0.0))",
    ),
}


def message_of(name):
    """What the failing call says."""
    inputs, call, *_ = CURES[name]
    with pytest.raises((ValueError, TypeError)) as caught:
        eval(call, names(**inputs))
    return str(caught.value)


@pytest.mark.parametrize("name", CURES)
def test_the_code_that_an_error_prints_cures_it(name):
    inputs, call, code, before, after = CURES[name]
    assert code in message_of(name)
    at_hand = names(**inputs)
    exec(before.replace("{}", code), at_hand)
    assert "{}" in before + after or code in before  # the cure is made of what was printed
    result = eval((after or call).replace("{}", code), at_hand)
    value = result[0] if isinstance(result, tuple) and not hasattr(result, "_fields") else result
    if isinstance(value, (float, np.ndarray, np.floating)):
        assert np.isfinite(value).all()


FOLDERS = (*CORE_ORDER, "datasets", "fast")
CODE = re.compile(
    r"\b(?:np|rng|samplers|pairwise|distances|datasets)\.\w|\w\[|==|=None|='\w+'$|\w+\(\d|draw_affine\("
    r"|\b(?:Flatten|Normalize|lambda|conv2d_\w+)\b"
)


def printed():
    """The messages of the core that print code, as patterns, with where they are."""
    root = Path(minisiam.__file__).parent
    for file in sorted(root.rglob("*.py")):
        if file.relative_to(root).parts[0].removesuffix(".py") not in FOLDERS:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            raised = isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args
            remedy = isinstance(node, ast.Assign) and [getattr(to, "id", "") for to in node.targets] == ["remedy"]
            if raised or remedy:
                said = node.exc.args[0] if raised else node.value
                parts = said.values if isinstance(said, ast.JoinedStr) else [said]
                fixed = [part.value if isinstance(part, ast.Constant) else None for part in parts]
                words = "·".join(text for text in fixed if text is not None)
                if CODE.search(words) and "pip install" not in words:
                    pattern = "".join(".*" if text is None else re.escape(text) for text in fixed)
                    yield f"{file.name}:{node.lineno}", re.compile(pattern, re.DOTALL)


def test_every_message_that_prints_code_is_cured_here():
    said = [message_of(name) for name in CURES]
    found = dict(printed())
    assert len(found) > 30
    assert [where for where, pattern in found.items() if not any(map(pattern.search, said))] == []
