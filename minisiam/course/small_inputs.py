"""Small inputs, the simplest first, for functions without a gradient."""

from __future__ import annotations

from itertools import combinations, permutations, product
from typing import TYPE_CHECKING

import numpy as np

from ..gradcheck import Case

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..typing import Array


def labellings(n: int) -> Iterator[Array]:
    """Labels of n images, numbered by first occurrence, with a positive and a negative pair."""
    for labels in product(range(3), repeat=n):
        firsts = list(dict.fromkeys(labels))
        if firsts == sorted(firsts) == list(range(len(firsts))) and 1 < len(firsts) < n:
            yield np.array(labels)


NAMES = np.array([7, -2, 40, 0, 3])  # labels may be any integers


def batches(margins: tuple[float, ...] = ()) -> Iterator[Case]:
    """(D, labels), with a margin if any are given: integer distances that are symmetric, with ties, or asymmetric.

    Two images may be equal, and the labels of the largest batches are not numbered from 0.
    """
    rng = np.random.default_rng(0)
    for n in (3, 4, 5):
        for kind in ("symmetric", "ties", "asymmetric"):
            for numbered in labellings(n):
                labels = NAMES[numbered] if n == 5 else numbered
                for _ in range(4 if n == 3 else 2):
                    D = _distances(n, kind, rng)
                    for margin in margins or (None,):
                        yield Case({"D": D, "labels": labels}, {} if margin is None else {"margin": margin}, None)


def _distances(n: int, kind: str, rng: np.random.Generator) -> Array:
    D = np.zeros((n, n))
    above = list(combinations(range(n), 2))
    i, j = np.array(above if kind != "asymmetric" else list(permutations(range(n), 2))).T
    D[i, j] = rng.integers(0, 3, len(i)) if kind == "ties" else 1 + rng.permutation(len(i))
    return D if kind == "asymmetric" else D + D.T


def embeddings() -> Iterator[Case]:
    """(z, labels, k) for recall: a few points on a line, some with ties; then points in the plane without ties."""
    for n in (2, 3):
        for labels in product(range(2), repeat=n):
            if len(set(labels)) == n:
                continue
            for positions in sorted(product((0.0, 1.0, 3.0), repeat=n), key=lambda x: -len(set(x))):  # ties come last
                for k in range(1, n):
                    yield Case({"z": np.array(positions)[:, None], "labels": np.array(labels)}, {"k": k}, None)
    rng = np.random.default_rng(0)
    for n in (4, 6, 9):
        for classes in [np.arange(n) // 2, *(rng.integers(0, 3, n) for _ in range(20))]:
            z = rng.normal(size=(n, 2))
            yield Case({"z": z, "labels": NAMES[classes]}, {"k": int(rng.integers(1, 4))}, None)


def queries() -> Iterator[Case]:
    """(z, labels) for the measures of retrieval: up to four points on a line, then points in the plane without ties."""
    for n in (2, 3, 4):
        for labels in product(range(2), repeat=n):
            firsts = list(dict.fromkeys(labels))
            if len(firsts) == n or firsts != sorted(firsts) or labels[0]:
                continue
            for positions in sorted(product((0.0, 1.0, 3.0), repeat=n), key=lambda x: -len(set(x))):  # ties come last
                yield Case({"z": np.array(positions)[:, None], "labels": np.array(labels)}, {}, None)
    rng = np.random.default_rng(0)
    for n in (6, 9):
        for classes in [np.arange(n) // 3, *(rng.integers(0, 3, n) for _ in range(20))]:
            yield Case({"z": rng.normal(size=(n, 2)), "labels": NAMES[classes]}, {}, None)


def pair_distances() -> Iterator[Case]:
    """(d, same, false_accept) for a threshold: two pairs, then three, then eight, some with ties."""
    for n in (2, 3):
        for same in product((True, False), repeat=n):
            if all(same) or not any(same):
                continue
            for d in product((1.0, 2.0, 3.0), repeat=n):
                for share in (0.0, 0.5, 1.0):
                    yield Case({"d": np.array(d), "same": np.array(same)}, {"false_accept": share}, None)
    rng = np.random.default_rng(0)
    for _ in range(60):
        shuffled = rng.permutation(np.arange(8) < rng.integers(1, 8))
        constants = {"false_accept": float(rng.choice([0.25, 0.01, 0.6]))}
        yield Case({"d": rng.integers(0, 6, 8) / 2, "same": shuffled}, constants, None)


def grouped_pairs() -> Iterator[Case]:
    """(d, same, groups, rate) for a threshold with an interval: three groups of two pairs, then more of more."""
    rng = np.random.default_rng(0)
    for groups, size, rate in [(3, 2, 0.5)] * 30 + [(3, 4, 0.2)] * 20 + [(5, 6, 0.25)] * 20 + [(12, 4, 0.1)] * 10:
        kinds = np.arange(size) < rng.integers(1, max(2, size // 2))
        same = np.concatenate([rng.permutation(kinds) for _ in range(groups)])
        distances = rng.integers(0, 4 if size == 2 else 12, groups * size) / 2
        drawn = {"d": distances + np.where(same, 0, 1), "same": same, "groups": np.repeat(NAMES[:3], size)}
        if groups > 3:
            drawn["groups"] = np.repeat(rng.permutation(groups), size)
        yield Case(drawn, {"rate": rate}, None)


def galleries() -> Iterator[Case]:
    """(embeddings, names, z, threshold) to identify: one entry, two, three on a line; then more, in the plane."""
    for n in (1, 2, 3):
        for names in (tuple("abc"[:n]), tuple("bab"[:n]), tuple("aab"[:n])):
            for places in product((0.0, 2.0, 3.0), repeat=n):
                for queries, threshold in (([1.0], 1.0), ([1.0], 0.5), ([5.0], 2.5), ([1.0, 8.0], 9.0)):
                    yield _gallery(np.array(places)[:, None], names, np.array(queries)[:, None], threshold)
    rng = np.random.default_rng(0)
    for _ in range(60):
        plane, drawn = rng.integers(0, 5, (7, 2)).astype(float), rng.choice(["ann", "bea", "cem"], 7).tolist()
        yield _gallery(plane, drawn, rng.integers(0, 5, (4, 2)).astype(float), float(rng.choice([1.0, 1.5, 9.0])))


def _gallery(places: Array, names: Sequence[str], queries: Array, threshold: float) -> Case:
    enrolled = {"gallery.embeddings": places, "gallery.names": np.array(names)}
    return Case(enrolled | {"z": queries}, {"threshold": threshold}, None)


def label_sets() -> Iterator[Case]:
    """(labels, classes, per_class) for a P×K sampler."""
    for labels, classes, per_class in (
        ([0, 0, 1, 1], 2, 2),
        ([0, 1, 1, 0], 2, 2),
        ([0, 0, 0, 1, 1, 1], 2, 2),
        ([0, 0, 1, 1, 2, 2], 2, 2),
        ([5, 5, -3, -3, 9, 9, 9], 2, 2),
        ([2, 0, 1, 2, 0, 1, 2, 0, 1, 0, 0, 0], 3, 3),
        ([k // 5 for k in range(35)], 4, 3),
    ):
        yield Case({"labels": np.array(labels)}, {"classes": classes, "per_class": per_class}, None)
