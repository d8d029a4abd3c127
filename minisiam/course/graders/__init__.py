"""The graders: the universal check for ops; functions without a gradient are compared with the library.

A grader takes a function and returns its result: a fault or None, with a clue. `grader_of` gives that of an exercise.
`checked`, `compared` and `laws` have the kinds of graders, `table` says which exercise has which.
"""

from __future__ import annotations

import time
import warnings
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ...gradcheck.report import columns, describe, show
from ..verdicts import Verdict
from .checked import by_check
from .results import Result
from .table import SPECIAL

if TYPE_CHECKING:
    from ..exercises import Exercise, Function
    from .results import Grader

__all__ = ["Result", "grade", "grader_of"]


def grade(exercise: Exercise, function: Function) -> Verdict:
    """Grade a function as the answer to an exercise."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = grader_of(exercise)(function)
    seconds = round(time.process_time() - start, 3)
    if result.fault is None:
        return Verdict("passed", f"{exercise}: correct. {result.inputs}.", seconds=seconds, printed=result.printed)
    fault = result.fault
    inputs = fault.case.inputs
    return Verdict(
        "open" if result.unwritten or fault.what.startswith("it raises NotImplementedError") else "failed",
        describe(str(exercise), fault, result.clue, result.intro),
        fault.what,
        result.clue,
        {name: show(value) for name, value in inputs.items()},
        columns(fault),
        max((len(value) for value in fault.case.variables.values() if np.ndim(value)), default=0),
        seconds,
        result.printed,
        result.intro if inputs else "",
    )


@cache
def grader_of(exercise: Exercise) -> Grader:
    """The grader of an exercise. It imports only what this exercise needs: a page waits for each import."""
    return SPECIAL.get(exercise.name, by_check)(exercise.library)
