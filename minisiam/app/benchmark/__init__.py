"""Every loss and miner on one protocol, with a search, several seeds and intervals (Musgrave, Belongie, Lim 2020).

    benchmark.compare(folder, benchmark.Protocol(("supcon", "hinge over hard")), data)     run what is missing
    print(benchmark.table(*benchmark.load(folder)))                              the results so far

Most gains of new losses over old ones disappear when all have the same network, budget and search.
"""

from .methods import METHODS
from .protocol import Protocol, Task
from .results import Row, rows
from .run_records import load, started
from .runner import compare
from .summary import draw, table

__all__ = ["METHODS", "Protocol", "Row", "Task", "compare", "draw", "load", "rows", "started", "table"]
