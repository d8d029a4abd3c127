"""Call functions of another process, without trusting it: the grader runs in one process, an answer in another."""

from __future__ import annotations

import builtins
import json
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

from ..gradcheck.compare import raised
from .verdicts import Refused
from .wire import TEXT, Reading, Stub, Writing, overwrite, state

HEAD = struct.Struct("<II")  # the lengths of the JSON and of the arrays
LONGEST = 1 << 26  # bytes of a message
SHARED = 32  # arrays of which changes are noticed, for each function
OUTPUT = 20_000  # bytes of output that are sent with a result
DAMAGE = (KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError, RecursionError, MemoryError)


class Ended(BaseException):
    """The other process has ended, or has sent something that is not a message."""


class Export(NamedTuple):
    """A function that the other side may call.

    `shared` has the arrays that it may change although both sides know them: the arguments and the results of the call
    that returned it, and the latest results of its own calls. Both sides keep this list, in the same order.
    """

    function: Callable[..., Any]
    shared: list[Any]


class Peer:
    """One of two processes that call functions of each other.

    Parameters
    ----------
    reader, writer
        The connection.
    trusted
        Whether this is the side of the grader. It may name functions of the package, which the other side imports.
    output
        The output of this process, to be read. What a call adds is sent with its result.
    """

    def __init__(self, reader: BinaryIO, writer: BinaryIO, trusted: bool, output: BinaryIO | None = None) -> None:
        self.reader, self.writer, self.trusted, self.output = reader, writer, trusted, output
        self.exports: list[Export] = []
        self.ended = False
        self.exit: BaseException | None = None  # an error of the other side that ends a program
        self.calls = self.depth = 0  # calls of this side, and those that have not returned

    def export(self, function: Callable[..., Any], shared: list[Any]) -> int:
        """The number by which the other side calls a function."""
        self.exports.append(Export(function, shared))
        return len(self.exports) - 1

    def exported(self, number: Any) -> Export:
        """The function with this number."""
        if type(number) is not int or number < 0:
            raise ValueError("a function has a number ≥ 0")
        return self.exports[number]

    def function(self, number: int) -> Stub:
        """A function that the other side has exported."""
        return Reading(self, b"", [])._function("function", "", number, ["dict", []])

    def call(self, stub: Stub, arguments: tuple[Any, ...], constants: dict[str, Any]) -> Any:
        """Call a function of the other side, and serve its calls until it returns."""
        writing = Writing(self, list(stub.shared))
        content = writing.encode([list(arguments), list(constants), list(constants.values())])
        known = list(writing.shared)  # without the results of functions that the other side calls meanwhile
        self._send(packed({"call": stub.number, "arguments": content}, writing.buffers))
        while True:
            message, buffers = self._receive()
            if "call" not in message:
                return self._result(message, Reading(self, buffers, known), stub.shared)
            self._answer(message, buffers)

    def serve(self) -> None:
        """Serve the calls of the other side until it closes the connection."""
        with suppress(Ended):
            while True:
                self._answer(*self._receive())

    def _result(self, message: dict[str, Any], reading: Reading, shared: list[Any]) -> Any:
        """The result or the error of a call; changes of shared arrays are repeated on this side."""
        known = len(reading.shared)
        try:
            result = reading.decode(message["result"]) if "result" in message else None
            error = None if "result" in message else _rebuilt(*map(str, message["error"]))
            _remember(shared, reading.shared[known:])
            old, reading.shared = reading.shared[:known], []
            for place, new in message["changed"]:
                overwrite(old[place], reading.decode(new))
            printed = str(message["printed"])
        except DAMAGE:
            self.end()
        if printed:
            sys.stdout.write(printed)
        if error:
            self.exit = self.exit or (None if isinstance(error, Exception) else error)
            raise error
        return result

    def _answer(self, message: dict[str, Any], buffers: bytes) -> None:
        """Call a function of this side, and send its result or its error."""
        try:
            function, shared = self.exported(message["call"])
            reading = Reading(self, buffers, list(shared))
            arguments, names, values = reading.decode(message["arguments"])
            constants = dict(zip(names, values, strict=True))
        except DAMAGE:
            self.end()
        known = list(reading.shared)  # as in `call`
        before, start = [state(x) for x in known], self._length()
        self.calls, self.depth = self.calls + 1, self.depth + 1
        try:
            writing = Writing(self, known)
            reply = self._packed(writing, {"result": writing.encode(function(*arguments, **constants))}, before, start)
            _remember(shared, known[len(before) :])
        except Ended:
            raise
        except BaseException as mistake:
            writing = Writing(self, known[: len(before)])
            reply = self._packed(writing, {"error": _description(mistake)}, before, start)
        finally:
            self.depth -= 1
        self._send(reply)

    def _packed(self, writing: Writing, reply: dict[str, Any], before: list[Any], start: int) -> bytes:
        """A reply with the changes of shared arrays and with the new output."""
        known, writing.shared = writing.shared, []
        changed = [place for place, old in enumerate(before) if state(known[place]) != old]
        reply["changed"] = [[place, writing.encode(known[place])] for place in changed]
        reply["printed"] = self._printed(start)
        return packed(reply, writing.buffers)

    def _length(self) -> int:
        """The length of the output so far."""
        return self.output.seek(0, 2) if self.output else 0

    def _printed(self, start: int) -> str:
        """The output since a call began."""
        with suppress(OSError, ValueError, AttributeError):  # the output may be full, closed or replaced
            sys.stdout.flush()
        if not self.output or self._length() == start:
            return ""
        self.output.seek(start)
        return self.output.read(OUTPUT).decode("utf-8", "replace")

    def _send(self, data: bytes) -> None:
        if self.ended:
            raise Ended
        try:
            self.writer.write(data)
            self.writer.flush()
        except (OSError, ValueError):
            self.end()

    def _receive(self) -> tuple[dict[str, Any], bytes]:
        try:
            text, size = HEAD.unpack(self.reader.read(HEAD.size))
            if text + size > LONGEST:
                self.end()
            message, buffers = json.loads(self.reader.read(text)), self.reader.read(size)
        except (OSError, struct.error, *DAMAGE):
            self.end()
        if len(buffers) != size or not isinstance(message, dict):
            self.end()
        return message, buffers

    def end(self) -> Any:
        """Give up the connection: the other side has sent something that is not a message."""
        self.ended = True
        raise Ended


def _remember(shared: list[Any], results: list[Any]) -> None:
    shared += results
    del shared[:-SHARED]


def packed(message: dict[str, Any], buffers: list[bytes]) -> bytes:
    """A message as bytes."""
    text, size = json.dumps(message).encode(), sum(map(len, buffers))
    if len(text) + size > LONGEST:
        raise ValueError(f"the result is larger than {LONGEST >> 20} megabytes")
    return b"".join([HEAD.pack(len(text), size), text, *buffers])


def _description(mistake: BaseException) -> tuple[str, str, str]:
    """The class, the message and the line of an error."""
    name = type(mistake).__name__
    try:
        text = str(mistake)
        where = raised(mistake).removeprefix(f"it raises {name}").removeprefix(f": {text}")
    except Exception:
        text, where = "", ""
    return name, text[:TEXT], where[:TEXT]


def _rebuilt(name: str, text: str, where: str) -> BaseException:
    """An error of the other process: one that `raised` describes in the words of the original."""
    base = {"Refused": Refused}.get(name, getattr(builtins, name, None))
    if not (isinstance(base, type) and issubclass(base, BaseException)) or "Group" in name:
        base = Exception
    shown = f"{text}{where}" if text else ""
    methods = {"__init__": lambda self: None, "__str__": lambda self: shown}
    return type(name if text else f"{name}{where}", (base,), methods)()
