"""Values as messages between two processes that need not trust each other: JSON, followed by the bytes of the arrays.

Numbers, arrays, texts and containers are sent by value; functions and iterators as numbers that the other side can call
(`remote`). Nothing that arrives is executed: there is no pickle, and an object of another class becomes a `Foreign`
with the class name and the text of the original.
"""

from __future__ import annotations

import sys
from collections import deque, namedtuple
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from math import prod
from typing import Any, Protocol

import numpy as np

TEXT = 2_000  # characters of the text of an object
NUMBERS = "biufc"  # the kinds of dtypes that are sent
BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


class Connection(Protocol):
    """What a value needs of the connection that it arrives by: `remote.Peer`."""

    trusted: bool

    def call(self, stub: Stub, arguments: tuple[Any, ...], constants: dict[str, Any]) -> Any:
        """Call a function of the other side."""

    def export(self, function: Callable[..., Any], shared: list[Any]) -> int:
        """The number by which the other side calls a function."""

    def exported(self, number: Any) -> Any:
        """The function of this side with a number."""


class Foreign:
    """An object of the other process that is not sent: its text. The class has the name of the object's class."""

    text = ""

    def __repr__(self) -> str:
        return self.text


class Stub(Foreign):
    """A function of the other process; `shared` are the arrays that it may change, see `remote.Export`."""

    peer: Connection
    number: int
    shared: list[Any]
    ahead: Callable[..., list[Any]]  # set on the side of the grader, for the learner's function: see `in_advance`

    def __call__(self, *arguments: Any, **constants: Any) -> Any:  # noqa: D102
        return self.peer.call(self, arguments, constants)


class Steps(Foreign, Iterator[Any]):
    """An iterator of the other process."""

    step: Stub

    def __next__(self) -> Any:
        return self.step()


class Writing:
    """Encodes the values of one message. Its arrays and random generators are appended to `shared`."""

    def __init__(self, peer: Connection, shared: list[Any]) -> None:
        self.peer, self.shared = peer, shared
        self.buffers: list[bytes] = []

    def encode(self, x: Any) -> Any:
        """A JSON value: a plain number, text, or a list that begins with a tag."""
        if x is None or type(x) in (bool, float, str) or (type(x) is int and x.bit_length() < 1000):
            return x
        if isinstance(x, str):
            return str(x)
        if isinstance(x, np.ndarray) and x.dtype.kind == "U":
            return ["texts", list(x.shape), x.ravel().tolist()]
        if isinstance(x, np.ndarray | np.generic) and x.dtype.kind in NUMBERS:
            return self._array(x)
        if isinstance(x, tuple):
            items = [self.encode(item) for item in x]
            if not hasattr(x, "_fields"):
                return ["tuple", items]
            return ["named", type(x).__module__, type(x).__name__, list(x._fields), items]
        if isinstance(x, list | range | deque):
            return ["list", [self.encode(item) for item in x]]
        if isinstance(x, dict):
            return ["dict", [[self.encode(key), self.encode(value)] for key, value in x.items()]]
        if isinstance(x, np.random.Generator) and (name := type(x.bit_generator).__name__) in BIT_GENERATORS:
            self.shared.append(x)
            return ["generator", name, self.encode(x.bit_generator.state)]
        return self._object(x)

    def _array(self, x: Any) -> list[Any]:
        self.buffers.append(x.tobytes())
        if isinstance(x, np.generic):
            return ["scalar", x.dtype.str]
        self.shared.append(x)
        return ["array", x.dtype.str, list(x.shape), x.flags.writeable]

    def _object(self, x: Any) -> list[Any]:
        """A function, an iterator, or the text of an object."""
        if isinstance(x, Stub) and x.peer is self.peer:
            return ["yours", x.number]
        if self.peer.trusted and _in_package(x):
            return ["import", x.__module__, x.__qualname__]
        name, text = type(x).__name__, _text(x)
        if callable(x):
            attributes = vars(x) if self.peer.trusted and hasattr(x, "__dict__") else {}
            public = {key: value for key, value in attributes.items() if not key.startswith("_")}
            return ["function", name, text, self.peer.export(x, self.shared), self.encode(public)]
        if isinstance(x, Iterator):
            return ["iterator", name, text, self.peer.export(x.__next__, self.shared)]
        return ["object", name, text]


def _in_package(x: Any) -> bool:
    """Whether x is a function of this package that the other side can import."""
    module, name = getattr(x, "__module__", None) or "", getattr(x, "__qualname__", "")
    return module.startswith("minisiam.") and getattr(sys.modules.get(module), name, None) is x


def _text(x: Any) -> str:
    try:
        return repr(x)[:TEXT]
    except Exception:
        return f"<{type(x).__name__}>"


class Reading:
    """Decodes the values of one message. Its arrays and random generators are appended to `shared`."""

    def __init__(self, peer: Connection, buffers: bytes, shared: list[Any]) -> None:
        self.peer, self.buffers, self.shared = peer, memoryview(buffers), shared

    def decode(self, x: Any) -> Any:
        """The value of an encoded value; any error means that the message is not valid."""
        if not isinstance(x, list):
            if isinstance(x, dict):
                raise TypeError("a message has no JSON objects")
            return x
        tag, *parts = x
        return self.READERS[tag](self, *parts)

    def _many(self, items: list[Any]) -> list[Any]:
        return [self.decode(item) for item in items]

    def _tuple(self, items: list[Any]) -> tuple[Any, ...]:
        return tuple(self._many(items))

    _new_kind: Callable[..., Any] = staticmethod(namedtuple)

    def _named(self, module: str, name: str, fields: list[str], items: list[Any]) -> Any:
        kind: Any = getattr(sys.modules.get(module), name, None) if _is_core(module) else None
        if not (isinstance(kind, type) and issubclass(kind, tuple) and getattr(kind, "_fields", ()) == tuple(fields)):
            kind = self._new_kind(name, fields, rename=True)
        return kind._make(self._many(items))

    def _dict(self, items: list[Any]) -> dict[Any, Any]:
        return {self.decode(key): self.decode(value) for key, value in items}

    def _array(self, dtype: str, shape: list[int], writeable: bool) -> Any:
        array = self._numbers(dtype, prod(shape)).reshape(shape)
        array.flags.writeable = bool(writeable)
        self.shared.append(array)
        return array

    def _texts(self, shape: list[int], texts: list[str]) -> Any:
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("an array of texts has texts only")
        return np.array(texts, np.str_).reshape(shape)

    def _scalar(self, dtype: str) -> Any:
        return self._numbers(dtype, 1)[0]

    def _numbers(self, dtype: str, count: int) -> Any:
        """The next numbers, copied."""
        kind = np.dtype(dtype)
        if kind.kind not in NUMBERS or count < 0 or count * kind.itemsize > len(self.buffers):
            raise ValueError("an array does not have the size that it should have")
        here, self.buffers = self.buffers[: count * kind.itemsize], self.buffers[count * kind.itemsize :]
        return np.frombuffer(here, kind, count).copy() if count else np.zeros(0, kind)

    def _generator(self, name: str, state: Any) -> Any:
        if name not in BIT_GENERATORS:
            raise ValueError(f"{name} is not a bit generator")
        generator = np.random.Generator(getattr(np.random, name)())
        generator.bit_generator.state = self.decode(state)
        self.shared.append(generator)
        return generator

    def _yours(self, number: int) -> Any:
        return self.peer.exported(number).function

    def _import(self, module: str, name: str) -> Any:
        if self.peer.trusted:
            raise ValueError("the grader does not import what an answer names")
        return getattr(import_module(module), name)

    def _function(self, name: str, text: str, number: int, attributes: Any) -> Stub:
        stub = self._foreign(Stub, name, text)
        stub.peer, stub.number, stub.shared = self.peer, int(number), self.shared
        for key, value in self.decode(attributes).items():
            if self.peer.trusted:
                raise ValueError("an answer does not set attributes")
            setattr(stub, key, value)
        return stub

    def _iterator(self, name: str, text: str, number: int) -> Steps:
        steps = self._foreign(Steps, name, text)
        steps.step = self._function("method", "", number, ["dict", []])
        return steps

    def _foreign(self, base: type, name: str, text: str) -> Any:
        found = _subclass(base, str(name))()
        found.text = str(text)
        return found

    def _object(self, name: str, text: str) -> Any:
        return self._foreign(Foreign, name, text)

    READERS: dict[str, Callable[..., Any]] = {  # noqa: RUF012
        "list": _many, "tuple": _tuple, "named": _named, "dict": _dict, "array": _array, "texts": _texts,
        "scalar": _scalar, "generator": _generator, "yours": _yours, "import": _import, "function": _function,
        "iterator": _iterator, "object": _object,
    }  # fmt: skip


@cache
def _subclass(base: type, name: str) -> type:
    return type(name, (base,), {})


def _is_core(module: str) -> bool:
    """Whether a module of this package defines results of ops, and not results of graders."""
    parts = str(module).split(".")
    return parts[0] == "minisiam" and not {"course", "gradcheck"} & set(parts)


def state(x: Any) -> Any:
    """What changes if an array or a random generator changes."""
    return x.tobytes() if isinstance(x, np.ndarray) else str(x.bit_generator.state)


def overwrite(old: Any, new: Any) -> None:
    """Give an array or a random generator the state of another."""
    if isinstance(old, np.random.Generator):
        old.bit_generator.state = new.bit_generator.state
    elif old.shape == np.shape(new) and old.flags.writeable:
        with suppress(TypeError):
            np.copyto(old, new)
