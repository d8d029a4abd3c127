"""Embeddings of a whole data set: `embed`, the mean over distortions, and the pixels themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .._arrays import reads_arrays
from ..layers import Layer, at_test
from ..ops import normalize

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array, Embed, Encoder, Float, Generator, Params


@reads_arrays
def embed(encoder: Encoder, params: Params, images: Float[Array, "n ..."], chunk: int = 512) -> Array:
    """z = f(images; params), (n, d), computed in chunks. `params` are those of the encoder, `params["encoder"]`.

    The encoder runs in its test-time form, `layers.at_test`, so an embedding does not depend on the other images.
    """
    require.rows(images=images)
    chunk = require.whole("chunk", chunk, 1)
    encoder = at_test(encoder) if isinstance(encoder, Layer) else encoder
    starts = range(0, len(images), chunk)
    return np.concatenate([encoder(params, images[s : s + chunk], input_grad=False)[0] for s in starts])


@reads_arrays
def averaged(
    embed: Embed,
    images: Float[Array, "n ..."],
    rng: Generator,
    views: int,
    distort: Callable[[Array, Generator], Array],
) -> Array:
    """The mean direction of each image and of `views` distortions of it, (n, d): Σ z_v / ‖z_v‖ / (views + 1).

    It takes views + 1 times as long as `embed`, so report its results separately. Meant for `pairwise.cosine`.
    """
    views = require.whole("views", views, 1)
    total = normalize(embed(images))[0]
    for _ in range(views):
        total = total + normalize(embed(distort(images, rng)))[0]
    return total / np.float32(views + 1)


@reads_arrays
def pixels(images: Float[Array, "n ..."]) -> Array:
    """The trivial embedding: the pixels of each image as a row."""
    return images.reshape(len(images), -1)
