"""The differentiable operations. Every op is a function of this form:

    value, pullback = op(variables, ..., /, constants, ...)

    before the slash     the arguments that are differentiated       (in mathematics:  f(x, W ; padding) )
    after the slash      the arguments that are held fixed
    pullback(g)          a tuple with one gradient per variable:  g ↦ Jᵀg   (a vector–Jacobian product, VJP)

A pullback is a closure: it keeps the results of its own forward pass, and an op has no other state. So an encoder may
run twice before the first pullback, as it does in a siamese network.
"""

from .activations import prelu, relu, sigmoid, tanh
from .convolution import conv2d, max_pool
from .layers import dense, flatten, normalize
from .normalization import batch_norm, group_norm, layer_norm

__all__ = [
    "batch_norm", "conv2d", "dense", "flatten", "group_norm", "layer_norm", "max_pool",
    "normalize", "prelu", "relu", "sigmoid", "tanh",
]  # fmt: skip
