"""Python in a page: `worker.js` starts it and calls its functions; a reader's code may call `display`."""

from __future__ import annotations

import base64
import io
import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Send = Callable[[str, str], None]  # (kind, text) ↦ a message to the page; the kind is "output" or "figure"


class LimitedOutput(io.TextIOBase):
    """A stream that passes on each complete line; after `limit` characters it drops the rest, and says so."""

    def __init__(self, send: Send, limit: int = 20_000) -> None:
        self.send, self.limit = send, limit
        self.reset()

    def reset(self) -> None:
        """Allow `limit` characters again."""
        self.left, self.line = self.limit, ""

    def writable(self) -> bool:  # noqa: D102
        return True

    def write(self, text: str) -> int:  # noqa: D102
        if self.left >= 0:
            self.line += text[: self.left]
            self.left -= len(text)
            if self.left < 0:
                self.line += f"\n… the output is limited to {self.limit:,} characters.\n"
            if "\n" in self.line:
                self.flush()
        return len(text)

    def flush(self) -> None:  # noqa: D102
        if self.line:
            self.send("output", self.line)
            self.line = ""


_send: Send = lambda kind, text: None
_output: LimitedOutput
_role: ModuleType


def start(role: str, send: Send) -> None:
    """Import the functions of one role, and let the output go to the page."""
    global _output, _role, _send
    _send, _output = send, LimitedOutput(send)
    sys.stdout = sys.stderr = _output
    _role = import_module(f"page.{role}")


def call(name: str, arguments: str) -> str:
    """Call a function of the role; the arguments and the result are JSON."""
    _output.reset()
    try:
        return json.dumps(getattr(_role, name)(*json.loads(arguments)), allow_nan=False)
    finally:
        _output.flush()


def display(figure: Any) -> None:
    """Show a matplotlib figure in the page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    _output.flush()
    _send("figure", f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}")
