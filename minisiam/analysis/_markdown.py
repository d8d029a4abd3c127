"""Tables in Markdown: `heading` gives the first two lines, `row` each of the others, `table` all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], right: Iterable[int] = ()) -> str:
    """A table in Markdown.

    Parameters
    ----------
    head
        The names of the columns.
    rows
        The cells of each row; anything that `str` takes.
    right
        The numbers of the columns that are aligned right.

    Returns
    -------
    str
        The lines, without a newline at the end.

    Examples
    --------
    >>> print(table(["loss", "value"], [("hinge", 0.5)], right=[1]))
    | loss | value |
    | --- | ---: |
    | hinge | 0.5 |
    """
    return "\n".join([heading(head, right), *map(row, rows)])


def heading(head: Sequence[Any], right: Iterable[int] = ()) -> str:
    """The names of the columns and the line below them, for a table that is printed row by row."""
    aligned = set(right)
    return f"{row(head)}\n{row(['---:' if column in aligned else '---' for column in range(len(head))])}"


def row(cells: Iterable[Any]) -> str:
    r"""A row; a | within a cell is escaped.

    >>> row(["|x|", 2])
    '| \\|x\\| | 2 |'
    """
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"
