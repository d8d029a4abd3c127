"""A fair comparison: every loss on one protocol, with search, seeds and intervals (Musgrave, Belongie, Lim 2020).

    fair.compare(folder, fair.Protocol(("supcon", "hinge")), data)     run what is missing; stop it when you like
    print(fair.table(*fair.load(folder)))                              what there is so far

Most gains of new losses over old ones disappear when all have the same network, budget and search.
"""

from .protocol import Protocol, Task
from .run_records import begun, load
from .runner import compare
from .summary import Row, draw, rows, table

__all__ = ["Protocol", "Row", "Task", "begun", "compare", "draw", "load", "rows", "table"]
