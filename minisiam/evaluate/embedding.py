"""Embeddings of a whole data set, and the pixels themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import require
from .._arrays import reads_arrays
from ..layers import Layer, at_test

if TYPE_CHECKING:
    from ..typing import Array, Encoder, Float, Params


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
def pixels(images: Float[Array, "n ..."]) -> Array:
    """The trivial embedding: the pixels of each image as a row."""
    return images.reshape(len(images), -1)
