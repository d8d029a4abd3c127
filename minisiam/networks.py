"""method = encoder × distance × loss.   Each network combines the three into an objective:

    params          = objective.init(rng, shape)            the shape of one image
    value, pullback = objective(params, /, *batch)          (dparams,) = pullback(1.0)

    siamese, verification    x1, x2, same                   d(f(x1), f(x2)), pair by pair
    triplet                  anchor, positive, negative     d(f(a), f(p)) and d(f(a), f(n))
    batch                    x, labels                      every image against every other image
    proxy                    x, labels                      every image against a learned point per class
    prototypical, matching   support, support_labels, query, labels     queries against class means, or support images
    two_towers               x1, x2                         every image against every text: an encoder for each
    two_view                 x1, x2                         every first view against every second view
    joint_embedding          x1, x2                         the embeddings of two views, without a distance

The parameters of all three are in one tree, {"encoder": …, "distance": …, "loss": …}, and so are their gradients.
Any encoder works with any distance and any loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _arrays, require, tree
from .op import has_parameters, init_params

if TYPE_CHECKING:
    from collections.abc import Callable

    from .typing import AnyOp, Array, Distance, Encoder, Generator, Loss, Op, PairwiseDistance, Params, Shape


class Network(NamedTuple):
    """A pair of pure functions: `init(rng, shape)` draws all parameters, `apply` is the objective."""

    init: Callable[..., Params]
    apply: Callable[..., Op[Any]]

    def __call__(self, params: Params, /, *batch: Any) -> Op[Any]:  # noqa: D102
        return self.apply(params, *batch)


def siamese(encoder: Encoder, distance: Distance, loss: Loss) -> Network:
    """ℓ( d( f(x₁; θ), f(x₂; θ) ) ; same ): two branches with shared weights.

    The objective takes `x1, x2, same`: two (n, ...) arrays of images and (n,) booleans.
    """

    def apply(params, /, x1, x2, same):
        z1, pull_z1 = encoder(params["encoder"], x1, input_grad=False)
        z2, pull_z2 = encoder(params["encoder"], x2, input_grad=False)
        d, pull_d = distance(z1, z2, *params["distance"])
        value, pull_value = loss(d, *params["loss"], same)

        def pullback(dl):
            dd, *dloss = pull_value(dl)
            dz1, dz2, *ddistance = pull_d(dd)
            dtheta1, _ = pull_z1(dz1)
            dtheta2, _ = pull_z2(dz2)
            dtheta = tree.add(dtheta1, dtheta2)  # shared weights: gradients add
            return ({"encoder": dtheta, "distance": tuple(ddistance), "loss": tuple(dloss)},)

        return value, pullback

    return Network(_init(encoder, distance, loss), apply)


def triplet(encoder: Encoder, distance: Distance, loss: Loss) -> Network:
    """ℓ( d( f(a), f(p) ), d( f(a), f(n) ) ): three branches with shared weights.

    The objective takes `anchor, positive, negative`: three (n, ...) arrays of images.
    """

    def apply(params, /, anchor, positive, negative):
        za, pull_a = encoder(params["encoder"], anchor, input_grad=False)
        zp, pull_p = encoder(params["encoder"], positive, input_grad=False)
        zn, pull_n = encoder(params["encoder"], negative, input_grad=False)
        near, pull_near = distance(za, zp, *params["distance"])
        far, pull_far = distance(za, zn, *params["distance"])
        value, pull_value = loss(near, far, *params["loss"])

        def pullback(dl):
            dnear, dfar, *dloss = pull_value(dl)
            dza_near, dzp, *dw_near = pull_near(dnear)
            dza_far, dzn, *dw_far = pull_far(dfar)
            dtheta_a, _ = pull_a(dza_near + dza_far)  # the anchor is in both distances
            dtheta_p, _ = pull_p(dzp)
            dtheta_n, _ = pull_n(dzn)
            dtheta = tree.add(dtheta_a, dtheta_p, dtheta_n)
            return ({"encoder": dtheta, "distance": tree.add(tuple(dw_near), tuple(dw_far)), "loss": tuple(dloss)},)

        return value, pullback

    return Network(_init(encoder, distance, loss), apply)


def verification(encoder: Encoder, distance: Distance, loss: Loss) -> Network:
    """A siamese network whose learned distance is a decision: p(same) = σ(−d), so d = 0 is the threshold.

    The objective takes `x1, x2, same`. The distance needs a learned scale and bias: `distances.weighted_l1`
    (Koch et al. 2015), or `distances.calibrated(l2)` for any other distance. The loss takes logits:
    `losses.binary_cross_entropy`.
    """
    if not has_parameters(distance):
        name = distance.__name__
        raise ValueError(
            f"verification needs a learned threshold, and {name} has none: pass distances.calibrated({name})"
        )

    def logits(z1, z2, /, *w):
        d, pull_d = distance(z1, z2, *w)
        return -d, lambda dlogits: pull_d(-dlogits)

    return Network(_init(encoder, distance, loss), siamese(encoder, logits, loss).apply)


def batch(encoder: Encoder, pairwise: PairwiseDistance, loss: Loss) -> Network:
    """ℓ( D(z, z) ; labels ) with z = f(x; θ): every image is encoded once and compared with every other image.

    The objective takes `x, labels`. `pairwise` is a distance of `minisiam.pairwise`, or for large batches
    `fast.blockwise` of one. The loss takes a distance matrix: `losses.supcon`, or
    `losses.with_miner(losses.triplet_hinge, miners.batch_hard)`.
    """

    def apply(params, /, x, labels):
        z, pull_z = encoder(params["encoder"], x, input_grad=False)
        D, pull_D = pairwise(z, z, *params["distance"])
        value, pull_value = loss(D, *params["loss"], labels)

        def pullback(dl):
            dD, *dloss = pull_value(dl)
            dz_row, dz_column, *ddistance = pull_D(dD)
            dtheta, _ = pull_z(dz_row + dz_column)  # each image has a row and a column of D
            return ({"encoder": dtheta, "distance": tuple(ddistance), "loss": tuple(dloss)},)

        return value, pullback

    return Network(_init(encoder, pairwise, loss), apply)


def proxy(encoder: Encoder, pairwise: PairwiseDistance, loss: Loss, classes: int, centres: int = 1) -> Network:
    """ℓ( D(f(x; θ), W) ; labels ) with one learned point per class, the rows of W.

    The objective takes `x, labels`, where labels are integers from 0 to classes − 1. The loss takes the distances from
    images to classes: `losses.softmax_cross_entropy`, `losses.arcface`, `losses.proxy_anchor`. W is
    `params["proxies"]`, with the shape (classes · centres, d); it starts near the unit sphere and is not needed after
    training.
    """
    classes = require.whole("classes", classes, 2)
    centres = require.whole("centres", centres, 1)
    first = _init(encoder, pairwise, loss)

    def init(rng, shape):
        _, (size,) = encoder.init(np.random.default_rng(0), shape)
        proxies = rng.normal(0, 1 / np.sqrt(size), (classes * centres, size)).astype(np.float32)
        return first(rng, shape) | {"proxies": proxies}

    def apply(params, /, x, labels):
        z, pull_z = encoder(params["encoder"], x, input_grad=False)
        D, pull_D = pairwise(z, params["proxies"], *params["distance"])
        value, pull_value = loss(D, *params["loss"], labels)

        def pullback(dl):
            dD, *dloss = pull_value(dl)
            dz, dproxies, *ddistance = pull_D(dD)
            dtheta, _ = pull_z(dz)
            grads = {"encoder": dtheta, "distance": tuple(ddistance), "loss": tuple(dloss), "proxies": dproxies}
            return (grads,)

        return value, pullback

    return Network(init, apply)


def prototypical(encoder: Encoder, pairwise: PairwiseDistance, loss: Loss) -> Network:
    """ℓ( D(f(query; θ), c) ; labels ) with cₖ the mean of the support embeddings of class k (Snell et al. 2017).

    The objective takes `support, support_labels, query, labels` as `samplers.episodes` yields them, with classes from 0
    to n − 1. The loss takes the distances from queries to classes: `losses.softmax_cross_entropy`.
    """

    def apply(params, /, support, support_labels, query, labels):
        zs, pull_s = encoder(params["encoder"], support, input_grad=False)
        zq, pull_q = encoder(params["encoder"], query, input_grad=False)
        weights = _class_mean_weights(support_labels, zs.dtype)
        D, pull_D = pairwise(zq, weights @ zs, *params["distance"])
        value, pull_value = loss(D, *params["loss"], labels)

        def pullback(dl):
            dD, *dloss = pull_value(dl)
            dzq, dmeans, *ddistance = pull_D(dD)
            dtheta = tree.add(pull_q(dzq)[0], pull_s(weights.T @ dmeans)[0])
            return ({"encoder": dtheta, "distance": tuple(ddistance), "loss": tuple(dloss)},)

        return value, pullback

    return Network(_init(encoder, pairwise, loss), apply)


def _class_mean_weights(labels: Array, dtype: Any) -> Array:
    """A matrix M (classes, n) such that M @ z are the means of the classes."""
    labels = _arrays.labels("support_labels", labels)
    require.class_labels(labels, name="support_labels")
    classes = np.unique(labels)
    if classes.tolist() != list(range(len(classes))):
        raise ValueError(
            "support_labels must use every number from 0 up, and labels the same numbers: number both together with "
            "of = np.unique([*support_labels, *labels], return_inverse=True)[1]"
        )
    member = classes[:, None] == labels
    return (member / member.sum(axis=1, keepdims=True)).astype(dtype)


def matching(encoder: Encoder, pairwise: PairwiseDistance, loss: Loss) -> Network:
    """ℓ( D(f(query; θ), f(support; θ)) ; same ): every query against every support image (Vinyals et al. 2016).

    The objective takes `support, support_labels, query, labels`. The loss takes a boolean matrix that marks the support
    images of each query's class: `losses.matching`.
    """
    sets = two_view(encoder, pairwise, loss)

    def apply(params, /, support, support_labels, query, labels):
        same = _arrays.labels("labels", labels)[:, None] == _arrays.labels("support_labels", support_labels)
        return sets(params, query, support, same)

    return Network(sets.init, apply)


def two_towers(first: Encoder, second: Encoder, pairwise: PairwiseDistance, loss: Loss) -> Network:
    """ℓ( D(f(x₁; θ₁), g(x₂; θ₂)) ): two encoders, one for each modality, such as images and their texts (CLIP).

    The parameters are drawn for two shapes, `init(rng, shape1, shape2)`, and `params["encoder"]` is (θ₁, θ₂). Both
    encoders have one embedding size. The objective takes `x1, x2, *targets`:

    - n pairs, and a loss that expects them on the diagonal: `losses.info_nce`, `losses.pairwise_sigmoid`;
    - more rows in x2, where the further rows are hard negatives, and the column of each x1 as targets:
      `network(params, x1, x2, np.arange(len(x1)))` with `losses.softmax_cross_entropy`.
    """

    def init(rng, shape1, shape2):
        params = _init(first, pairwise, loss)(rng, shape1)
        theta, size = second.init(rng, shape2)
        _, wanted = first.init(np.random.default_rng(0), shape1)
        if size != wanted:
            raise ValueError(f"the embeddings of both towers must have one size, not {wanted} and {size}")
        return params | {"encoder": (params["encoder"], theta)}

    def apply(params, /, x1, x2, *targets):
        theta1, theta2 = params["encoder"]
        z1, pull_z1 = first(theta1, x1, input_grad=False)
        z2, pull_z2 = second(theta2, x2, input_grad=False)
        D, pull_D = pairwise(z1, z2, *params["distance"])
        value, pull_value = loss(D, *params["loss"], *targets)

        def pullback(dl):
            dD, *dloss = pull_value(dl)
            dz1, dz2, *ddistance = pull_D(dD)
            dtheta = pull_z1(dz1)[0], pull_z2(dz2)[0]
            return ({"encoder": dtheta, "distance": tuple(ddistance), "loss": tuple(dloss)},)

        return value, pullback

    return Network(init, apply)


def clamp_log_scale(params: Params, largest: float = 100.0) -> Params:
    """0 ≤ s ≤ log(largest), for the scale e^s of `distances.tempered`; the other parameters stay as they are.

    CLIP and open_clip do this after every step: `optimizers.projected(optimizers.adam(1e-3), clamp_log_scale)`.
    """
    if not params["distance"]:
        raise ValueError("clamp_log_scale needs a learned scale: pass the network a distance of distances.tempered")
    log_scale, *bias = params["distance"]
    clamped = np.clip(log_scale, log_scale.dtype.type(0), log_scale.dtype.type(np.log(largest)))
    return params | {"distance": (clamped, *bias)}


def two_view(encoder: Encoder, pairwise: PairwiseDistance, loss: Loss) -> Network:
    """ℓ( D(f(x₁; θ), f(x₂; θ)) ): every first view of the images against every second view, without labels.

    It is `two_towers` with one set of weights. The objective takes `x1, x2`. The loss takes the distances from first
    views to second views: `losses.info_nce`.
    """
    towers = two_towers(encoder, encoder, pairwise, loss)

    def apply(params, /, x1, x2, *targets):
        value, pull_value = towers(params | {"encoder": (params["encoder"], params["encoder"])}, x1, x2, *targets)

        def pullback(dl):
            (grads,) = pull_value(dl)
            return (grads | {"encoder": tree.add(*grads["encoder"])},)  # shared weights: gradients add

        return value, pullback

    return Network(_init(encoder, pairwise, loss), apply)


def joint_embedding(encoder: Encoder, loss: Loss) -> Network:
    """ℓ( f(x₁; θ), f(x₂; θ) ): two views of the same images, without labels and without a distance.

    The objective takes `x1, x2`. The loss takes the embeddings: `losses.vicreg`.
    """

    def apply(params, /, x1, x2):
        z1, pull_z1 = encoder(params["encoder"], x1, input_grad=False)
        z2, pull_z2 = encoder(params["encoder"], x2, input_grad=False)
        value, pull_value = loss(z1, z2, *params["loss"])

        def pullback(dl):
            dz1, dz2, *dloss = pull_value(dl)
            dtheta = tree.add(pull_z1(dz1)[0], pull_z2(dz2)[0])
            return ({"encoder": dtheta, "distance": (), "loss": tuple(dloss)},)

        return value, pullback

    return Network(_init(encoder, None, loss), apply)


def regularized(network: Network, penalty: AnyOp) -> Network:
    """The network's value plus `penalty(W)` for every weight matrix and kernel W, but not for biases.

    `regularized(network, losses.l2_penalty)` is Koch's L2 term with one strength for all layers (Koch uses one per
    layer). A weight is an array with two or more axes, so the weights of `distances.weighted_l1` are not penalised.
    """

    def apply(params, /, *batch):
        value, pull_value = network(params, *batch)
        penalties = [penalty(W) if np.ndim(W) > 1 else (0.0, lambda dl: (0.0,)) for W in tree.leaves(params)]

        def pullback(dl):
            (dparams,) = pull_value(dl)
            dpenalties = iter([pull(dl)[0] for _, pull in penalties])
            return (tree.map(lambda dW: dW + next(dpenalties), dparams),)

        return value + sum(cost for cost, _ in penalties), pullback

    return Network(network.init, apply)


def _init(encoder: Encoder, distance: Distance | None, loss: Loss) -> Callable[..., Params]:
    def init(rng: Generator, shape: Shape) -> Params:
        theta, size = encoder.init(rng, shape)
        if len(size) != 1:
            raise ValueError(f"the encoder gives embeddings of shape {size}, not rows: end it with Flatten")
        return {
            "encoder": theta,
            "distance": () if distance is None else init_params(distance, rng, *size),
            "loss": init_params(loss, rng, *size),
        }

    return init
