"""From a constructor string of pytorch-metric-learning to a loss or miner here, or the reason why there is none."""

import re
from typing import Any, NamedTuple

from minisiam import require
from minisiam.app.conventions import pml
from minisiam.app.conventions.pml_losses import Options
from pml_names import distances, miners
from pml_names.calls import Call, read
from pml_names.distances import NotMapped
from pml_names.mined import with_its_miner

REDUCERS = {"mean": "mean", "avgnonzero": "mean_active", "sum": "sum", "divisor": "own"}
IGNORED = {"collect_stats", "weight_init_func", "dtype", "device"}
BASES = {
    "lp": "LpDistance",
    "l2": "LpDistance",
    "euclidean": "LpDistance",
    "cosine": "CosineSimilarity",
    "dot": "DotProductSimilarity",
    "snr": "SNRDistance",
} | {name.lower(): name for name in distances.DISTANCES}
RAW = {"raw": False, "unnormalised": False, "unnormalized": False, "normalised": True, "normalized": True}


UNMAPPED = {
    "SphereFaceLoss": "multiples of an angle are no loss of ours",
    "LargeMarginSoftmaxLoss": "multiples of an angle are no loss of ours",
    "SubCenterArcFaceLoss": "the nearest of some centres is no distance of ours; the soft one is soft_triple_distance",
    "RankedListLoss": "no loss of ours weighs pairs by an exponential that is differentiated as well",
    "PNPLoss": "a smoothed average precision is no loss of ours; fast_ap is the nearest",
    "SmoothAPLoss": "a smoothed average precision is no loss of ours; fast_ap is the nearest",
    "DynamicSoftMarginLoss": "it keeps a histogram from batch to batch, and an op has no state",
    "P2SGradLoss": "a regression on cosines is no loss of ours",
    "InstanceLoss": "no loss of ours",
    "ManifoldLoss": "a random walk on the batch is no loss of ours",
    "CrossBatchMemory": "it keeps embeddings from batch to batch, and an op has no state",
    "SelfSupervisedLoss": "it wraps another loss: give that one the labels 0 … n − 1 twice",
}


class Found(NamedTuple):
    """The loss or miner of a name, or None with the reason."""

    found: Any
    reason: str = ""


def from_reference(name):
    """The loss that a name of the reference stands for, or None with the reason.

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
    return _found(lambda name: _loss(*read(name)), name)


def miner_from_reference(name):
    """The miner that a name stands for: `found(z, labels)` gives Pairs or Triplets; or None with the reason."""
    return _found(lambda name: _miner(*read(name)), name)


def _found(make, name):
    try:
        return Found(make(name))
    except (ValueError, TypeError) as error:
        return Found(None, str(error))


def _loss(call, *mined):
    row = _row(call.name, pml.LOSSES, UNMAPPED, "Loss")
    if len(mined) > 1:
        raise NotMapped("more than one miner")
    arguments, measure, reduction = _bound(call, row.arguments, row.distance)
    if reduction == "own" and row.reduction not in ("own", "terms"):
        raise NotMapped("the reference has a divisor only for MarginLoss and ProxyAnchorLoss")
    options = Options(arguments, measure, row.reduction if reduction in (None, "own") else reduction)
    if not mined:
        return pml.described(row, options)
    name = next(name for name, one in pml.LOSSES.items() if one is row)
    apply = with_its_miner(name, options, _miner(mined[0]))
    return pml.described(row._replace(build=lambda _: apply), options)


def _miner(call, *more):
    row = _row(call.name, miners.MINERS, miners.UNMAPPED, "Miner")
    if more:
        raise NotMapped("more than one miner")
    strategies = [key for key in row.arguments if key.endswith("_strategy") or key.startswith("type_of")]
    words = iter(strategies)
    named = {next(words, ""): value for value in call.positional if value in miners.STRATEGIES}
    rest = tuple(value for value in call.positional if value not in miners.STRATEGIES)
    arguments, measure, reduction = _bound(Call(call.name, rest, named | call.keywords), row.arguments, row.distance)
    if reduction is not None:
        raise NotMapped("a miner has no reducer")
    return miners.chooser(row, arguments, row.distance if call.name == "AngularMiner" else measure)


def _row(name, known, unmapped, ending):
    name = name if name.endswith(ending) else name + ending
    if name in unmapped or name.removesuffix(ending) in unmapped:
        raise NotMapped(unmapped.get(name) or unmapped[name.removesuffix(ending)])
    require.one_of(ending.lower(), name, known)
    return known[name]


def _bound(call, defaults, distance):
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


def _positions(values, free):
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


def _known(key, value, defaults):
    if key.endswith("regularizer") and value is not None:
        raise NotMapped("a regularizer is networks.regularized here")
    if key not in defaults and not key.endswith(("regularizer", "reg_weight")):
        require.one_of("argument", key, [*defaults, "distance", "reducer"])


def _reduction(value):
    name = value.name if isinstance(value, Call) else str(value)
    return name.lower().replace("_", "").removesuffix("reducer")


def _reducer(value):
    name = _reduction(value)
    if value is None:
        return None
    if name not in REDUCERS or (isinstance(value, Call) and (value.positional or value.keywords)):
        raise NotMapped(
            f"of the reference's reducers only Mean, AvgNonZero, Sum and Divisor are known here, not {name}"
        )
    return REDUCERS[name]


def _measure(value, default):
    """A distance as a call, LpDistance(power=2), or in words, "Lp raw power=2"."""
    if value is None:
        return default
    call = value if isinstance(value, Call) else _in_words(str(value), default)
    require.one_of("distance", call.name, distances.DISTANCES)
    arguments = {key: option for key, option in call.keywords.items() if key not in IGNORED | {"is_inverted"}}
    if call.positional:
        raise NotMapped(f"{call.name} takes its arguments by name")
    return distances.DISTANCES[call.name](**arguments)


def _in_words(text, default):
    """Words are a base, raw or normalized, and p=… or power=…; without a base it is that of the default."""
    options = {}
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
