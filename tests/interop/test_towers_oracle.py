"""The losses of two towers equal those of open_clip and sentence-transformers, by a file that they wrote.

`towers/make_oracle.py` writes it: embeddings, and for each name the value and the gradient of every variable.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from minisiam import distances, losses, ops, pairwise
from minisiam.op import init_params

ORACLE = json.loads((Path(__file__).parent / "towers" / "towers.json").read_text())
SENTENCES = np.array(ORACLE["embeddings"])
TEXTS = np.concatenate(SENTENCES[1:])  # the second column, and then the hard negatives
ONE = partial(losses.info_nce, temperature=1.0)
ROWS = partial(losses.softmax_cross_entropy, temperature=1 / 20)
NESTED = pairwise.nested(pairwise.cosine, ORACLE["sizes"])
LEARNED = ("log_scale", "bias")
FIRST = np.arange(5)
# a distance, a loss, its targets
OURS = {
    "ClipLoss": (pairwise.tempered(pairwise.dot), ONE),
    "ClipLoss, scale 1": (pairwise.tempered(pairwise.dot), ONE),
    "ClipLoss, bias": (pairwise.tempered(pairwise.dot, bias=0), ONE),
    "SigLipLoss": (pairwise.tempered(pairwise.dot, bias=0), losses.pairwise_sigmoid),
    "SigLipLoss, bias 1": (pairwise.tempered(pairwise.dot, bias=0), losses.pairwise_sigmoid),
    "ranking": (pairwise.cosine, ROWS, FIRST),
    "ranking, scale 5": (pairwise.cosine, partial(losses.softmax_cross_entropy, temperature=1 / 5), FIRST),
    "ranking, both ways": (pairwise.cosine, partial(losses.info_nce, temperature=1 / 20)),
    "ranking, hard negatives": (pairwise.cosine, ROWS, FIRST),
    "nested": (NESTED, losses.nested(ROWS), FIRST),
    "nested, weights": (NESTED, losses.nested(ROWS, ORACLE["weights"]), FIRST),
}


def value_and_gradients(name):
    """Ours, in the order of the file's: the value, z1, z2 and, if there are some, z3, the scale and the bias."""
    distance, loss, *targets = OURS[name]
    theirs = ORACLE["losses"][name]
    z1, z2 = SENTENCES[0], TEXTS if "grad_z3" in theirs else SENTENCES[1]
    if "log_scale" in theirs:  # the embeddings of open_clip are unit vectors
        z1, z2 = (ops.normalize(z)[0] for z in (z1, z2))
    D, pull_D = distance(z1, z2, *(np.array(theirs[key]) for key in LEARNED if key in theirs))
    value, pull = loss(D, *targets)
    dz1, dz2, *learned = pull_D(*pull(1.0))
    return value, dz1, *np.split(dz2, len(z2) // len(z1)), *learned


@pytest.mark.parametrize("name", ORACLE["losses"])
def test_the_value_and_every_gradient_are_theirs(name):
    theirs = ORACLE["losses"][name]
    value, *gradients = value_and_gradients(name)
    expected = [np.array(entry) for key, entry in theirs.items() if key.startswith("grad_")]
    assert value == pytest.approx(theirs["value"], rel=1e-12)
    for ours, grad in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours, grad, rtol=1e-9, atol=1e-11 * np.abs(expected[0]).max())


def test_the_first_parameters_are_theirs():
    found = ORACLE["defaults"]
    (log_scale,) = init_params(distances.tempered(distances.dot), np.random.default_rng(0), 4)
    assert log_scale == pytest.approx(found["open_clip logit_scale"], rel=1e-6)
    assert found["open_clip logit_bias"] is None
    assert (found["sentence_transformers scale"], set(found["sentence_transformers weights"])) == (20, {1})


def test_the_file_was_written_by_the_packages_that_the_page_names():
    page = (Path(__file__).parents[2] / "docs" / "losses.md").read_text()
    assert f"open_clip {ORACLE['versions']['open_clip']} and" in page
    assert f"sentence-transformers {ORACLE['versions']['sentence_transformers']}" in page
