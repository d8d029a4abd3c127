"""A batch larger than the memory of its activations: keep the embeddings, and run the encoder again for the gradient.

    encoder = fast.cached(fast.microbatch(fast.convert(encoders.conv4())))     for any network and loss

A loss on a whole batch needs all embeddings before it can send a gradient back. They are few numbers, and the
activations between the layers are many. So the first pass keeps only the embeddings. When the gradient dz arrives, each
chunk runs again, and its activations are kept until its part of dθ is added. This is exact: the chain rule in another
order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import ops, require, tree
from ..layers import Layer, at_test
from .batch_norm import pooled
from .stages import split

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Encoder, Op, Params


def cached(encoder: Layer, chunk: int = 128) -> Layer:
    """Return the same encoder, with the same parameters, that keeps the activations of one chunk at a time.

    Parameters
    ----------
    encoder
        A layer that embeds each image on its own. A batch norm is refused, since its statistics are those of the whole
        batch: use `norm="group"`. Apply `fast.convert` and `fast.microbatch` before.
    chunk
        The number of images whose activations are in memory at a time.

    Returns
    -------
    layer
        It takes one more forward pass: a step of Conv4 on 4,096 images takes 1.3 to 1.4 times as long on two cores.
        `Layer.test` is that of the encoder.

    References
    ----------
    Gao, Zhang, Han & Callan (2021), "Scaling deep contrastive learning batch size under memory limited setup"
    (GradCache), §3.
    """
    chunk = require.whole("chunk", chunk, 1)
    if _mixes_images(encoder):
        raise ValueError(
            "encoder has a BatchNorm, whose statistics are over the whole batch, so chunks cannot be computed one by "
            'one: use another norm, as in encoders.conv4(norm="group")'
        )
    tested = at_test(encoder)
    return Layer(
        encoder.init,
        recomputed(encoder, chunk),
        encoder.name,
        encoder.parts,
        cached,
        {**encoder.options, "chunk": chunk},
        None if tested is encoder else tested,
    )


def recomputed(encoder: Encoder, chunk: int) -> Callable[..., Op[Array]]:
    """`Layer.apply` of `cached`: the embeddings of all chunks; the activations of a chunk when its gradient is due.

    Parameters
    ----------
    encoder
        z, pull = encoder(params, x, input_grad=True): a function that embeds each image on its own.
    chunk
        The number of images in a chunk; the last one may have fewer.

    Returns
    -------
    apply
        z, pullback = apply(params, x, /, input_grad=True): the embeddings of the batch x, and `pullback(dz)` gives
        `(dparams, dx)`, where dx is None and is not computed with input_grad=False.
    """

    def apply(params, x, /, input_grad=True):
        chunks = [x[start : start + chunk] for start in range(0, len(x), chunk)] or [x]
        z = np.concatenate([encoder(params, part, input_grad=False)[0] for part in chunks])

        def pullback(dz):
            dparams: Params = None
            dxs = []
            for part, d in zip(chunks, split(dz, chunks), strict=True):
                _, pull = encoder(params, part, input_grad=input_grad)
                found, dx = pull(d)
                dparams = found if dparams is None else tree.add(dparams, found)
                dxs.append(dx)
            return dparams, np.concatenate(dxs) if input_grad else None

        return z, pullback

    return apply


def _mixes_images(layer: Layer) -> bool:
    return layer.op in (ops.batch_norm, pooled) or any(map(_mixes_images, layer.parts))
