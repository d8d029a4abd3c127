"""The inputs on which an op is tested, from the shapes in its annotations.

A *ladder* of small cases, for counterexamples that people read: one row of one number, then two rows, three, with whole
numbers first, so that the first failing rung gives the smallest input. *Generic* points: normal numbers at scales from
10⁻⁸ to 10⁸. *Wild* arrays, for invariants only: everything that Hypothesis generates, from subnormal to 10¹⁵⁰.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from .. import typing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..typing import AnyOp, Array, Definition

# whole numbers first, small before large: a counterexample shrinks to the first numbers, and people read it
NUMBERS = sorted((i / 4 for i in range(-20, 21)), key=lambda x: (x % 1 != 0, x % 0.5 != 0, x == 0, abs(x), x < 0))
RUNGS = ((1, 1), (2, 1), (1, 2), (3, 1), (2, 2), (3, 2))  # rows, features
ROWS = {"n", "m"}
DISTANCES = {"d", "D", "positive", "negative"}  # arguments of losses that are ≥ 0, except for a dot product


class Case(NamedTuple):
    """One input of an op: its variables in order, its constants by name, and the upstream gradient."""

    variables: dict[str, Any]
    constants: dict[str, Any]
    upstream: Any

    @property
    def inputs(self) -> dict[str, Any]:
        """Everything by its name; the upstream gradient is g."""
        upstream = {} if self.upstream is None else {"g": self.upstream}
        return self.variables | self.constants | upstream

    def call(self, op: AnyOp, dtype: Any = None) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """Call op on copies of this input, in another dtype if one is given."""
        copies = [np.array(v, dtype or np.asarray(v).dtype) for v in self.variables.values()]
        return op(
            *copies, **{name: np.copy(c) if isinstance(c, np.ndarray) else c for name, c in self.constants.items()}
        )


def variables(op: AnyOp) -> list[str]:
    """The names before the slash: the arguments that the pullback differentiates."""
    return [p.name for p in inspect.signature(op).parameters.values() if p.kind is p.POSITIONAL_ONLY]


def shapes(op: AnyOp) -> dict[str, Any]:
    """The jaxtyping annotation of every array argument."""
    try:
        hints = get_type_hints(op, localns=vars(typing))
    except Exception as mistake:
        raise ValueError(f"{op.__name__}: its annotations cannot be read ({mistake})") from mistake
    found = {name: hint for name, hint in hints.items() if name != "return" and hasattr(hint, "dim_str")}
    missing = [name for name in variables(op) if name not in found]
    if missing or not variables(op):
        what = f"the shape of {', '.join(missing)}" if missing else "its variables, before a slash"
        raise ValueError(f'{op.__name__}: annotate {what}, as in  (x: Float[Array, "n d"], /)')
    return found


def dimensions(hint: Any, size: Callable[[str], int]) -> tuple[int, ...]:
    """The shape that an annotation requires; "..." stands for two axes."""
    names = [d for name in hint.dim_str.split() for d in (["rows", "columns"] if name == "..." else [name])]
    return tuple(int(name) if name.isdecimal() else size(name) for name in names)


def cases(op: AnyOp, definition: Definition) -> list[dict[str, Any]]:
    """The constants to try, restricted to those of the op: a learner's function need not have all of them."""
    known = inspect.signature(op).parameters
    return [{name: c for name, c in case.items() if name in known} for case in definition.cases]


def kind(hint: Any) -> str:
    """Whether an annotation is `Bool`, `Int` or `Float`."""
    return "bool" if "bool" in hint.dtypes else "int" if "int64" in hint.dtypes else "float"


def integers(
    name: str, shape: tuple[int, ...], definition: Definition, size: Callable[[str], int], pick: Callable[[int], int]
) -> Array:
    """Targets that are columns of D, or labels that include the classes that the definition needs, in random order."""
    (count,) = shape
    if name == "targets":
        return np.array([pick(size("m")) for _ in range(count)], int)
    labels = [*definition.labels, *(pick(3) for _ in range(count - len(definition.labels)))]
    return np.array([labels.pop(pick(len(labels))) for _ in range(count)], int)


def split(op: AnyOp, drawn: dict[str, Any], constants: dict[str, Any], upstream: Any) -> Case:
    """A case from arrays by name: the names before the slash are variables."""
    names = variables(op)
    return Case(
        {name: drawn[name] for name in names},
        {name: array for name, array in drawn.items() if name not in names} | constants,
        upstream,
    )


def ladder(op: AnyOp, definition: Definition, signed: bool = False) -> Iterator[st.SearchStrategy[Case]]:
    """Hypothesis strategies for small cases, from one row of one number up; with `signed`, of distances < 0 as well."""
    hints = shapes(op)
    for rung in RUNGS:
        yield _rung(op, definition, hints, signed, *rung)


@cache
def _entries(dtype: type, shape: tuple[int, ...], numbers: tuple[float, ...]) -> st.SearchStrategy[Array]:
    """Arrays of booleans or of these numbers. Hypothesis spends more time on a new strategy than on a draw."""
    elements = st.sampled_from(numbers) if numbers else st.booleans()
    return arrays(dtype, shape, elements=elements, fill=st.nothing())


@st.composite
def _rung(draw, op, definition, hints, signed, rows, features):
    def size(name):
        low, high = definition.sizes.get(name, (1, 3))
        return min(high, low - 1 + (rows if name in ROWS or name == "rows" else features))

    low, high = definition.domain or (-np.inf, np.inf)

    def numbers(name):
        least = max(low, 0) if name in DISTANCES and not signed else low
        return [x for x in NUMBERS if least <= x <= high]

    def array(shape, booleans=False, elements=NUMBERS):
        return draw(_entries(bool if booleans else float, shape, () if booleans else tuple(elements)))

    def any_of(name, hint):
        shape = dimensions(hint, size)
        if kind(hint) == "int":
            return integers(name, shape, definition, size, lambda k: draw(st.integers(0, k - 1)))
        return array(shape, kind(hint) == "bool", numbers(name))

    drawn = {name: any_of(name, hint) for name, hint in hints.items()}
    case = split(op, drawn, draw(st.sampled_from(cases(op, definition))), None)
    with np.errstate(all="ignore"):
        value = definition(*case.variables.values(), **case.constants)
    return case._replace(upstream=array(np.shape(value))[()])


def generic(op: AnyOp, definition: Definition, seed: int, rows: int | None = None, signed: bool = False) -> Case:
    """A generic point: normal numbers times a power of ten, with shapes and constants from the same seed.

    With `rows`, this many rows n and one more m, of numbers of scale 1; with `signed`, distances are of both signs.
    """
    rng = np.random.default_rng(seed)
    low, high = (0, 0) if rows else definition.scales
    scale = 10.0 ** rng.integers(low, high + 1)
    sizes: dict[str, int] = {}

    def size(name):
        if name not in sizes:
            least, most = definition.sizes.get(name, (1, 5))
            sizes[name] = rows + (name == "m") if rows and name in ROWS else int(rng.integers(least, most + 1))
        return sizes[name]

    def any_of(name, hint):
        shape = dimensions(hint, size)
        if kind(hint) == "int":
            return integers(name, shape, definition, size, lambda k: int(rng.integers(k)))
        if kind(hint) == "bool":
            return rng.random(shape) < 0.5
        low, high = definition.domain or (0.0, 1.0)
        found = np.asarray(rng.uniform(low, high, shape) if definition.domain else scale * rng.normal(size=shape))
        return np.abs(found) if name in DISTANCES and not signed else found

    drawn = {name: any_of(name, hint) for name, hint in shapes(op).items()}
    known = cases(op, definition)
    constants = known[rng.integers(len(known))]
    case = split(op, drawn, constants, None)
    with np.errstate(all="ignore"):
        value = definition(*case.variables.values(), **case.constants)
    return case._replace(upstream=rng.normal(size=np.shape(value))[()])


def scale_of(case: Case) -> float:
    """The largest entry among the variables."""
    return max((float(np.abs(v).max(initial=0)) for v in case.variables.values()), default=1.0) or 1.0


def distance_to_corner(definition: Definition, case: Case) -> float:
    """The distance of this input from a point without a derivative, in units of its scale."""
    if definition.corner is None:
        return np.inf
    corner = np.abs(definition.corner(*case.variables.values(), **case.constants))
    return float(corner.min(initial=np.inf)) / scale_of(case) ** definition.degree


def wild(op: AnyOp, definition: Definition, dtype: Any = np.float64) -> st.SearchStrategy[dict[str, Array]]:
    """Arrays from Hypothesis: duplicates, zeros, subnormals, and numbers up to 10¹⁵⁰ (float32: 10¹⁸)."""
    return _wild(definition, shapes(op), dtype)


@st.composite
def _wild(draw, definition, hints, dtype):
    limit, width = wildest(definition, dtype), 64 if dtype == np.float64 else 32
    sizes: dict[str, int] = {}

    def size(name):
        if name not in sizes:
            sizes[name] = draw(st.integers(*definition.sizes.get(name, (1, 4))))
        return sizes[name]

    elements = st.floats(-limit, limit, width=width)  # type: ignore[arg-type]

    def any_of(name, hint):
        shape = dimensions(hint, size)
        if kind(hint) == "int":
            return integers(name, shape, definition, size, lambda k: draw(st.integers(0, k - 1)))
        return draw(arrays(bool, shape)) if kind(hint) == "bool" else draw(arrays(dtype, shape, elements=elements))

    return {name: any_of(name, hint) for name, hint in hints.items()}


LIMITS = {np.float64: 1e150, np.float32: 1e18}


def wildest(definition: Definition, dtype: Any) -> float:
    """The largest number to try: its square is finite, unless the definition gives another `reach`."""
    return float(np.dtype(dtype).type(LIMITS[dtype] ** definition.reach))
