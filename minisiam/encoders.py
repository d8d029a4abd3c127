"""Encoders f(x; θ): `mlp`, `convnet`, and networks of papers that are built from them.

Each function returns a `Layer`; `encoder.init(rng, shape)` draws its parameters and `encoder(params, x)` runs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import initializers, require, tree
from .layers import (
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GroupNorm,
    Layer,
    LayerNorm,
    MaxPool,
    Normalize,
    PRelu,
    Relu,
    Sigmoid,
    serial,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .initializers import Initializer
    from .typing import Generator


def mlp(*sizes: int, activation: Layer = Relu, normalize: bool = False) -> Layer:
    """Dense layers with activations between them; the last size is the embedding size.

    `mlp(512, 64)` accepts images of any shape. With `normalize` the embedding lies on the unit sphere.
    """
    if not sizes:
        raise ValueError("mlp needs at least one size, the embedding size: mlp(512, 64)")
    hidden = [layer for size in sizes[:-1] for layer in (Dense(size), activation)]
    return serial(Flatten, *hidden, Dense(sizes[-1]), *([Normalize] if normalize else []), name="mlp")


class Block(NamedTuple):
    """One block of a `convnet`: convolution, normalisation if any, activation, pooling.

    outputs, kernel, padding, stride : the options of the convolution, as in `layers.Conv`
    pool : the side of the pooling blocks; 1 means no pooling
    """

    outputs: int
    kernel: int = 3
    pool: int = 2
    padding: str = "valid"
    stride: int = 1


def convnet(
    *blocks: Block,
    head: Sequence[Layer] = (),
    activation: Layer | None = None,
    norm: str = "none",
    init: tuple[Initializer, Initializer] = (initializers.he, initializers.zeros),
    name: str = "convnet",
) -> Layer:
    """Blocks of convolution, activation and pooling, followed by `Flatten` and a head.

    Parameters
    ----------
    blocks
        The blocks, from the first to the last.
    head
        The layers after `Flatten`, usually dense layers.
    activation
        The layer between a convolution and its pooling; default `Relu`.
    norm
        "none", "batch", "group" or "layer": the normalisation between a convolution and its activation.
    init
        The initializers of the weights and the biases of the convolutions.
    """
    require.one_of("norm", norm, NORMS)
    parts: list[Layer] = []
    for block in blocks:
        parts.append(Conv(block.outputs, block.kernel, block.padding, block.stride, *init))
        parts += [*NORMS[norm], Relu if activation is None else activation]
        parts += [MaxPool(block.pool)] if block.pool > 1 else []
    return serial(*parts, Flatten, *head, name=name)


NORMS: dict[str, tuple[Layer, ...]] = {
    "none": (),
    "batch": (BatchNorm(),),
    "group": (GroupNorm(),),
    "layer": (LayerNorm(),),
}


def bielski(embedding: int = 2, norm: str = "none") -> Layer:
    """Two 5×5 convolutions and three dense layers with PReLU: the network of A. Bielski's tutorial.

    The images must be 16×16 or larger. Source: the repository adambielski/siamese-triplet.
    """
    dense = [Dense(256), PRelu(), Dense(256), PRelu(), Dense(embedding)]
    return convnet(Block(32, 5), Block(64, 5), head=dense, activation=PRelu(), norm=norm, name="bielski")


def conv4(channels: int = 64, embedding: int | None = None, norm: str = "none") -> Layer:
    """Four blocks of 3×3 convolution, ReLU and 2×2 pooling (Vinyals et al. 2016, who use norm="batch").

    28×28 images give `channels` numbers; `embedding` adds a dense layer. The images must be 16×16 or larger.
    """
    blocks = [Block(channels, 3, padding="same")] * 4
    return convnet(*blocks, head=[Dense(embedding)] if embedding else [], norm=norm, name="conv4")


def conv3(embedding: int | None = None, norm: str = "none") -> Layer:
    """Three blocks of 3×3 convolution, ReLU and 2×2 pooling, with 64, 96 and 128 channels: spatial features remain.

    28×28 images give 3×3×128 numbers; `embedding` adds a dense layer. The images must be 8×8 or larger.
    """
    blocks = [Block(channels, 3, padding="same") for channels in (64, 96, 128)]
    return convnet(*blocks, head=[Dense(embedding)] if embedding else [], norm=norm, name="conv3")


def hoffer(embedding: int | None = None, norm: str = "none") -> Layer:
    """Four convolutions, 64 @ 5×5, 128 @ 3×3, 256 @ 3×3 and 128 @ 2×2, each pooled: 28×28 images give 128 numbers.

    The sizes are those of Hoffer & Ailon (2015), "Deep metric learning using triplet network", for MNIST and similar
    data, without their dropout. The paper does not give its padding; here only the last convolution has none.
    """
    blocks = [Block(64, 5, padding="same"), Block(128, 3, padding="same"), Block(256, 3, padding="same"), Block(128, 2)]
    return convnet(*blocks, head=[Dense(embedding)] if embedding else [], norm=norm, name="hoffer")


def conv2(embedding: int = 128, norm: str = "none") -> Layer:
    """Two convolutions without pooling, 5×5 with stride 2 and 2×2, and a dense layer: for small images, 14×14.

    A stride instead of pooling needs a quarter of the work.
    """
    blocks = Block(32, 5, pool=1, padding="same", stride=2), Block(64, 2, pool=1)
    return convnet(*blocks, head=[Dense(embedding, initializers.glorot)], norm=norm, name="conv2")


# outputs and kernel of each convolution, and the number of convolutions that are followed by pooling
KOCH = {
    105: (((64, 10), (128, 7), (128, 4), (256, 4)), 3),
    35: (((64, 6), (128, 4), (128, 3), (256, 2)), 2),
    28: (((64, 5), (128, 3), (128, 2), (256, 2)), 2),
}


def koch(pixels: int = 105, embedding: int = 4096, init: str = "koch", norm: str = "none") -> Layer:
    """Koch's network: four valid convolutions with ReLU and pooling, and a dense layer with a sigmoid.

    Parameters
    ----------
    pixels
        105: the published network, 38,951,745 parameters with its weighted L1. 35 and 28: the same four convolutions
        with smaller kernels, pooled twice; both have 3×3×256 features before the dense layer. (The paper mentions a
        35-pixel model but does not print its sizes; these are ours.)
    embedding
        Size of the dense layer.
    init
        "koch": as in the paper. "he": He for the convolutions and Glorot for the dense layer, which trains in minutes
        where the initialisation of the paper takes hours.

    References
    ----------
    Koch, Zemel & Salakhutdinov (2015), "Siamese neural networks for one-shot image recognition", fig. 4 and §3.2.
    """
    if pixels not in KOCH:
        raise ValueError(f"pixels must be one of {', '.join(map(str, KOCH))}, not {pixels}")
    require.one_of("init", init, ("koch", "he"))
    if init == "koch":
        bias = initializers.normal(0.01, mean=0.5)
        conv, dense = (initializers.normal(0.01), bias), (initializers.normal(0.2), bias)
    else:
        conv, dense = (initializers.he, initializers.zeros), (initializers.glorot, initializers.zeros)
    convolutions, pooled = KOCH[pixels]
    blocks = [Block(*sizes, pool=2 if number < pooled else 1) for number, sizes in enumerate(convolutions)]
    head = [Dense(embedding, *dense), Sigmoid]
    return convnet(*blocks, head=head, norm=norm, init=conv, name=f"koch{pixels}")


def summary(encoder: Layer, rng: Generator, shape: tuple[int, ...]) -> str:
    """Return a table of the layers: name, output shape, number of parameters.

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
    widest = max(25, 2 + max(len(name) for name, _, _ in lines))
    return "\n".join(f"{name:{widest}}{size:10}{count:>12}".rstrip() for name, size, count in lines)
