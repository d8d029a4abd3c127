"""A network as an estimator of scikit-learn: a transformer from tables or images to embeddings.

    encoder = interop.sklearn.MetricEncoder(loss="supcon", steps=300, random_state=0)
    model   = make_pipeline(StandardScaler(), encoder, KNeighborsClassifier())
    cross_val_score(model, X, y)

The methods `pair_distance`, `pair_score`, `get_metric` and `calibrate_threshold` are those of the package metric-learn.
"""

from __future__ import annotations

from copy import copy
from inspect import Parameter, signature
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import (
    distances,
    encoders,
    evaluate,
    layers,
    losses,
    miners,
    networks,
    optimizers,
    pairwise,
    require,
    samplers,
    tree,
)
from .. import train as training
from ..analysis.registry import LOSSES
from ..op import init_params
from . import require_package

require_package("interop.sklearn", "sklearn", "interop-sklearn")
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin  # noqa: E402
from sklearn.utils import check_random_state  # noqa: E402
from sklearn.utils.multiclass import check_classification_targets  # noqa: E402
from sklearn.utils.validation import check_array, check_is_fitted, validate_data  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..layers import Layer
    from ..networks import Network
    from ..typing import Array, Generator, Loss

STRATEGIES = ("accuracy", "f_beta", "max_tpr", "max_tnr")


class MetricEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Embeddings in which samples of one class are near each other, for a classifier or a search by distance.

    Parameters
    ----------
    loss
        A name of `analysis.registry`, "supcon", "contrastive", or a loss of `minisiam.losses`, also as a
        `functools.partial` with constants.
    distance
        "l2", "squared_l2", "cosine", "dot", "l1" or "weighted_l1".
    network
        How samples are compared: "batch" (every sample of a batch with every other), "siamese" and "verification" (in
        pairs), "triplet", or "proxy" (with a learned point for each class). In a batch, a loss on pairs takes all
        pairs, and a loss on triplets the hardest.
    encoder
        The sizes of hidden layers, (256,); or a name of `minisiam.encoders`, "conv4"; or a function without
        arguments that returns a layer: `functools.partial(encoders.conv4, embedding=64)`.
    n_components
        The embedding size. An encoder from a function has its own.
    normalize
        Whether to end with embeddings of length 1, for which L2 and cosine rank alike.
    steps, batch_size, learning_rate
        Of training, with Adam and a rate that falls along half a cosine.
    random_state
        An integer, a np.random.RandomState, or None.

    Attributes
    ----------
    params_ : dict
        The parameters of the network, as minisiam has them.
    loss_curve_ : list of float
        The loss of each step.
    classes_ : array
        The classes of y.
    shape_ : tuple
        The shape of a sample.
    threshold_ : float
        The distance up to which `same` says that two samples are of one class; set by `calibrate_threshold`.
    n_features_in_ : int
        The number of columns of X; for images the height.

    Notes
    -----
    Training is in float32. `transform` computes in the dtype of X, so that the embedding of a sample does not depend on
    the samples beside it by more than rounding. A class with one sample is not used.
    """

    def __init__(
        self,
        loss: str | Loss = "supcon",
        distance: str = "cosine",
        network: str = "batch",
        encoder: Sequence[int] | str | Callable[[], Layer] = (256,),
        n_components: int = 32,
        normalize: bool = True,
        steps: int = 300,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        random_state: Any = None,
    ) -> None:
        self.loss = loss
        self.distance = distance
        self.network = network
        self.encoder = encoder
        self.n_components = n_components
        self.normalize = normalize
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> MetricEncoder:
        """Train on samples X, (n, d) or images (n, h, w) or (n, h, w, c), and their classes y."""
        X, y = validate_data(self, X, y, allow_nd=True, dtype=(np.float64, np.float32), ensure_min_samples=2)
        check_classification_targets(y)
        require.whole("steps", self.steps, 1)
        require.whole("batch_size", self.batch_size, 4)
        self.classes_, labels = np.unique(y, return_inverse=True)
        images, labels = _in_classes(_with_channel(X).astype(np.float32), labels)
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        network = self._network(labels.max() + 1)
        self.shape_ = X.shape[1:]
        params = network.init(rng, images.shape[1:])
        optimizer = optimizers.adam(optimizers.cosine_decay(self.learning_rate, self.steps))
        self.loss_curve_ = []
        batches = islice(_batches(self.network, images, labels, rng, self.batch_size), self.steps)
        for _, value, self.params_ in training.fit(network, params, optimizer, batches):
            self.loss_curve_.append(value)
        self._n_features_out = len(self._embed(X[:1])[0])
        return self

    def transform(self, X: Any) -> Array:
        """Return the embeddings of samples, (n, n_components), in the dtype of X."""
        check_is_fitted(self)
        X = validate_data(self, X, allow_nd=True, dtype=(np.float64, np.float32), reset=False)
        return self._embed(X)

    def pair_distance(self, pairs: Any) -> Array:
        """Return the learned distance of each pair; `pairs` is (n, 2, d), or (n, 2, …) images."""
        check_is_fitted(self)
        pairs = check_array(pairs, allow_nd=True, dtype=(np.float64, np.float32), input_name="pairs")
        if pairs.shape[1:] != (2, *self.shape_):
            raise ValueError(f"pairs must have the shape (n, 2, {str(self.shape_)[1:-1]}), not {pairs.shape}")
        first, second = self._embed(pairs[:, 0]), self._embed(pairs[:, 1])
        return self._distance(distances)(first, second, *tree.cast(self.params_["distance"], first.dtype))[0]

    def pair_score(self, pairs: Any) -> Array:
        """Return −`pair_distance`: greater where two samples are more alike."""
        return -self.pair_distance(pairs)

    def get_metric(self) -> Callable[[Any, Any], float]:
        """Return the learned distance of two samples as a function, for `KNeighborsClassifier(metric=…)`.

        A later `fit` does not change it. It embeds both samples at every call: to classify many samples, put the
        estimator before the classifier in a pipeline instead.
        """
        check_is_fitted(self)
        fitted = copy(self)

        def metric(u: Any, v: Any) -> float:
            pair = np.stack([np.reshape(u, fitted.shape_), np.reshape(v, fitted.shape_)])
            return float(fitted.pair_distance(pair[None])[0])

        return metric

    def calibrate_threshold(
        self,
        pairs_valid: Any,
        y_valid: Any,
        strategy: str = "accuracy",
        min_rate: float | None = None,
        beta: float = 1.0,
    ) -> MetricEncoder:
        """Set `threshold_`, the distance up to which a pair counts as one class, from pairs that were not trained on.

        Parameters
        ----------
        pairs_valid
            (n, 2, d).
        y_valid
            (n,) booleans, True where both samples have one class; or 1 and −1, as in metric-learn.
        strategy
            "accuracy"; "f_beta", the F score with `beta`; "max_tpr", the most pairs of one class accepted while at
            least `min_rate` of the others are rejected; "max_tnr", the most others rejected while at least `min_rate`
            of the pairs of one class are accepted.
        min_rate, beta
            Constants of the strategies.
        """
        d, same = self.pair_distance(pairs_valid), _as_booleans(y_valid)
        curve = evaluate.roc(d, same)
        score = _score(curve.true_accept, curve.false_accept, float(same.mean()), strategy, min_rate, beta)
        self.threshold_ = float(curve.thresholds[np.argmax(score)])
        return self

    def same(self, pairs: Any) -> Array:
        """Return whether both samples of each pair have one class: `pair_distance(pairs) <= threshold_`."""
        check_is_fitted(self)
        if not hasattr(self, "threshold_"):
            raise ValueError("there is no threshold yet: call calibrate_threshold(pairs, same) first")
        return self.pair_distance(pairs) <= self.threshold_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _embed(self, X: Array) -> Array:
        if X.shape[1:] != self.shape_:
            raise ValueError(f"X must have the shape (n, {str(self.shape_)[1:-1]}) of the training data, not {X.shape}")
        return evaluate.embed(self._encoder(), tree.cast(self.params_["encoder"], X.dtype), _with_channel(X))

    def _encoder(self) -> Layer:
        """The encoder that the parameters describe; it is made again at each use, since functions cannot be pickled."""
        if callable(self.encoder):
            made = self.encoder()
        elif isinstance(self.encoder, str):
            require.one_of("encoder", self.encoder, ENCODERS)
            made = getattr(encoders, self.encoder)(embedding=self.n_components)
        else:
            made = encoders.mlp(*self.encoder, self.n_components)
        parts = made.parts if made.op is layers.serial else (made,)
        return layers.serial(*parts, layers.Normalize, name=made.name) if self.normalize else made

    def _distance(self, module: Any) -> Callable[..., Any]:
        """The distance of `distances` or of `pairwise`."""
        require.one_of("distance", self.distance, DISTANCES)
        distance = getattr(module, self.distance)
        learned = init_params(distance, np.random.default_rng(0), 1)
        return distances.calibrated(distance) if self.network == "verification" and not learned else distance

    def _network(self, classes: int) -> Network:
        """encoder × distance × loss."""
        require.one_of("network", self.network, NETWORKS)
        if isinstance(self.loss, str):
            require.one_of("loss", self.loss, LOSSES)
        loss = LOSSES[self.loss] if isinstance(self.loss, str) else self.loss
        encoder, rows, matrix, kind = self._encoder(), self._distance(distances), self._distance(pairwise), _kind(loss)
        if self.network not in KINDS[kind]:
            raise ValueError(
                f"network must be {' or '.join(map(repr, KINDS[kind]))} for this loss, not {self.network!r}"
            )
        if self.network == "batch":
            return networks.batch(encoder, matrix, losses.with_miner(loss, MINERS[kind]) if kind in MINERS else loss)
        if self.network == "proxy":
            return networks.proxy(encoder, matrix, loss, classes)
        return getattr(networks, self.network)(encoder, rows, loss)


NETWORKS = ("batch", "proxy", "siamese", "triplet", "verification")
# the networks that a kind of loss allows, and the miner that chooses its pairs or triplets in a batch
KINDS = {
    "pairs": ("batch", "siamese"),
    "triplets": ("batch", "triplet"),
    "log-odds": ("verification",),
    "matrix": ("batch",),
    "proxies": ("proxy",),
}
MINERS = {"pairs": miners.all_pairs, "triplets": miners.batch_hard}
ENCODERS = ("bielski", "conv2", "conv3", "conv4", "hoffer")
DISTANCES = ("cosine", "dot", "l1", "l2", "squared_l2", "weighted_l1")


def _kind(loss: Loss) -> str:
    """The key of KINDS for a loss, from the names of its arguments."""
    reads = signature(loss).parameters
    on_matrix = next(iter(reads)) == "D"
    if on_matrix and "targets" in reads:
        return "proxies"
    if on_matrix and ("labels" in reads or any(p.kind is Parameter.VAR_POSITIONAL for p in reads.values())):
        return "matrix"
    if not on_matrix and {"negative", "logits", "same"} & reads.keys():
        return "triplets" if "negative" in reads else "log-odds" if "logits" in reads else "pairs"
    raise ValueError("loss needs two views or episodes instead of samples and classes: use losses.supcon")


def _in_classes(images: Array, labels: Array) -> tuple[Array, Array]:
    """The samples of classes with two or more samples, and their classes from 0."""
    count = np.bincount(labels)
    keep = count[labels] > 1
    if np.count_nonzero(count > 1) < 2:
        raise ValueError(
            "y must have two or more classes with two or more samples each, but it has "
            f"{len(count)} class(es), of which {np.count_nonzero(count > 1)} have two samples"
        )
    return images[keep], np.unique(labels[keep], return_inverse=True)[1]


def _batches(network: str, images: Array, labels: Array, rng: Generator, size: int) -> Iterator[tuple[Any, ...]]:
    """The arguments of the network, step by step."""
    if network in ("siamese", "verification"):
        return samplers.pairs(images, labels, rng, size)
    if network == "triplet":
        return samplers.triplets(images, labels, rng, size)
    return _of_classes(images, labels, rng, size)


def _of_classes(images: Array, labels: Array, rng: Generator, size: int) -> Iterator[tuple[Array, Array]]:
    """Batches with as many samples of each class as possible: unlike `samplers.pk`, a small class gives what it has."""
    members = [np.flatnonzero(labels == c) for c in range(labels.max() + 1)]
    per_class = max(size // len(members), min(4, size // 2))
    while True:
        chosen = rng.permutation(len(members))[: size // per_class]
        rows = np.concatenate([rng.permutation(members[c])[:per_class] for c in chosen])
        yield images[rows], labels[rows]


def _score(tpr: Array, fpr: Array, share: float, strategy: str, min_rate: float | None, beta: float) -> Array:
    """What a strategy maximises, at each threshold; `share` is the share of pairs of one class."""
    require.one_of("strategy", strategy, STRATEGIES)
    if strategy == "accuracy":
        return share * tpr + (1 - share) * (1 - fpr)
    if strategy == "f_beta":
        weight = require.between("beta", beta, 0) ** 2
        hits = (1 + weight) * share * tpr
        return hits / (hits + weight * share * (1 - tpr) + (1 - share) * fpr)
    if min_rate is None:
        raise ValueError(f"the strategy {strategy} needs min_rate, from 0 to 1: min_rate=0.99")
    require.between("min_rate", min_rate, 0, 1)
    goal, rate = (tpr, 1 - fpr) if strategy == "max_tpr" else (1 - fpr, tpr)
    return np.where(rate >= min_rate, goal, -1)


def _as_booleans(y: Any) -> Array:
    """Booleans, or 1 and −1, as booleans. 0 and 1 are refused: papers disagree on which means similar."""
    y = np.asarray(y)
    if y.dtype == np.bool_:
        return y
    if not np.isin(y, (-1, 1)).all():
        raise ValueError("y_valid must be booleans, True where both samples have one class, or 1 and -1: y_valid == 1")
    return y == 1


def _with_channel(X: Array) -> Array:
    """Grey images (n, h, w) as (n, h, w, 1)."""
    return X[..., None] if X.ndim == 3 else X
