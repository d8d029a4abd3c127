"""A fault as text: what is wrong, the case, and the results of each oracle in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .compare import Fault


def describe(name: str, found: Fault, hint: str, intro: str = "The smallest case") -> str:
    """The smallest case on one line, with the columns of results below it."""
    shown = "   ".join(f"{key} = {show(value)}" for key, value in found.case.inputs.items())
    lines = [f"{name}: {found.what}.{f' {intro}:' if shown else ''}", *(["", f"    {shown}"] if shown else [])]
    if found.columns:
        cells = columns(found).values()
        widths = [max(len(head), len(cell)) + 3 for head, cell in zip(found.columns, cells, strict=True)]
        heads = [head.ljust(width) for head, width in zip(found.columns, widths, strict=True)]
        body = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        lines += ["", "    " + "".join(heads) + ("clue" if hint else ""), "    " + "".join(body) + hint]
    return "\n".join(line.rstrip() for line in lines)


DIGITS = ((4, True), (4, False), (8, False), (12, False), (17, False))  # and whether small numbers are shown as 0


def columns(found: Fault) -> dict[str, str]:
    """The results as text, with so many digits that the first differs from the second."""
    for digits in DIGITS:
        shown = {name: show(_wide(value), *digits) for name, value in found.columns.items()}
        first, second, *_ = *shown.values(), "", ""
        if first != second:
            return shown
    return {name: show(value) for name, value in found.columns.items()}


def _wide(value: Any) -> Any:
    """A float32 result as float64, which shows how far it is from the right one."""
    return np.asarray(value, float) if getattr(value, "dtype", None) == np.float32 else value


def show(value: Any, digits: int = 4, suppress_small: bool = True) -> str:
    """A small array on one line."""
    if isinstance(value, (bool, str)):
        return str(value)
    array = np.asarray(value)
    text = np.array2string(array, separator=", ", precision=digits, suppress_small=suppress_small, floatmode="maxprec")
    return " ".join(text.split())
