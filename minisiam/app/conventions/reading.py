"""From a name in the words of pytorch-metric-learning to what it is here, or to the reason why it is nothing here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import require
from . import choosing, measures, pml
from .compose import REDUCED_OVER, Preset
from .measures import Asked, Measure, NotMapped
from .names import Call, read

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = "pytorch-metric-learning 2.9.0"
REDUCERS = {"mean": "mean", "avgnonzero": "mean_active", "sum": "sum", "divisor": "own"}
IGNORED = {"collect_stats", "weight_init_func", "dtype", "device"}
BASES = {
    "lp": "LpDistance",
    "l2": "LpDistance",
    "euclidean": "LpDistance",
    "cosine": "CosineSimilarity",
    "dot": "DotProductSimilarity",
    "snr": "SNRDistance",
} | {name.lower(): name for name in measures.DISTANCES}
RAW = {"raw": False, "unnormalised": False, "unnormalized": False, "normalised": True, "normalized": True}


class Found(NamedTuple):
    """What a name is here: a preset or a miner, or None with the reason."""

    found: Any
    reason: str = ""


def from_reference(name: str) -> Found:
    """The preset that a name of the reference stands for, or None with the reason.

    Parameters
    ----------
    name
        "TripletMarginLoss(margin=0.2,distance=LpDistance(power=2),reducer=MeanReducer())+BatchHardMiner()", or in short
        "TripletMarginLoss(0.2,Lp normalized power=2,Mean)+BatchHardMiner()". Arguments by position or by name; sizes as
        in "ProxyNCALoss(4,5)" are read off the proxies.

    Examples
    --------
    >>> from_reference("NTXentLoss(0.5)").found.margin
    'temperature 0.5'
    >>> from_reference("SphereFaceLoss(4,4)")
    Found(found=None, reason='multiples of an angle are no loss of ours')
    """
    return _found(lambda name: _preset(*read(name)), name)


def miner_from_reference(name: str) -> Found:
    """The miner that a name stands for: `found(z, labels)` gives Pairs or Triplets; or None with the reason."""
    return _found(lambda name: _miner(*read(name)), name)


def _found(make: Callable[[str], Any], name: str) -> Found:
    try:
        return Found(make(name))
    except (ValueError, TypeError) as error:
        return Found(None, str(error))


def of_reference(name: str, overrides: dict[str, Any]) -> Preset:
    """A loss of the reference with some of its arguments; distance, reducer and miner in its words."""
    words = ("distance", "reducer", "miner")
    asked = {key: value if key not in words else _as_call(value) for key, value in overrides.items()}
    mined = [asked.pop("miner")] if "miner" in asked else []
    return _preset(Call(name, (), asked), *mined)


def _as_call(value: Any) -> Any:
    """Words that look like a call are one."""
    return read(value)[0] if isinstance(value, str) and value.rstrip().endswith(")") else value


def _preset(call: Call, *mined: Call) -> Preset:
    row = _row(call.name, pml.LOSSES, pml.UNMAPPED, "Loss")
    if len(mined) > 1:
        raise NotMapped("more than one miner")
    arguments, measure, reduction = _bound(call, row.arguments, row.distance)
    if reduction == "own" and row.reduction not in ("own", "terms"):
        raise NotMapped("the reference has a divisor only for MarginLoss and ProxyAnchorLoss")
    reduction = row.reduction if reduction in (None, "own") else reduction
    miner = _miner(mined[0]) if mined else None
    op = row.build(Asked(arguments, measure, reduction, miner))
    constants = ", ".join(f"{key} {value:g}" for key, value in arguments.items() if _is_number(value))
    return Preset(
        op,
        _formula(row, arguments) + (f"; mined by {mined[0].name}" if mined else ""),
        measure.words,
        measure.squared,
        measure.normalized,
        constants,
        REDUCED_OVER[reduction],
        SOURCE,
        row.variables,
    )


def _formula(row: pml.Row, arguments: dict[str, Any]) -> str:
    formula = "log(1 + e^(d₊ − d₋ + m))" if arguments.get("smooth_loss") else row.formula
    return formula + (", d₋ from the nearer of anchor and positive" if arguments.get("swap") else "")


def _miner(call: Call, *more: Call) -> Callable[..., Any]:
    row = _row(call.name, choosing.MINERS, choosing.UNMAPPED, "Miner")
    if more:
        raise NotMapped("more than one miner")
    strategies = [key for key in row.arguments if key.endswith("_strategy") or key.startswith("type_of")]
    words = iter(strategies)
    named = {next(words, ""): value for value in call.positional if value in choosing.STRATEGIES}
    rest = tuple(value for value in call.positional if value not in choosing.STRATEGIES)
    arguments, measure, reduction = _bound(Call(call.name, rest, named | call.keywords), row.arguments, row.distance)
    if reduction is not None:
        raise NotMapped("a miner has no reducer")
    return choosing.chooser(row, arguments, row.distance if call.name == "AngularMiner" else measure)


def _row(name: str, known: dict[str, Any], unmapped: dict[str, str], ending: str) -> Any:
    name = name if name.endswith(ending) else name + ending
    if name in unmapped or name.removesuffix(ending) in unmapped:
        raise NotMapped(unmapped.get(name) or unmapped[name.removesuffix(ending)])
    require.one_of(ending.lower(), name, known)
    return known[name]


def _bound(call: Call, defaults: dict[str, Any], distance: Measure) -> tuple[dict[str, Any], Measure, str | None]:
    """The arguments by name, the distance, and the reducer if one is asked for."""
    arguments, reducer = dict(defaults), None
    free = [key for key in defaults if key not in call.keywords]
    for key, value in [*_positions(call.positional, free), *call.keywords.items()]:
        if key == "distance":
            distance = _measure(value, distance)
        elif key == "reducer":
            reducer = _reducer(value)
        elif key not in IGNORED:
            _known(key, value, defaults)
            arguments[key] = value
    return arguments, distance, reducer


def _positions(values: tuple[Any, ...], free: list[str]) -> list[tuple[str, Any]]:
    """The names of arguments that have none: a word is a distance or a reducer, the others go by their place."""
    found, places = [], iter(free)
    for value in values:
        if isinstance(value, (str, Call)):
            found.append(("reducer" if _reduction(value) in REDUCERS else "distance", value))
        elif (key := next(places, None)) is not None:
            found.append((key, value))
        else:
            raise NotMapped(f"the reference takes no further argument {value!r}")
    return found


def _known(key: str, value: Any, defaults: dict[str, Any]) -> None:
    if key.endswith("regularizer") and value is not None:
        raise NotMapped("a regularizer is networks.regularized here")
    if key not in defaults and not key.endswith(("regularizer", "reg_weight")):
        require.one_of("argument", key, [*defaults, "distance", "reducer"])


def _reduction(value: Any) -> str:
    name = value.name if isinstance(value, Call) else str(value)
    return name.lower().replace("_", "").removesuffix("reducer")


def _reducer(value: Any) -> str | None:
    name = _reduction(value)
    if value is None:
        return None
    if name not in REDUCERS or (isinstance(value, Call) and (value.positional or value.keywords)):
        raise NotMapped(
            f"of the reference's reducers only Mean, AvgNonZero, Sum and Divisor are known here, not {name}"
        )
    return REDUCERS[name]


def _measure(value: Any, default: Measure) -> Measure:
    """A distance as a call, LpDistance(power=2), or in words, "Lp raw power=2"."""
    if value is None:
        return default
    call = value if isinstance(value, Call) else _in_words(str(value), default)
    require.one_of("distance", call.name, measures.DISTANCES)
    arguments = {key: option for key, option in call.keywords.items() if key not in IGNORED | {"is_inverted"}}
    if call.positional:
        raise NotMapped(f"{call.name} takes its arguments by name")
    return measures.DISTANCES[call.name](**arguments)


def _in_words(text: str, default: Measure) -> Call:
    """Words are a base, raw or normalized, and p=… or power=…; without a base it is that of the default."""
    options: dict[str, Any] = {}
    name = "DotProductSimilarity" if default.similarity else "LpDistance"
    for word in re.sub(r"\s*=\s*", "=", text).lower().split():
        key, equals, number = word.partition("=")
        if equals and key in ("p", "power"):
            options[key] = float(number)
        elif word in RAW:
            options["normalize_embeddings"] = RAW[word]
        elif word in BASES:
            name = BASES[word]
        else:
            raise NotMapped(f"{text!r} is no distance that is known here")
    return Call(name, (), options)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
