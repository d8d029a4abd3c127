"""Text for terminals, files and pipes: in any encoding, and without a traceback when the reader has gone."""

from __future__ import annotations

import codecs
import io
import os
import sys

# what stands for a character that an encoding lacks; any other is written as its escape
PLAIN = {
    "×": "x",
    "−": "-",
    "–": "-",
    "…": "...",
    "‖": "||",
    "→": "->",
    "·": "*",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "∞": "inf",
    "²": "^2",
    "√": "sqrt",
    "₊": "+",
    "₋": "-",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}
CLOSED = 141  # the exit code of a process that writes to a closed pipe, as a shell shows it


def accept_any_text() -> None:
    """Let standard output and error show any text: a character that their encoding lacks is replaced."""
    codecs.register_error("minisiam", _replacement)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="minisiam")


def _replacement(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    text = "".join(PLAIN.get(letter) or letter.encode("ascii", "backslashreplace").decode() for letter in letters)
    return text, error.end


def flush() -> None:
    """Write what is buffered, now instead of at the end of the process, where an error would be a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it is None if it was closed before the start
            stream.flush()


def discard() -> None:
    """Discard the output of each stream that cannot be written: its reader has gone, or its disk is full."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)
