"""An encoder as an ONNX file, for onnxruntime and other programs that run networks.

    interop.onnx.save_onnx("encoder.onnx", encoder, params["encoder"], shape=(28, 28, 1))
    session = onnxruntime.InferenceSession("encoder.onnx")
    (z,) = session.run(None, {"images": images})              images (n, h, w, c) float32, any n

The file computes what `evaluate.embed` computes: the encoder in its test-time form. Images have the channels last, as
in minisiam, so the same arrays go in; inside the file the channels come first, as ONNX requires.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops, tree
from .._version import VERSION
from ..checkpoint import replacing
from ..layers import serial
from . import require_package

require_package("interop.onnx", "onnx", "interop-onnx")
import onnx  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..layers import Layer
    from ..typing import Array, Params, Shape

OPSET, IR_VERSION = 17, 8  # of 2022: old enough for every runtime in use


def save_onnx(
    path: str | Path, encoder: Layer, params: Params, shape: Shape, metadata: dict[str, str] | None = None
) -> None:
    """Write an encoder with its parameters as an ONNX file.

    Parameters
    ----------
    path
        The file. An older one is replaced when the new one is complete.
    encoder, params
        A layer of `minisiam.layers`, or a `serial` of them, and its parameters: `params["encoder"]` of a network. Pass
        the encoder before `fast.convert` and `fast.microbatch`; the parameters are the same.
    shape
        The shape of one image, (h, w, c), or (d,) for rows.
    metadata
        Texts by name that describe the file.

    Raises
    ------
    ImportError
        If the package `onnx` is not installed.
    ValueError
        If the encoder has a layer that ONNX does not know, or if encoder, parameters and shape do not fit.

    Notes
    -----
    The input is "images", (n, *shape) float32, and the output "embeddings". `n` is any number of images.
    """
    graph = _Graph()
    x = graph.add("Transpose", "images", perm=[0, 3, 1, 2]) if len(shape) == 3 else "images"
    x, after = _layer(graph, x, encoder, params, tuple(shape))
    x = graph.add("Transpose", x, perm=[0, 2, 3, 1]) if len(after) == 3 else x
    graph.nodes.append(helper.make_node("Identity", [x], ["embeddings"]))
    data = _model(graph, tuple(shape), after, metadata or {}).SerializeToString()
    with replacing(Path(path)) as file:
        file.write(data)


class _Graph:
    """The nodes and constants of a file, to which layers add theirs."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str | Array, **attributes: Any) -> str:
        """Add a node, and return the name of its output; an input is the name of an output, or an array."""
        names = [name if isinstance(name, str) else self._constant(name) for name in inputs]
        output = f"{operator}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def _constant(self, array: Array) -> str:
        name = f"constant{len(self.constants)}"
        array = np.asarray(array, np.int64 if array.dtype.kind == "i" else np.float32, order="C")
        self.constants.append(numpy_helper.from_array(array, name))
        return name


def _model(graph: _Graph, shape: Shape, after: Shape, metadata: dict[str, str]) -> Any:
    """The checked model of a graph."""
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", *sides])
        for name, sides in (("images", shape), ("embeddings", after))
    ]
    made = helper.make_graph(graph.nodes, "encoder", ends[:1], ends[1:], graph.constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        made, opset_imports=opset, ir_version=IR_VERSION, producer_name="minisiam", producer_version=VERSION
    )
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model


def _layer(graph: _Graph, x: str, layer: Layer, params: Params, shape: Shape) -> tuple[str, Shape]:
    """Add a layer; return the name of its output and the shape of one example, channels last."""
    if layer.op is serial:
        if not isinstance(params, list) or len(params) != len(layer.parts):
            raise ValueError(f"params must be those of {layer.name}, {len(layer.parts)} entries: params['encoder']")
        for part, theta in zip(layer.parts, params, strict=True):
            x, shape = _layer(graph, x, part, theta, shape)
        return x, shape
    if layer.op not in OPERATORS:
        known = ", ".join(sorted(op.__name__ for op in OPERATORS))
        raise ValueError(
            f"no ONNX operator for the layer {layer.name!r}, only for {known}: pass the encoder before fast.convert, "
            "fast.microbatch, fast.cached and layers.at_test, with the same parameters"
        )
    like, after = layer.init(np.random.default_rng(0), shape)
    found, needed = ([np.shape(a) for a in tree.leaves(theta)] for theta in (params, like))
    if found != needed:
        raise ValueError(
            f"the parameters of {layer.name!r} have the shapes {found}, and images of {shape} need {needed}"
        )
    return OPERATORS[layer.op](graph, x, params, shape, **layer.options), after


# for each op, a function that adds it to a graph: (graph, x, params, shape, **options) → the name of the output


def _conv2d(graph: _Graph, x: str, params: Params, shape: Shape, padding: str, stride: int) -> str:
    W, b = params
    before, after = ((len(W) - 1) // 2, len(W) // 2) if padding == "same" else (0, 0)
    pads = [before, before, after, after]
    return graph.add("Conv", x, W.transpose(3, 2, 0, 1), b, strides=[stride, stride], pads=pads)


def _max_pool(graph: _Graph, x: str, params: Params, shape: Shape, size: int) -> str:
    return graph.add("MaxPool", x, kernel_shape=[size, size], strides=[size, size])


def _dense(graph: _Graph, x: str, params: Params, shape: Shape) -> str:
    return graph.add("Gemm", x, *params)


def _flatten(graph: _Graph, x: str, params: Params, shape: Shape) -> str:
    x = graph.add("Transpose", x, perm=[0, 2, 3, 1]) if len(shape) == 3 else x
    return graph.add("Flatten", x, axis=1)


def _prelu(graph: _Graph, x: str, params: Params, shape: Shape) -> str:
    return graph.add("PRelu", x, np.reshape(params[0], 1))


def _normalize(graph: _Graph, x: str, params: Params, shape: Shape) -> str:
    return graph.add("LpNormalization", x, axis=1, p=2)


def _batch_norm(graph: _Graph, x: str, params: Params, shape: Shape, epsilon: float) -> str:
    return graph.add("BatchNormalization", x, params["scale"], params["shift"], *params["running"], epsilon=epsilon)


def _group_norm(graph: _Graph, x: str, params: Params, shape: Shape, epsilon: float, groups: int = 1) -> str:
    channels_first = [shape[-1], *shape[:-1]]
    x = graph.add("Reshape", x, np.array([0, groups, -1]))
    one, zero = np.ones(groups), np.zeros(groups)
    x = graph.add("InstanceNormalization", x, one, zero, epsilon=epsilon)
    x = graph.add("Reshape", x, np.array([0, *channels_first]))
    scale, shift = (np.reshape(a, [-1] + [1] * (len(shape) - 1)) for a in params)
    return graph.add("Add", graph.add("Mul", x, scale), shift)


def _pointwise(operator: str) -> Callable[..., str]:
    return lambda graph, x, params, shape: graph.add(operator, x)


OPERATORS: dict[Any, Callable[..., str]] = {
    ops.conv2d: _conv2d,
    ops.max_pool: _max_pool,
    ops.dense: _dense,
    ops.flatten: _flatten,
    ops.relu: _pointwise("Relu"),
    ops.tanh: _pointwise("Tanh"),
    ops.sigmoid: _pointwise("Sigmoid"),
    ops.prelu: _prelu,
    ops.normalize: _normalize,
    ops.batch_norm: _batch_norm,
    ops.group_norm: _group_norm,
    ops.layer_norm: _group_norm,
}
