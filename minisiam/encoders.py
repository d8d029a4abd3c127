"""Base networks f(x; θ): mlp, a small convolutional network, and those of three papers and one tutorial.

Each function returns a `Layer`; `encoder.init(rng, shape)` draws its parameters, `encoder(params, x)` runs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import initializers, require, tree
from .layers import Conv, Dense, Flatten, Layer, MaxPool, Normalize, PRelu, Relu, Sigmoid, serial

if TYPE_CHECKING:
    from .typing import Generator


def mlp(*sizes: int, activation: Layer = Relu, normalize: bool = False) -> Layer:
    """Dense layers with an activation between them; the last size is the embedding's.

    `mlp(512, 64)` reads images of any shape. With `normalize` the embedding lies on the unit sphere.
    """
    if not sizes:
        raise ValueError("mlp needs at least one size, the embedding's: mlp(512, 64)")
    hidden = [layer for size in sizes[:-1] for layer in (Dense(size), activation)]
    return serial(Flatten, *hidden, Dense(sizes[-1]), *([Normalize] if normalize else []), name="mlp")


def bielski(embedding: int = 2) -> Layer:
    """Two 5×5 convolutions and three dense layers, PReLU between: the network of A. Bielski's tutorial.

    Expects 16×16 images or larger. Source: the repository adambielski/siamese-triplet.
    """
    dense = [Dense(256), PRelu(), Dense(256), PRelu(), Dense(embedding)]
    return serial(Conv(32, 5), PRelu(), MaxPool(), Conv(64, 5), PRelu(), MaxPool(), Flatten, *dense, name="bielski")


def conv4(channels: int = 64, embedding: int | None = None) -> Layer:
    """Four blocks of 3×3 convolution, ReLU and 2×2 pooling (Vinyals et al. 2016, without batch norm).

    28×28 images give `channels` numbers; `embedding` adds a dense layer. Expects 16×16 images or larger.
    """
    blocks = [layer for _ in range(4) for layer in (Conv(channels, 3, "same"), Relu, MaxPool())]
    return serial(*blocks, Flatten, *([Dense(embedding)] if embedding else []), name="conv4")


def conv2(embedding: int = 128) -> Layer:
    """Two convolutions without pooling, 5×5 with stride 2 and 2×2, and a dense layer: for small images, 14×14.

    A stride in the place of a pooling leaves a quarter of the work: on two cores a training step on 256 images takes
    15 ms.
    """
    first, second = Conv(32, 5, "same", stride=2), Conv(64, 2)
    return serial(first, Relu, second, Relu, Flatten, Dense(embedding, initializers.glorot), name="conv2")


# outputs and kernel of each convolution, and after how many of them the image is pooled
KOCH = {
    105: (((64, 10), (128, 7), (128, 4), (256, 4)), 3),
    35: (((64, 6), (128, 4), (128, 3), (256, 2)), 2),
    28: (((64, 5), (128, 3), (128, 2), (256, 2)), 2),
}


def koch(pixels: int = 105, embedding: int = 4096, init: str = "koch") -> Layer:
    """Koch's network: four valid convolutions with ReLU and pooling, and a dense layer with a sigmoid.

    Parameters
    ----------
    pixels
        105: the published network, 38,951,745 parameters with its weighted L1. 35 and 28: the same four stages with
        smaller windows, pooled twice; both see 3×3×256 features before the dense layer. (The paper mentions a
        35-pixel model without printing its sizes; these are ours.)
    embedding
        Size of the dense layer.
    init
        "koch": as the paper says. "he": He for the convolutions and Glorot for the dense layer, which learns in
        minutes what the paper's takes hours for.

    References
    ----------
    Koch, Zemel & Salakhutdinov (2015), "Siamese neural networks for one-shot image recognition", fig. 4 and §3.2.
    """
    if pixels not in KOCH:
        raise ValueError(f"koch has a network for images of {', '.join(map(str, KOCH))} pixels, not {pixels}")
    require.one_of("init", init, ("koch", "he"))
    if init == "koch":
        bias = initializers.normal(0.01, mean=0.5)
        conv, dense = (initializers.normal(0.01), bias), (initializers.normal(0.2), bias)
    else:
        conv, dense = (initializers.he, initializers.zeros), (initializers.glorot, initializers.zeros)
    stages, pooled = KOCH[pixels]
    layers = []
    for number, (outputs, kernel) in enumerate(stages):
        pool = [MaxPool()] if number < pooled else []
        layers += [Conv(outputs, kernel, "valid", 1, *conv), Relu, *pool]
    return serial(*layers, Flatten, Dense(embedding, *dense), Sigmoid, name=f"koch{pixels}")


def summary(encoder: Layer, rng: Generator, shape: tuple[int, ...]) -> str:
    """A table of the layers: name, output shape, parameters.

    >>> import numpy as np
    >>> print(summary(mlp(8, 2), np.random.default_rng(0), (4, 4, 1)))
    layer                    output      parameters
    input                    4×4×1
    Flatten                  16                   0
    Dense 8                  8                  136
    Relu                     8                    0
    Dense 2                  2                   18
    mlp                      2                  154
    """
    rows: list[tuple[str, tuple[int, ...], str]] = [("input", shape, "")]
    total = 0
    for layer in encoder.parts or (encoder,):
        params, shape = layer.init(rng, shape)
        total += tree.size(params)
        rows.append((layer.name, shape, f"{tree.size(params):,}"))
    rows.append((encoder.name, shape, f"{total:,}"))
    lines = [("layer", "output", "parameters")]
    lines += [(name, "×".join(map(str, size)), count) for name, size, count in rows]
    return "\n".join(f"{name:25}{size:10}{count:>12}".rstrip() for name, size, count in lines)
