"""Every remedy that an error of the core prints as code cures it: the code is taken from the message and run.

A row of CURES has the call that fails, the code that its message must print, and the call with that code in it.
A message that prints code and has no row here fails the last test.
"""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from test_architecture import CORE_ORDER

import minisiam
from minisiam import datasets, distances, encoders, fast, layers, losses, miners, networks, ops, pairwise, samplers
from minisiam.app import statistics
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
INTEGERS = "np.unique(names, return_inverse=True)[1]"
DRAW = "samplers.pk"
BATCH = "next(samplers.pk(z, labels, rng, classes=3, per_class=2))"
# name: inputs, the call that fails, the code that is printed, what is run before, the call that works
CURES = {
    "whole numbers for floating ones": ({"x": np.array([-1, 2])}, "ops.relu(x)", FLOATING.format("x"), "x = {}", ""),
    "a list for an array": ({"D": D.tolist()}, "losses.supcon(D, labels)", FLOATING.format("D"), "D = {}", ""),
    "a number for an array": (
        {"d": D[0], "beta": 1.2, "same": LABELS == 7},
        "losses.margin_loss(d, beta, same)",
        FLOATING.format("beta"),
        "beta = {}",
        "",
    ),
    "0 for similar": (
        {"d": D[0], "labels": (LABELS != 7).astype(int)},
        "losses.contrastive(d, labels)",
        "labels == 0",
        "same = {}; assert same.tolist() == [True] * 3 + [False] * 9",
        "losses.contrastive(d, same)",
    ),
    "1 for same": (
        {"d": D[0], "labels": (LABELS == 7).astype(int)},
        "losses.binary_cross_entropy(d, labels)",
        "labels == 1",
        "same = {}; assert same.tolist() == [True] * 3 + [False] * 9",
        "losses.binary_cross_entropy(d, same)",
    ),
    "names for labels": (
        {"names": np.array(list("aaabbbcccddd"))},
        "losses.supcon(D, names)",
        INTEGERS,
        "labels = {}",
        "losses.supcon(D, labels)",
    ),
    "floats for labels": (
        {"names": LABELS.astype(F)},
        "next(samplers.pairs(images, names, rng))",
        INTEGERS,
        "labels = {}",
        "next(samplers.pairs(images, labels, rng))",
    ),
    "targets that are no columns": (
        {"D": D[:, :4]},
        "losses.softmax_cross_entropy(D, labels)",
        "np.unique(labels, return_inverse=True)[1]",
        "labels = {}",
        "",
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
        "_, of, count = np.unique(labels, return_inverse=True, return_counts=True); keep = count[of] > 1",
        "{}",
        "next(samplers.pairs(images[keep], labels[keep], rng))",
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
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                said = node.exc.args[0]
                parts = said.values if isinstance(said, ast.JoinedStr) else [said]
                fixed = [part.value if isinstance(part, ast.Constant) else None for part in parts]
                words = "·".join(text for text in fixed if text is not None)
                if CODE.search(words) and "pip install" not in words:
                    pattern = "".join(".*" if text is None else re.escape(text) for text in fixed)
                    yield f"{file.name}:{node.lineno}", re.compile(pattern, re.DOTALL)


def test_every_message_that_prints_code_is_cured_here():
    said = [message_of(name) for name in CURES]
    found = dict(printed())
    assert len(found) > 20
    assert [where for where, pattern in found.items() if not any(map(pattern.fullmatch, said))] == []
