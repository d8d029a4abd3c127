"""Many values in one message of `wire`, without functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from .wire import Reading, Writing

if TYPE_CHECKING:
    from collections.abc import Iterable


class NoFunctions:
    """A connection for values alone: a function in them is an error."""

    def __init__(self, trusted: bool) -> None:
        self.trusted = trusted

    def export(self, *_: Any) -> int:  # noqa: D102
        raise TypeError("these values have a function")

    exported = call = export


class Values:
    """Values as a text and an array of bytes, each encoded when it is appended."""

    def __init__(self) -> None:
        self.contents: list[Any] = []
        self.buffers: list[bytes] = []
        self.arrays: list[tuple[Any, bytes]] = []

    def append(self, items: Iterable[Any]) -> None:
        """Append a list of items, all or none: an error for a function in one of them."""
        content, arrays, buffers = [], [], []
        for item in items:
            writing = Writing(NoFunctions(False), [])
            content.append(writing.encode(item))
            arrays += [(x, x.tobytes()) for x in writing.shared]
            buffers += writing.buffers
        self.contents.append(["list", content])
        self.arrays += arrays
        self.buffers += buffers

    def packed(self) -> tuple[str, Any]:
        """The text and the bytes; without any item if an array has changed since."""
        if any(x.tobytes() != before for x, before in self.arrays):
            return Values().packed()
        return json.dumps(["list", self.contents]), np.frombuffer(b"".join(self.buffers), np.uint8)


def unpacked(text: str, data: Any, shared: list[Any]) -> Any:
    """The values of a text and an array of bytes. Their arrays are appended to `shared`."""
    return Reading(NoFunctions(True), data.tobytes(), shared).decode(json.loads(text))
