"""Three lines of Python that use a loss, a distance or a miner, and the words of the command line."""

from __future__ import annotations

from minisiam.app.config import MethodConfig
from minisiam.app.loss_options import OF_NETWORK

from .loss_catalogue import Entry, kind

BATCH = """\
rng = np.random.default_rng(0)
labels = np.array([0, 0, 1, 1, 2, 2])
z = rng.normal(size=(3, 4))[labels] + 0.5 * rng.normal(size=(6, 4))
"""
PAIRS = "d, same = np.array([0.3, 1.4, 0.6]), np.array([True, True, False])\n"
TRIPLETS = "positive, negative = np.array([0.3, 1.4, 0.6]), np.array([1.6, 1.1, 0.9])  # distances to both\n"
LOGITS = "logits, same = np.array([2.0, -0.5, 1.0]), np.array([True, True, False])\n"
AB = "a, b = np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [3.0, 1.0]])\n"
PAIR_MINERS = ("all_pairs", "ordered_pairs", "pair_margin", "multi_similarity", "hardest_pairs")
SETS = {
    "softmax_cross_entropy": ("proxies", "rng.normal(size=(3, 4))", "labels"),
    "arcface": ("proxies", "rng.normal(size=(3, 4))", "labels"),
    "proxy_anchor": ("proxies", "rng.normal(size=(3, 4))", "labels"),
    "soft_triple_distance": ("centres", "rng.normal(size=(6, 4))", "centres=2"),
    "info_nce": ("second", "z + 0.1 * rng.normal(size=z.shape)", ""),
    "pairwise_sigmoid": ("second", "z + 0.1 * rng.normal(size=z.shape)", ""),
    "matching": ("support", "z[::2]", "same=labels[:, None] == labels[::2]"),
}
OWN = {
    "vicreg": """\
z1, z2 = z, z + 0.1 * rng.normal(size=z.shape)
value, pullback = losses.vicreg(z1, z2)
print(value)
dz1, dz2 = pullback(1.0)
""",
    "l2_penalty": """\
W = rng.normal(size=(4, 3))
value, pullback = losses.l2_penalty(W)
print(value)
(dW,) = pullback(1.0)
""",
}
COMBINED = {
    "with_miner": "losses.with_miner(losses.triplet_hinge, miners.batch_hard)",
    "all_pairs": "losses.all_pairs(losses.contrastive)",
    "all_triplets": "losses.all_triplets(losses.triplet_hinge)",
    "balanced": "losses.all_pairs(losses.balanced(losses.contrastive))",
}
NESTED = """\
second = z + 0.1 * rng.normal(size=z.shape)
D, pull_D = pairwise.nested(pairwise.cosine, (1, 2, 4))(z, second)  # the first 1, 2 and 4 numbers
value, pullback = losses.nested(losses.info_nce)(D)
print(D.shape, value)
dz, dsecond = pull_D(*pullback(1.0))
"""
ON_MATRIX = """\
D, pull_D = pairwise.{distance}(z, z)
value, pullback = {loss}(D, labels)
print(value)
dz = sum(pull_D(*pullback(1.0)))  # z is the rows and the columns of D
"""


def code_of(one: Entry) -> str:
    """Python that calls the function once."""
    body = {"losses": _of_loss, "distances": _of_distance, "miners": _of_miner}[one.module](one)
    modules = [name for name in ("distances", "losses", "miners", "pairwise") if f"{name}." in body]
    return f"import numpy as np\n\nfrom minisiam import {', '.join(modules)}\n\n{body}"


def _of_loss(one: Entry) -> str:
    if one.name == "nested":
        return BATCH + NESTED
    if one.name in OWN:
        return BATCH + OWN[one.name]
    if one.name in COMBINED:
        return f"{BATCH}loss = {COMBINED[one.name]}\n{ON_MATRIX.format(distance='l2', loss='loss')}"
    if one.reads in ("Pairs", "Triplets"):
        return _of_distances(one)
    if one.name in SETS:
        return _of_two_sets(one)
    return BATCH + ON_MATRIX.format(distance=one.distance, loss=one.call)


def _of_distances(one: Entry) -> str:
    """A loss that reads distances of pairs or triplets."""
    given, arguments = (TRIPLETS, "positive, negative") if one.reads == "Triplets" else (PAIRS, "d, same")
    if one.name == "margin_loss":
        arguments = "d, np.array(1.2), same"
    if one.name == "binary_cross_entropy":
        given, arguments = LOGITS, "logits, same"
    return f"{given}value, pullback = {one.call}({arguments})\nprint(value)\nprint(pullback(1.0)[0])\n"


def _of_two_sets(one: Entry) -> str:
    """A loss that compares the batch with something else."""
    other, made, targets = SETS[one.name]
    printed, upstream = "value", "1.0"
    if one.name == "soft_triple_distance":  # its value is a matrix
        printed, upstream = "value.shape", "np.ones_like(value)"
    return (
        f"{BATCH}{other} = {made}\nD, pull_D = pairwise.{one.distance}(z, {other})\n"
        f"value, pullback = {one.call}({', '.join(filter(None, ('D', targets)))})\n"
        f"print({printed})\ndz, d{other} = pull_D(*pullback({upstream}))\n"
    )


def _of_distance(one: Entry) -> str:
    if one.name == "calibrated":
        return (
            AB + "distance = distances.calibrated(distances.l2)\n"
            "d, pullback = distance(a, b, np.array(1.0), np.array(-1.5))\nprint(d)\n"
            "da, db, dscale, dbias = pullback(np.ones(2))\n"
        )
    if one.name == "tempered":
        return (
            AB + "distance = distances.tempered(distances.cosine, scale=10, bias=-10)\n"
            "d, pullback = distance(a, b, np.log(10), np.array(-10.0))\nprint(d)\n"
            "da, db, dlog_scale, dbias = pullback(np.ones(2))\n"
        )
    params = ", np.array([0.5, 0.5]), np.array(0.0)" if one.name == "weighted_l1" else ""
    return (
        f"{AB}d, pullback = distances.{one.name}(a, b{params})\nprint(d)\nda, db, *_ = pullback(np.ones(2))\n\n"
        f"D, pullback = pairwise.{one.name}(a, b{params})  # every row of a against every row of b\nprint(D)\n"
    )


def _of_miner(one: Entry) -> str:
    extra = {"random_triplets": ", rng=rng", "distance_weighted": ", rng=rng, dimensions=4"}.get(one.name, "")
    unit = "z /= np.linalg.norm(z, axis=1, keepdims=True)\n" if one.name == "distance_weighted" else ""
    columns = "row, column, same" if one.name in PAIR_MINERS else "anchor, positive, negative"
    return (
        f"{BATCH}{unit}D, _ = pairwise.l2(z, z)\nchosen = miners.{one.name}(D, labels{extra})\n"
        f"print(len(chosen[0]))\nprint(np.stack(chosen, axis=1)[:5])  # {columns} of the first five\n"
    )


def commands(one: Entry) -> list[tuple[str, MethodConfig]]:
    """The commands that train with it, and the methods that they mean."""
    return [_command(one, word) for word in one.words]


def _command(one: Entry, word: str) -> tuple[str, MethodConfig]:
    if one.module == "miners":
        loss = "contrastive" if one.name in PAIR_MINERS else "hinge"
        config = MethodConfig(loss=loss, miner=word, normalize=word == "distance-weighted")
        command = f"minisiam train --loss {loss} --miner {word}" + (" --normalize" if config.normalize else "")
    elif one.module == "distances":
        loss = "supcon" if word == "dot" else "hinge"
        config, command = MethodConfig(loss=loss, distance=word), f"minisiam train --loss {loss} --distance {word}"
    else:
        network = "verification" if kind(word) == "verification" else "batch"
        config = MethodConfig(network=network, loss=word)
        command = "minisiam train" + (f" --network {network}" if network != "batch" else "") + f" --loss {word}"
    config.check_method()
    return command, config


def networks(word: str) -> list[str]:
    """The networks of the command line that accept a loss."""
    return [network for network, accepted in OF_NETWORK.items() if word in accepted]
