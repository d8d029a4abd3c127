"""The differentiable building blocks. Every op is one function of one form:

    value, pullback = op(variables, ..., /, constants, ...)

    left of the slash    what we differentiate        (mathematics writes  f(x, W ; padding) )
    right of the slash   what we hold fixed
    pullback(g)          a tuple, one gradient for each variable:  g ↦ Jᵀg   (also called a VJP)

A pullback is a closure: it remembers what its forward pass computed, and nothing else remembers anything.
So an encoder may run twice before the first gradient flows, which is what a siamese network does.
"""

from .activations import leaky_relu, prelu, relu, sigmoid, tanh
from .convolution import conv2d, max_pool
from .layers import dense, dropout, flatten, normalize
from .normalization import batch_norm, group_norm, layer_norm

__all__ = [
    "batch_norm",
    "conv2d",
    "dense",
    "dropout",
    "flatten",
    "group_norm",
    "layer_norm",
    "leaky_relu",
    "max_pool",
    "normalize",
    "prelu",
    "relu",
    "sigmoid",
    "tanh",
]
