"""Reading a name such as  TripletMarginLoss(margin=0.2,distance=Lp raw power=2)+BatchHardMiner()  without running it.

A name is a call, or a call and a miner; an argument is a number, a word, or a call again. Short forms are read as well
("raw", "Mean", "semihard"): `reading` decides what a word means.
"""

import ast
import re
from typing import Any, NamedTuple


class Call(NamedTuple):
    """name(*positional, **keywords), as it was written."""

    name: str
    positional: tuple[Any, ...]
    keywords: dict[str, Any]


def read(name: str) -> list[Call]:
    """The calls of a name, one or, joined by "+", several.

    >>> read("NTXentLoss(0.5)")
    [Call(name='NTXentLoss', positional=(0.5,), keywords={})]
    >>> [call.name for call in read("TripletMarginLoss(margin=0.2,raw,Mean) + BatchHardMiner(raw)")]
    ['TripletMarginLoss', 'BatchHardMiner']
    """
    parts = _split(name, "+")
    if not parts:
        raise ValueError("an empty name names nothing")
    return [_call(part) for part in parts]


def _call(text: str) -> Call:
    match = re.fullmatch(r"(?:\w+\.)*(\w+)\s*(?:\((.*)\))?", text.strip(), re.DOTALL)
    if match is None:
        raise ValueError(f"{text.strip()!r} is not read: a name looks like NTXentLoss(0.5) or Loss(…)+Miner(…)")
    positional, keywords = [], {}
    for argument in _split(match[2] or "", ","):
        key, equals, value = argument.partition("=")
        if equals and re.fullmatch(r"\s*\w+\s*", key):
            keywords[key.strip()] = _value(value)
        else:
            positional.append(_value(argument))
    return Call(match[1], tuple(positional), keywords)


def _value(text: str) -> Any:
    """A number, True, None, a string in quotes, a list, a call, or else the words as they stand."""
    text = text.strip()
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return _call(text) if re.fullmatch(r"[\w.]+\s*\(.*\)", text, re.DOTALL) else text


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators that stand in no bracket; a sign after an e, as in 1e+3, separates nothing."""
    depth, parts = 0, [""]
    for i, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == separator and depth == 0 and not re.search(r"\d[eE]$", text[:i]):
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]
