"""The siamese network on one page needs NumPy only, and its pieces are those of the package: values and gradients."""

import ast
import importlib.util
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from minisiam import distances, encoders, losses, networks, ops, optimizers, pairwise, train

PAGE = Path(__file__).parents[2] / "lessons" / "siam.py"


@pytest.fixture(scope="module")
def siam():
    spec = importlib.util.spec_from_file_location("siam", PAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def same_op(ours, theirs, variables, upstream, **constants):
    """Values and gradients agree to rounding."""
    (value, pullback), (truth, pull_truth) = ours(*variables, **constants), theirs(*variables, **constants)
    np.testing.assert_allclose(value, truth, rtol=1e-13)
    given, correct = pullback(upstream), pull_truth(upstream)
    assert type(given) is tuple and len(given) == len(correct)
    for one, other in zip(given, correct, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)


def test_it_is_one_page_and_imports_numpy_only():
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imports] == ["import numpy as np"]


def test_the_distance_is_that_of_the_package_and_has_its_kink(siam, rng):
    a, b = rng.normal(size=(2, 5, 3))
    a[0] = b[0]
    same_op(siam.distance, distances.l2, (a, b), rng.normal(size=5))


def test_the_loss_is_that_of_the_package_and_has_its_corner(siam):
    d, same = np.array([0.0, 0.4, 1.0, 1.0, 2.0]), np.array([True, False, False, True, False])
    same_op(siam.contrastive, losses.contrastive, (d,), 0.7, same=same)
    same_op(siam.contrastive, losses.contrastive, (d,), 0.7, same=same, margin=0.3)


def test_the_layers_are_those_of_the_package(siam, rng):
    x, W, b, dy = (rng.normal(size=shape) for shape in ((5, 3), (3, 2), 2, (5, 2)))
    same_op(siam.dense, ops.dense, (x, W, b), dy)
    x[0] = 0
    same_op(siam.relu, ops.relu, (x,), rng.normal(size=(5, 3)))


@pytest.fixture
def both(siam, rng):
    """The network of the page and that of the package with the same weights, as flat lists."""
    encoder = encoders.mlp(6, 4)
    network = networks.siamese(encoder, distances.l2, losses.contrastive)
    W1, b1, W2, b2 = siam.init((9, 6, 4), rng)
    _, (V1, c1), _, (V2, c2) = encoder.init(rng, (9,))[0]
    assert [x.shape for x in (W1, b1, W2, b2)] == [x.shape for x in (V1, c1, V2, c2)]
    params = [W1, rng.normal(size=6), W2, rng.normal(size=4)]
    return params, encoder, network


def nested(params):
    W1, b1, W2, b2 = params
    return [(), (W1, b1), (), (W2, b2)]


def flat(dparams):
    return [leaf for layer in dparams for leaf in layer]


def test_the_encoder_is_a_multilayer_perceptron(siam, both, rng):
    params, encoder, _ = both
    x, dz = rng.normal(size=(5, 9)), rng.normal(size=(5, 4))
    z, pullback = siam.encoder(params, x)
    truth, pull_truth = encoder(nested(params), x)
    np.testing.assert_allclose(z, truth, rtol=1e-13)
    for ours, theirs in zip(pullback(dz)[0], flat(pull_truth(dz)[0]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_the_network_is_siamese(siam, both, rng):
    params, _, network = both
    x1, x2, same = rng.normal(size=(5, 9)), rng.normal(size=(5, 9)), np.arange(5) < 2
    value, pullback = siam.siamese(params, x1, x2, same)
    truth, pull_truth = network({"encoder": nested(params), "distance": (), "loss": ()}, x1, x2, same)
    np.testing.assert_allclose(value, truth, rtol=1e-13)
    for ours, theirs in zip(pullback(1.0)[0], flat(pull_truth(1.0)[0]["encoder"]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-15)


def test_training_is_that_of_the_package_with_plain_gradient_descent(siam, both, rng):
    params, _, network = both
    images, labels = rng.normal(size=(12, 9)), np.arange(12) // 3

    def batches(rng):
        while True:
            i, j, same = siam.pairs(labels, 8, rng)
            yield images[i], images[j], same

    before = [p.copy() for p in params]
    trained = siam.train(params, images, labels, np.random.default_rng(3), steps=4, batch=8, rate=0.1)
    start = {"encoder": nested(params), "distance": (), "loss": ()}
    steps = train.fit(network, start, optimizers.sgd(0.1), islice(batches(np.random.default_rng(3)), 4))
    *_, (_, _, truth) = steps
    for ours, theirs in zip(trained, flat(truth["encoder"]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    assert all(np.array_equal(p, old) for p, old in zip(params, before, strict=True))


def test_half_of_the_pairs_show_one_letter_and_no_image_is_its_own_partner(siam):
    labels = np.repeat(np.arange(5), [2, 3, 4, 2, 3])
    i, j, same = siam.pairs(labels, 8001, np.random.default_rng(0))
    assert same.sum() == 4000 and (i != j).all()
    assert np.array_equal(labels[i] == labels[j], same)
    assert len({*zip(i, j, strict=True)}) == 14 * 13  # every ordered pair


def test_one_shot_counts_ties_against_the_encoder(siam, rng):
    examples, queries = rng.normal(size=(2, 6, 3))
    D, _ = pairwise.l2(queries, examples)
    assert siam.one_shot(examples, queries) == np.mean(D.argmin(axis=1) == np.arange(6))
    assert siam.one_shot(examples, examples) == 1
    assert siam.one_shot(np.ones((6, 3)), np.ones((6, 3))) == 0


def test_a_drawing_is_an_image_of_ink_and_two_drawings_of_a_letter_differ(siam, rng):
    letters = rng.uniform(0.15, 0.85, (7, 4, 2))
    first, second = siam.draw(letters, rng), siam.draw(letters, rng)
    assert first.shape == second.shape == (7, 144)
    assert first.min() >= 0 and 0.5 < first.max() <= 1
    assert np.abs(first - second).max(axis=1).min() > 0.05


def shares(output):
    return [float(line.split()[-2]) for line in output.splitlines()[1:]]


def test_it_learns_letters_that_it_has_never_seen(siam, capsys):
    siam.main(steps=300)
    pixels, before, after = shares(capsys.readouterr().out)
    assert before < pixels < after


@pytest.mark.slow
def test_as_a_program_it_beats_the_pixels_by_ten_points():
    done = subprocess.run([sys.executable, "-W", "error", PAGE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr == ""
    pixels, before, after = shares(done.stdout)
    assert before < pixels < after - 10
