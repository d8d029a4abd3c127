"""A loss as a function of embeddings, for a framework that has its own encoder.

    network         = of_embeddings(losses.supcon, pairwise.cosine, temperature=0.1)
    params          = first_params(network, rng, size)                {"distance": …, "loss": …}, often empty
    value, pullback = evaluate(network, params, z, labels)            pullback(1.0) → dparams, [dz]

The network is one of `minisiam.networks`. Its encoder selects one of the embeddings that it is given, so the gradient
of the encoder's "parameters" is the gradient of the embeddings.
"""

from __future__ import annotations

from functools import partial
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import losses, networks, require, tree
from ..layers import Layer
from ..losses.combinators import without_partial
from ..op import init_params, with_parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..networks import Network
    from ..typing import Array, Generator, Loss, Params

    Wiring = Callable[..., Network]

CONSTANTS = {"same", "labels", "support_labels", "first", "second"}  # arguments of an objective that are no images


def of_embeddings(
    loss: Loss,
    distance: Callable[..., Any] | None = None,
    *,
    network: Wiring | None = None,
    classes: int | None = None,
    centres: int = 1,
    **constants: Any,
) -> Network:
    """Return a network that takes embeddings where others take images.

    Parameters
    ----------
    loss
        Any loss of `minisiam.losses`, or one with the same arguments.
    distance
        A distance of `minisiam.distances` for a loss on pairs or triplets; of `minisiam.pairwise`, or
        `fast.blockwise` of one, for a loss on a matrix; None for a loss on embeddings, `losses.vicreg`.
    network
        A function of `minisiam.networks`. The default follows from the loss: siamese, verification, triplet, batch,
        proxy, matching or two_view.
    classes, centres
        For a loss with learned proxies: the number of classes, and of proxies in each (SoftTriple).
    constants
        Constants of the loss: margin, temperature, reduction.
    """
    _check_constants(loss, constants)
    loss = partial(loss, **constants) if constants else loss
    if network is networks.proxy or (classes and network is None):
        return _with_proxies(loss, distance, classes, centres)
    if distance is None:
        return networks.joint_embedding(SELECT, loss)
    return (network or _wiring(loss, distance))(SELECT, distance, loss)


def _with_proxies(loss: Loss, distance: Callable[..., Any] | None, classes: int | None, centres: int) -> Network:
    if classes is None or distance is None:
        raise ValueError("a loss with proxies needs a distance and the number of classes: classes=10, size=64")
    return networks.proxy(
        SELECT, _to_soft_classes(distance, centres) if centres > 1 else distance, loss, classes, centres
    )


def _select(params: Params, position: int, /, input_grad: bool = True) -> Any:
    """The embedding at this position; the gradient of the others is 0."""

    def pullback(dz):
        return tuple(dz if k == position else np.zeros_like(z) for k, z in enumerate(params)), None

    return params[position], pullback


SELECT = Layer(lambda rng, shape: ((), shape), _select, "embeddings")


def arguments(network: Network) -> list[str]:
    """The names of the arguments of a network: ["x", "labels"]."""
    return [p.name for p in signature(network.apply).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]


def first_params(network: Network, rng: Generator, size: int | None = None) -> Params:
    """Draw the parameters of distance and loss and the proxies, for embeddings of this size."""
    if size is None:
        one, two = (map(np.shape, tree.leaves(network.init(np.random.default_rng(0), (d,)))) for d in (1, 2))
        if list(one) != list(two):
            raise ValueError(
                "this loss has parameters for each entry of an embedding: pass the embedding size, size=64"
            )
        size = 1
    require.whole("size", size, 1)
    return _without_encoder(network.init(rng, (size,)))


def evaluate(network: Network, params: Params, *batch: Any) -> tuple[Any, Callable[[Any], tuple[Params, list[Array]]]]:
    """Return the value, and a pullback that gives the gradients of the parameters and of each embedding."""
    names = arguments(network)
    require_arguments(network, batch)
    embedded = [value for name, value in zip(names, batch, strict=True) if name not in CONSTANTS]
    positions = iter(range(len(embedded)))
    mapped = [value if name in CONSTANTS else next(positions) for name, value in zip(names, batch, strict=True)]
    value, pull = network({"encoder": tuple(embedded), **params}, *mapped)

    def pullback(dl):
        (grads,) = pull(dl)
        return _without_encoder(grads), list(grads["encoder"])

    return value, pullback


def require_arguments(network: Network, batch: tuple[Any, ...]) -> None:
    """Require as many arguments as the network takes."""
    names = arguments(network)
    if len(batch) != len(names):
        raise TypeError(f"this loss takes {len(names)} arguments, ({', '.join(names)}), not {len(batch)}")


def _without_encoder(params: Params) -> Params:
    return {name: part for name, part in params.items() if name != "encoder"}


def _wiring(loss: Loss, distance: Callable[..., Any]) -> Wiring:
    """The function of `networks` for this loss, from the names of its arguments."""
    reads = signature(loss).parameters
    on_matrix = next(iter(reads)) == "D"
    _check_distance(loss, distance, on_matrix)
    if not on_matrix:
        return networks.triplet if "negative" in reads else _of_pairs(reads)
    if "labels" in reads or any(p.kind is Parameter.VAR_POSITIONAL for p in reads.values()):  # `with_miner`
        return networks.batch
    if "targets" in reads:
        raise ValueError(
            f"losses.{_name(loss)} compares with proxies, classes=10, size=64, or with class means, "
            "network=networks.prototypical: pass one of the two"
        )
    return networks.matching if "same" in reads else networks.two_view


def _of_pairs(reads: Any) -> Wiring:
    return networks.verification if "logits" in reads else networks.siamese


def _check_distance(loss: Loss, distance: Callable[..., Any], on_matrix: bool) -> None:
    """Require a distance between rows for a loss on pairs or triplets, and a matrix for a loss on a matrix."""
    one = np.ones((1, 1))
    found, _ = distance(one, one, *init_params(distance, np.random.default_rng(0), 1))
    if (len(found.shape) == 2) == on_matrix:
        return
    name = _name(loss)
    if on_matrix:
        raise TypeError(
            f"{name} needs the matrix of all distances of a batch: pass a distance of pairwise, pairwise.l2"
        )
    raise TypeError(
        f"{name} takes one distance for each pair or triplet: pass a distance of distances, distances.l2; or for a "
        f"whole batch losses.with_miner(losses.{name}, miner) with pairwise.l2"
    )


def _check_constants(loss: Loss, constants: dict[str, Any]) -> None:
    """Require constants that the loss has; of a loss with a miner they are known only when it is called."""
    reads = signature(loss).parameters.values()
    if not any(p.kind is Parameter.VAR_KEYWORD for p in reads):
        for name in constants:
            require.one_of(f"constant of {_name(loss)}", name, [p.name for p in reads if p.default is not p.empty])


def _name(loss: Loss) -> str:
    return getattr(without_partial(loss)[0], "__name__", "this loss")


def _to_soft_classes(distance: Callable[..., Any], centres: int) -> Callable[..., Any]:
    """The distance to a class that has several proxies."""

    def to_classes(a, b, /, *params):
        D, pull_D = distance(a, b, *params)
        d, pull_d = losses.soft_triple_distance(D, centres=centres)
        return d, lambda dd: pull_D(*pull_d(dd))

    return with_parameters_of(distance)(to_classes)
