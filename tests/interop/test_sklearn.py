"""The estimator passes the checks of scikit-learn, works in its tools, and learns distances."""

import sys
from functools import partial

import numpy as np
import pytest

pytest.importorskip("sklearn")
import joblib
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from minisiam import distances, encoders, fast, layers, losses, miners
from minisiam.interop.sklearn import MetricEncoder

pytestmark = pytest.mark.interop

X, Y = load_digits(return_X_y=True)
X = X / 16
TRAIN, TEST = slice(0, 300), slice(300, 500)
quick = partial(MetricEncoder, encoder=(32,), n_components=8, steps=30, learning_rate=5e-3, random_state=0)
SMALL = partial(encoders.conv2, 16)
FAST = lambda: fast.microbatch(fast.convert(SMALL()))
# each check that it fails, with the reason: none
EXPECTED_FAILED_CHECKS: dict[str, str] = {}


@parametrize_with_checks(
    [
        quick(),
        quick(loss="contrastive", distance="l2", network="siamese", normalize=False),
        quick(loss="hinge", distance="squared_l2", network="triplet"),
        quick(loss="cross-entropy", distance="l1", network="verification"),
        quick(loss="arcface", network="proxy"),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILED_CHECKS,
)
def test_the_checks_of_sklearn(estimator, check):
    check(estimator)


def pairs(rows, count=200):
    """Pairs of digits and whether they show the same one, half of them."""
    rng = np.random.default_rng(1)
    first, second = rng.choice(np.arange(rows.start, rows.stop), (2, 8 * count))
    same = Y[first] == Y[second]
    chosen = np.concatenate([np.flatnonzero(same)[: count // 2], np.flatnonzero(~same)[: count // 2]])
    return np.stack([X[first], X[second]], axis=1)[chosen], same[chosen]


@pytest.fixture(scope="module")
def fitted():
    return MetricEncoder(n_components=16, steps=100, random_state=0).fit(X[TRAIN], Y[TRAIN])


METHODS = {
    "supcon": {},
    "pairs of a batch": {"loss": "contrastive", "distance": "l2"},
    "triplets of a batch": {"loss": losses.triplet_soft_margin, "distance": "squared_l2"},
    "a miner": {"loss": losses.with_miner(losses.triplet_soft_margin, miners.semi_hard_facenet), "distance": "l2"},
    "a partial": {"loss": partial(losses.nca, temperature=0.2)},
    "siamese": {"loss": "double-margin", "distance": "l2", "network": "siamese"},
    "triplet": {"loss": "soft-margin", "distance": "squared_l2", "network": "triplet"},
    "verification": {"loss": "cross-entropy", "distance": "weighted_l1", "network": "verification", "normalize": False},
    "proxy": {"loss": "proxy-anchor", "network": "proxy"},
}


@pytest.mark.parametrize("name", METHODS)
def test_every_network_brings_classes_together(name):
    model = MetricEncoder(**{"encoder": (64,), "steps": 60, "random_state": 0} | METHODS[name]).fit(X[TRAIN], Y[TRAIN])
    some, same = pairs(TEST)
    d = model.pair_distance(some)
    assert np.median(d[same]) < np.quantile(d[~same], 0.25)
    assert model.calibrate_threshold(some, same) is model
    assert np.mean(model.same(some) == same) > 0.75
    assert len(model.loss_curve_) == 60


def test_images_with_an_encoder_by_name_or_function():
    images = X.reshape(-1, 8, 8)
    for encoder, size in ((SMALL, 16), (FAST, 16), ("conv3", 8)):
        model = quick(encoder=encoder, steps=5).fit(images[TRAIN], Y[TRAIN])
        assert model.transform(images[TEST]).shape == (200, size)
        assert model.pair_distance(images[:6].reshape(3, 2, 8, 8)).shape == (3,)
    one = quick(encoder=partial(layers.Dense, 3), steps=2).fit(X[TRAIN], Y[TRAIN])
    assert one.transform(X[TEST]).shape == (200, 3)
    colour = np.repeat(images[TRAIN, ..., None], 3, axis=3)
    assert quick(encoder=SMALL, steps=2).fit_transform(colour, Y[TRAIN]).shape == (300, 16)


def test_a_pipeline_a_search_and_a_clone():
    search = GridSearchCV(
        make_pipeline(quick(encoder=(64,), steps=60), KNeighborsClassifier(1)),
        {"metricencoder__loss": ["supcon", losses.nca], "metricencoder__n_components": [4, 8]},
        cv=2,
    )
    search.fit(X[TRAIN], Y[TRAIN])
    assert search.best_score_ > 0.8
    assert search.score(X[TEST], Y[TEST]) > 0.8
    assert clone(search.best_estimator_[0]).get_params() == search.best_estimator_[0].get_params()


def test_joblib_pickles_it_before_and_after_fit(tmp_path, fitted):
    for model in (quick(encoder=SMALL, loss=losses.supcon), fitted):
        joblib.dump(model, tmp_path / "file")
        again = joblib.load(tmp_path / "file")
        assert repr(again) == repr(model)
    np.testing.assert_array_equal(again.transform(X[TEST]), fitted.transform(X[TEST]))


def test_the_same_seed_gives_the_same_embeddings():
    first, again, other = (
        quick(random_state=seed).fit(X[TRAIN], Y[TRAIN]).transform(X[TEST]) for seed in (1, np.random.RandomState(1), 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_names_of_classes_and_columns_and_dtypes(fitted):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X[TRAIN]).add_prefix("pixel")
    names = np.array([f"digit {y}" for y in Y[TRAIN]])
    model = quick().set_output(transform="pandas").fit(table, names)
    assert list(model.transform(table).columns[:2]) == ["metricencoder0", "metricencoder1"]
    assert model.classes_[0] == "digit 0"
    assert fitted.transform(X[TEST].astype(np.float32)).dtype == np.float32


def test_a_class_with_one_sample_is_left_out():
    labels = np.where(np.arange(300) == 7, 99, Y[TRAIN])
    assert len(quick(network="proxy", loss="arcface").fit(X[TRAIN], labels).params_["proxies"]) == 10


def test_pair_distance_is_the_distance_of_the_embeddings(fitted):
    some, _ = pairs(TEST)
    first, second = (fitted.transform(some[:, k]) for k in range(2))
    np.testing.assert_allclose(fitted.pair_distance(some), distances.cosine(first, second)[0])
    np.testing.assert_array_equal(fitted.pair_score(some), -fitted.pair_distance(some))
    metric = fitted.get_metric()
    np.testing.assert_allclose([metric(a, b) for a, b in some[:5]], fitted.pair_distance(some[:5]))


def test_a_nearest_neighbour_search_takes_the_metric(fitted):
    model = KNeighborsClassifier(1, metric=fitted.get_metric()).fit(X[:40], Y[:40])
    by_pipeline = KNeighborsClassifier(1).fit(fitted.transform(X[:40]), Y[:40])
    np.testing.assert_array_equal(model.predict(X[300:310]), by_pipeline.predict(fitted.transform(X[300:310])))


def test_thresholds_keep_their_promises(fitted):
    some, same = pairs(TEST)
    right = {}
    for strategy, options in {
        "accuracy": {},
        "f_beta": {"beta": 2.0},
        "max_tpr": {"min_rate": 0.9},
        "max_tnr": {"min_rate": 0.9},
    }.items():
        said = fitted.calibrate_threshold(some, np.where(same, 1, -1), strategy, **options).same(some)
        right[strategy] = np.mean(said[same]), np.mean(~said[~same])
    best = max(np.mean((fitted.pair_distance(some) <= t) == same) for t in fitted.pair_distance(some))
    assert np.mean(right["accuracy"]) == best
    assert right["max_tpr"][1] >= 0.9
    assert right["max_tnr"][0] >= 0.9
    assert right["f_beta"][0] >= right["accuracy"][0]


BAD = {
    "an unknown loss": (lambda: quick(loss="suppcon").fit(X, Y), ValueError, "did you mean 'supcon'"),
    "an unknown distance": (lambda: quick(distance="cosin").fit(X, Y), ValueError, "did you mean 'cosine'"),
    "an unknown encoder": (lambda: quick(encoder="conv5").fit(X, Y), ValueError, "did you mean 'conv4'"),
    "an unknown network": (lambda: quick(network="triplets").fit(X, Y), ValueError, "did you mean 'triplet'"),
    "a loss of another network": (lambda: quick(network="siamese").fit(X, Y), ValueError, "'batch' for this loss"),
    "a loss of two views": (lambda: quick(loss="vicreg").fit(X, Y), ValueError, "use losses.supcon"),
    "no steps": (lambda: quick(steps=0).fit(X, Y), ValueError, "steps must be a whole number"),
    "one class": (lambda: quick().fit(X, np.zeros(len(X), int)), ValueError, "two or more classes"),
    "one sample of each class": (lambda: quick().fit(X[:9], np.arange(9)), ValueError, "two or more samples each"),
    "images for a table": (
        lambda: quick().fit(X[TRAIN], Y[TRAIN]).transform(X[:64].reshape(1, 64, 64)),
        ValueError,
        r"the shape \(n, 64,\)",
    ),
    "a table for images": (lambda: quick(encoder="conv4").fit(X, Y), ValueError, "Conv needs images"),
    "one sample of a pair": (lambda: quick().fit(X[TRAIN], Y[TRAIN]).pair_distance(X), ValueError, r"\(n, 2, 64,\)"),
    "no threshold": (lambda: quick().fit(X[TRAIN], Y[TRAIN]).same(X[:8].reshape(4, 2, 64)), ValueError, "calibrate"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_the_remedy(name):
    call, error, message = BAD[name]
    with pytest.raises(error, match=message):
        call()


def test_bad_thresholds_give_the_remedy(fitted):
    some, same = pairs(TEST)
    for arguments, message in (
        ((same, "acuracy"), "did you mean 'accuracy'"),
        ((same.astype(int),), "y_valid == 1"),
        ((same, "max_tpr"), "min_rate=0.99"),
        ((np.ones(len(same), bool),), "no different pair"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.calibrate_threshold(some, *arguments)


def test_without_sklearn_an_error_gives_the_pip_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.delitem(sys.modules, "minisiam.interop.sklearn")
    with pytest.raises(ImportError, match=r"pip install -e '\.\[interop-sklearn\]'"):
        import minisiam.interop.sklearn  # noqa: F401
