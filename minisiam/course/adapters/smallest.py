"""The smallest encoder, and the outline of a tree of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...typing import Array


def linear(params: list[Array], x: Array, input_grad: bool = True) -> Any:
    """The smallest encoder: z = x W. Its parameters are a list, because `+` would join two lists."""
    (W,) = params
    return x @ W, lambda dz: ([x.T @ dz], dz @ W.T if input_grad else None)


def outline(params: Any) -> str:
    """The structure of a tree, for example {"encoder": [array], "loss": ()}."""
    if isinstance(params, dict):
        return f"{{{', '.join(f'{name!r}: {outline(params[name])}' for name in sorted(params))}}}".replace("'", '"')
    if isinstance(params, (list, tuple)):
        left, right = ("[", "]") if isinstance(params, list) else ("(", ")")
        comma = "," if isinstance(params, tuple) and len(params) == 1 else ""
        return f"{left}{', '.join(map(outline, params))}{comma}{right}"
    return "None" if params is None else "array"
