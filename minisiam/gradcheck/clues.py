"""Guess the mistake from wrong results: a sentence, or nothing.

A *law* states how wrong results depend on the right ones, for example "twice too large". It becomes a clue if it holds
at the case that is shown and at other inputs as well: one number is always some factor too large. The sentence is about
the case that is shown, so its numbers agree with those beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..typing import Array


class Sample(NamedTuple):
    """A result, the right one, and what a law may depend on."""

    ours: Array
    truth: Array
    doubled: Array | None = None  # the result for twice the upstream gradient; None for a value
    rows: int = 0
    constants: dict[str, Any] = {}  # noqa: RUF012

    def where(self, name: str, value: bool) -> Sample:
        """The entries at which a constant, an array of booleans, has this value."""
        chosen = self.constants[name] == value
        doubled = self.doubled if self.doubled is None else self.doubled[chosen]
        rest = {key: constant for key, constant in self.constants.items() if key != name}
        return self._replace(ours=self.ours[chosen], truth=self.truth[chosen], doubled=doubled, constants=rest)


class Law(NamedTuple):
    """Whether it holds at a sample, and a sentence about a sample at which it does; "" if it says nothing there."""

    holds: Callable[[Sample], bool]
    sentence: Callable[[Sample], str]


def clue(shown: Sample, others: list[Sample]) -> str:
    """The sentence of the first law that holds at the shown sample and at all others."""
    if not np.isfinite(shown.ours).all():
        return _not_finite(shown)
    if any(s.ours.shape != s.truth.shape for s in (shown, *others)):
        return _first((TRANSPOSED,), shown, others)
    return (
        _first(_laws(shown), shown, others)
        or _in_one_kind(shown, others)
        or _first((SIGNS, MASKED, _same_factor(shown)), shown, others)
        or _varying_factor(shown, others)
    )


def clue_at_kink(shown: Sample, others: list[Sample]) -> str:
    """The same where the truth is a convention: of the laws only those of a small number that is added."""
    if not np.isfinite(shown.ours).all():
        return _not_finite(shown)
    if any(s.ours.shape != s.truth.shape for s in others):
        return ""
    return _first((_square(shown), _added(shown)), shown, others)


def _first(laws: Iterable[Law], shown: Sample, others: list[Sample]) -> str:
    for law in laws:
        sentence = law.sentence(shown) if law.holds(shown) else ""
        if sentence and all(np.isfinite(other.ours).all() and law.holds(other) for other in others):
            return sentence
    return ""


def _not_finite(shown: Sample) -> str:
    if np.isnan(shown.ours).any():
        return "NaN: 0 / 0, or ∞ − ∞?"
    return "infinity: a division by 0, or an overflow?"


def _close(ours: Any, truth: Any) -> bool:
    if not (np.isfinite(ours).all() and np.isfinite(truth).all()):
        return False
    return bool(np.allclose(ours, truth, rtol=1e-6, atol=1e-9 * (np.abs(truth).max(initial=0) or 1)))


def _laws(shown: Sample) -> Iterator[Law]:
    """The laws in order; some have numbers of the shown sample."""
    yield from (NO_UPSTREAM, UPSTREAM_TWICE, SINGLE, _square(shown), _added(shown), NEARLY)
    yield from FACTORS
    yield from (SUM, MEAN_TWICE, ZERO)
    for name, value in shown.constants.items():
        if isinstance(value, float) and value not in (0, 1):
            yield from _constant_laws(name)
    yield from (TRANSPOSED, HINGE)


def _factor_law(factor: Callable[[Sample], float], words: str | Callable[[Sample], str]) -> Law:
    """The result is the right one times a factor."""
    return Law(lambda s: _close(s.ours, factor(s) * s.truth), lambda s: words if isinstance(words, str) else words(s))


def _fixed_factor(factor: float, words: str) -> Law:
    return _factor_law(lambda _: factor, words)


FACTORS = (
    _fixed_factor(-1, "the right size, but the wrong sign"),
    _fixed_factor(2, "twice too large"),
    _fixed_factor(0.5, "half of what it should be"),
    _fixed_factor(-2, "twice too large, and the wrong sign"),
    _fixed_factor(-0.5, "half of what it should be, and the wrong sign"),
)


def _constant_laws(name: str) -> Iterator[Law]:
    for exponent, advice in ((1, "divide by it"), (-1, "multiply by it"), (2, "divide by its square")):
        yield _power_law(name, exponent, advice)


def _power_law(name: str, exponent: int, advice: str) -> Law:
    """The factor is a power of a constant."""

    def factor(s: Sample) -> float:
        return s.constants[name] ** exponent

    def words(s: Sample) -> str:
        return f"{factor(s):.3g} times what it should be, and {name} is {s.constants[name]:g}: {advice}?"

    return _factor_law(factor, words)


def _times(s: Sample, words: str) -> str:
    return f"{s.rows} times too {words}" if s.rows > 1 else ""


SUM = _factor_law(
    lambda s: s.rows,
    lambda s: _times(s, f"large, and there are {s.rows} rows: a sum instead of a mean?"),
)
MEAN_TWICE = _factor_law(
    lambda s: 1 / s.rows if s.rows else np.nan,
    lambda s: _times(s, f"small, and there are {s.rows} rows: divided by the number of rows, but it should not be?"),
)
ZERO = Law(lambda s: not s.ours.any(), lambda _: "zero, but should not be")
NO_UPSTREAM = Law(
    lambda s: s.doubled is not None and np.array_equal(s.doubled, s.ours) and bool(s.ours.any() or not s.truth.any()),
    lambda s: "it does not depend on g, the argument of the pullback: multiply by it" if s.ours.any() else "",
)
UPSTREAM_TWICE = Law(
    lambda s: s.doubled is not None and _close(s.doubled, 4 * s.ours),
    lambda s: "multiplied by g, the argument of the pullback, twice" if s.ours.any() else "",
)
TRANSPOSED = Law(
    lambda s: s.truth.ndim == 2 and s.ours.shape == s.truth.T.shape and _close(s.ours, s.truth.T),
    lambda s: "" if _close(s.ours, s.truth) else "transposed",
)


def _signs(s: Sample) -> str:
    wrong = s.ours * s.truth < 0
    return "" if not wrong.any() else "the right sizes, but some signs are wrong"


SIGNS = Law(lambda s: _close(np.abs(s.ours), np.abs(s.truth)), _signs)


def _flat(s: Sample) -> Array:
    return np.abs(s.truth) <= 1e-12 * np.abs(s.truth).max(initial=0)


HINGE = Law(
    lambda s: _close(s.ours[~_flat(s)], s.truth[~_flat(s)]),
    lambda s: (
        "not zero where it should be, and right elsewhere: a hinge or a mask forgotten?"
        if s.ours[_flat(s)].any()
        else ""
    ),
)
MASKED = Law(
    lambda s: _close(s.ours[s.ours != 0], s.truth[s.ours != 0]),
    lambda s: (
        "zero where it should not be, and right elsewhere: is a mask or a comparison too narrow?"
        if (s.truth[s.ours == 0] != 0).any()
        else ""
    ),
)


def _shift_law(shown: Sample, power: int, words: Callable[[float], str]) -> Law:
    """oursᵖ = truthᵖ + c, for a value, with the c of the shown sample."""
    c = float(np.median(shown.ours**power - shown.truth**power))

    def holds(s: Sample) -> bool:
        rounding = 2e-15 * np.abs(s.truth**power).max(initial=0)
        return s.doubled is None and bool(
            (np.abs(s.ours**power - s.truth**power - c) <= 1e-3 * abs(c) + rounding).all()
        )

    return Law(holds, lambda s: words(c) if abs(c) > 1e-14 * np.abs(s.truth**power).max(initial=0) else "")


def _square(shown: Sample) -> Law:
    return _shift_law(shown, 2, lambda c: f"its square is too large by {c:.3g}: an ε under the root?" if c > 0 else "")


def _added(shown: Sample) -> Law:
    return _shift_law(shown, 1, lambda c: f"too {'large' if c > 0 else 'small'} by {abs(c):.3g} on every input")


def _error(s: Sample) -> float:
    """The largest difference, relative to the largest entry."""
    difference = float(np.abs(s.ours - s.truth).max(initial=0))
    return difference and difference / (float(np.abs(s.truth).max(initial=0)) or np.nan)


SINGLE = Law(
    lambda s: _error(s) < 1e-5 and s.ours.dtype == np.float32 != s.truth.dtype,
    lambda _: "computed in float32, which has 7 digits, but the inputs are float64: keep the dtype of the inputs",
)
NEARLY = Law(
    lambda s: _error(s) < 1e-3,
    lambda s: (
        f"right to {-np.log10(_error(s) or 1):.0f} digits: "
        f"{'is a step computed in float32, or ' if _error(s) < 5e-7 else ''}is a small number, an ε, added somewhere?"
    ),
)


def _factor(s: Sample) -> float | None:
    """The common factor of all entries, if there is one."""
    if not s.truth.any():
        return None
    factor = float((s.ours * s.truth).sum() / (s.truth * s.truth).sum())
    return factor if factor and _close(s.ours, factor * s.truth) else None


def _same_factor(shown: Sample) -> Law:
    factor = _factor(shown)
    return _factor_law(lambda _: factor or np.nan, f"{factor:.3g} times what it should be" if factor else "")


def _varying_factor(shown: Sample, others: list[Sample]) -> str:
    """Every sample is right up to a factor, which varies. A single number always is, so it says nothing."""
    factors = [_factor(s) for s in others if (s.truth != 0).sum() > 1]
    own = _factor(shown)
    if own is None or None in factors or len(factors) < 3 or len({f"{f:.5g}" for f in (own, *factors)}) == 1:
        return ""
    return (
        f"{own:.3g} times what it should be, and another factor on other inputs: "
        "divided by a count of something other than rows?"
    )


def _in_one_kind(shown: Sample, others: list[Sample]) -> str:
    """Right where a constant, an array of booleans, is True, and wrong where it is False; or the reverse."""
    samples = [shown, *others]
    for name, kinds in shown.constants.items():
        if not (isinstance(kinds, np.ndarray) and kinds.dtype.kind == "b") or any(
            s.constants[name].shape != s.ours.shape[:1] for s in samples
        ):
            continue
        for kind in (True, False):
            right = [s.where(name, kind) for s in samples]
            if sum(s.truth.any() for s in right) > 2 and all(_close(s.ours, s.truth) for s in right):
                wrong = [w for s in others if (w := s.where(name, not kind)).truth.size]
                inner = clue(shown.where(name, not kind), wrong)
                return f"right where {name} is {kind}" + (
                    f"; where it is {not kind}: {inner}" if inner else f", wrong where it is {not kind}"
                )
    return ""
