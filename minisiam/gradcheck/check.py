"""The whole check of one op: the ladder, kinks, generic points and laws; and what it says to a person."""

from __future__ import annotations

import copy
import time
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample

from . import kinks, reference
from .clues import over_three_rows
from .compare import Agreement, Fault, fault, raised, single_fault
from .inputs import Case, generic, ladder, variables

if TYPE_CHECKING:
    from collections.abc import Callable

QUIETLY = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


class Examination(NamedTuple):
    """What was tried on an op, and what was found."""

    name: str
    variables: list[str]
    points: int
    error: float
    kinks: int
    seconds: float
    fault: Fault | None
    clue: str
    unjudged: int = 0  # inputs at which the formula has no derivative

    def __bool__(self) -> bool:
        """Whether it is correct."""
        return self.fault is None

    def __str__(self) -> str:
        """One line if it is correct, else the smallest input that shows that it is not."""
        if self.fault is None:
            return (
                f"{self.name}: correct. {self.points} inputs against autograd and differences, "
                f"largest relative error {self.error:.1e}; {self.kinks} kinks as documented"
            )
        return describe(self.name, self.fault, self.clue)


def check(op: Callable[..., Any], definition: Callable[..., Any] | None = None) -> bool:
    """Print "correct", or the smallest input on which op is wrong, with a clue; returns whether it is correct.

    Parameters
    ----------
    op
        Any function of the form `value, pullback = op(variables, /, constants)` with jaxtyping annotations.
    definition
        Its formula in autograd.numpy; found in `reference` by the op's name if it is not given.
    """
    found = examine(op, definition)
    print(found)
    return bool(found)


def examine(
    op: Callable[..., Any],
    definition: Callable[..., Any] | None = None,
    examples: int = 40,
    points: int = 60,
    rows: list[kinks.Kink] | None = None,
) -> Examination:
    """Everything that `check` prints, as a value.

    Parameters
    ----------
    op, definition
        As for `check`.
    examples
        Inputs on each rung of the ladder.
    points
        Generic points.
    rows
        What it must answer where the formula does not say; found by the op's name if neither they nor a definition are
        given, since another formula may choose otherwise.
    """
    start = time.perf_counter()
    if rows is None:
        rows = kinks.of(op) if definition is None else []
    definition = reference.specified(definition or reference.of(op))
    found, tried, worst, unjudged = _climb(op, definition, examples)
    found = found or next((f for row in rows if (f := at_kink(op, row))), None)
    for seed in range(points):
        if found:
            break
        case = generic(op, definition, seed)
        result = fault(op, definition, case)
        if isinstance(result, Agreement):
            tried, worst = tried + 1, max(worst, result.error)
            found = single_fault(op, definition, case, near=True)
        elif isinstance(result, Fault):
            found = result
    found = found or _laws(op, definition)
    hint = _hint(op, definition, found) if found else ""
    seconds = time.perf_counter() - start
    return Examination(op.__name__, variables(op), tried, worst, len(rows), seconds, found, hint, unjudged)


def _climb(op: Any, definition: Any, examples: int) -> tuple[Fault | None, int, float, int]:
    """The simplest input on the first rung that breaks, against the oracles or in float32."""
    seen: list[float] = []
    unjudged = 0

    def wrong(case: Case) -> Fault | None:
        nonlocal unjudged
        result = fault(op, definition, case)
        unjudged += result is None
        if isinstance(result, Agreement):
            seen.append(result.error)
        return result if isinstance(result, Fault) else None

    def leaks(case: Case) -> Fault | None:
        return single_fault(op, definition, case)

    found = simplest(op, definition, (wrong, examples), (leaks, 3))
    return found, len(seen), max(seen, default=0.0), unjudged


def simplest(op: Any, definition: Any, *judges: tuple[Callable[[Case], Fault | None], int]) -> Fault | None:
    """What a judge says of the simplest input that it condemns, on the first rung that has one for any of them.

    Each judge comes with the number of inputs that it is shown on a rung.
    """
    for rung in ladder(op, definition):
        for judge, examples in judges:
            found = _first(rung, judge, examples)
            if found:
                return found
    return None


def _first(rung: Any, judge: Callable[[Case], Fault | None], examples: int) -> Fault | None:
    try:
        case = find(rung, lambda case: judge(case) is not None, settings=settings(QUIETLY, max_examples=examples))
    except NoSuchExample:
        return None
    return judge(case)


def _laws(op: Any, definition: Any) -> Fault | None:
    """A pullback is linear, gives the same twice, and is not disturbed by another call of the op."""
    for seed in range(5):
        case = generic(op, definition, seed)
        try:
            broken = _broken_law(op, case)
        except Exception as mistake:
            broken = raised(mistake)
        if broken:
            return Fault(broken, case)
    return None


def _broken_law(op: Any, case: Case) -> str | None:
    _, pullback = case.call(op)
    first = [np.copy(g) for g in pullback(case.upstream)]
    case._replace(variables={name: v + 1 for name, v in case.variables.items()}).call(op)
    if not all(np.array_equal(a, b) for a, b in zip(first, pullback(case.upstream), strict=True)):
        return "pullback gives another answer the second time: it must not keep or change anything"
    twice = pullback(2 * case.upstream)
    if not all(np.allclose(2 * a, b, rtol=1e-12, atol=0) for a, b in zip(first, twice, strict=True)):
        return "pullback is not linear: twice the upstream gradient must give twice the gradient"
    return None


def at_kink(op: Any, row: kinks.Kink) -> Fault | None:
    """What is wrong at a kink: there is no tolerance but rounding, and none for a 0."""
    case = Case(dict(zip(variables(op), row.variables, strict=True)), row.constants, row.upstream)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value, pullback = case.call(op)
            gradients = pullback(copy.deepcopy(row.upstream))
        except Exception as mistake:
            return Fault(f"{raised(mistake)} where {row.where}", case)
    if not _equals(value, row.value):
        return Fault(f"the value is wrong where {row.where}", case, None, {"yours": value, "convention": row.value})
    for name, ours, truth in zip(case.variables, gradients, row.gradients, strict=True):
        if not _equals(ours, truth):
            return Fault(
                f"the gradient of {name} is not what was chosen where {row.where}",
                case,
                None,
                {"yours": ours, "convention": truth},
            )
    return None


def _equals(ours: Any, truth: Any) -> bool:
    """Of one shape, and equal to the last digit but one: 0 is 0."""
    return np.shape(ours) == np.shape(truth) and np.allclose(ours, truth, rtol=1e-15, atol=0)


def _hint(op: Any, definition: Any, found: Fault) -> str:
    """A clue from the case that is shown, or from three rows: at two, "twice" and "sum for mean" look alike."""
    truth = "autograd" if found.variable else "definition"
    if truth not in found.columns:
        return ""
    larger = []
    for seed in range(20):
        result = fault(op, definition, generic(op, definition, seed, rows=3))
        if isinstance(result, Fault) and result.variable == found.variable and truth in result.columns:
            larger.append((result.columns["yours"], result.columns[truth]))
    return over_three_rows((found.columns["yours"], found.columns[truth]), larger[:6])


def describe(name: str, found: Fault, hint: str, intro: str = "The smallest case") -> str:
    """The smallest case on one line, and the columns under it."""
    upstream = {} if found.case.upstream is None else {"g": found.case.upstream}
    inputs = found.case.variables | found.case.constants | upstream
    shown = "   ".join(f"{key} = {show(value)}" for key, value in inputs.items())
    lines = [f"{name}: {found.what}.{f' {intro}:' if shown else ''}", *(["", f"    {shown}"] if shown else [])]
    if found.columns:
        cells = [show(value) for value in found.columns.values()]
        widths = [max(len(head), len(cell)) + 3 for head, cell in zip(found.columns, cells, strict=True)]
        heads = [head.ljust(width) for head, width in zip(found.columns, widths, strict=True)]
        body = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        lines += ["", "    " + "".join(heads) + ("clue" if hint else ""), "    " + "".join(body) + hint]
    return "\n".join(line.rstrip() for line in lines)


def show(value: Any) -> str:
    """A small array on one line."""
    if isinstance(value, (bool, str)):
        return str(value)
    return " ".join(np.array2string(np.asarray(value), separator=", ", precision=4, suppress_small=True).split())
