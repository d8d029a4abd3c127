"""The results of a comparison: a row for each method, and its tests."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from ...analysis.registry import kind_of
from ...analysis.statistics import Mean, holm, mean, paired_p
from . import search
from .methods import loss_of
from .wording import ALPHA

if TYPE_CHECKING:
    from .protocol import Protocol, Records

METRICS = {
    "map_at_r": "MAP@R",
    "r_precision": "R-precision",
    "precision_at_1": "P@1",
    "one_shot_error": "one-shot error",
}
FAMILIES = {
    "pairs": "pairs",
    "triplets": "triplets",
    "matrix": "a whole batch",
    "proxies": "proxies",
    "episodes": "episodes",
    "views": "two views",
    "verification": "verification",
}


class Row(NamedTuple):
    """The results of one method.

    family : what its loss reads, a value of `FAMILIES`
    means : of each of `METRICS`, in [0, 1], with its 95 % interval over seeds
    by_seed : MAP@R of each run
    reference : whether it is the method that the others are tested against
    p : of the paired test against the reference, Holm-corrected over all methods; None for the reference itself
    alike : whether it is the reference, or not distinguishable from it: p ≥ 0.05
    peers : the places, from 1, of the methods not distinguishable from it in the tests of all pairs of methods
    validation, package : MAP@R on the validation set of its best trial, and with the package's constants
    origin, constants, learning_rate : of its best trial, and so of its runs
    images : in a run, on average
    failed : how many runs diverged; their scores are 0
    """

    method: str
    family: str
    means: dict[str, Mean]
    by_seed: dict[int, float]
    reference: bool
    p: float | None
    alike: bool
    peers: tuple[int, ...]
    validation: float
    package: float
    origin: str
    constants: dict[str, Any]
    learning_rate: float
    images: float
    failed: int

    @property
    def score(self) -> float:
        """The mean of MAP@R."""
        return self.means["map_at_r"].value


def rows(protocol: Protocol, records: Records) -> list[Row]:
    """The methods that have a run, the best MAP@R first; the tests need the reference, and so all trials."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for task, record in records.items():
        if task.what == "run":
            runs.setdefault(task.method, []).append(record)
    reference = protocol.reference(records)
    found = [_row(method, own, reference, protocol, records) for method, own in runs.items()]
    found.sort(key=lambda row: -row.score)
    return _with_peers(_tested(found))


def _row(method: str, runs: list[dict[str, Any]], reference: str | None, protocol: Protocol, records: Records) -> Row:
    best, package = protocol.best_trial(method, records), records[protocol.trials(method)[0]]
    return Row(
        method,
        FAMILIES[kind_of(loss_of(method))],
        {name: mean([run[name] for run in runs]) for name in METRICS},
        {run["number"]: run["map_at_r"] for run in runs},
        method == reference,
        None,
        method == reference,
        (),
        best["map_at_r"],
        package["map_at_r"],
        search.trial(method, best["number"], protocol.search)[0],
        best["constants"],
        best["learning_rate"],
        mean([run["images"] for run in runs]).value,
        sum(run["failed"] is not None for run in runs),
    )


def _tested(found: list[Row]) -> list[Row]:
    """The rows with their tests against the reference."""
    reference = next((row for row in found if row.reference), None)
    if reference is None:
        return found
    others = [row for row in found if not row.reference]
    corrected = holm([_against(reference, row) for row in others])
    tested = {row.method: p for row, p in zip(others, corrected, strict=True)}
    return [
        row if row.reference else row._replace(p=tested[row.method], alike=tested[row.method] >= ALPHA) for row in found
    ]


def _with_peers(found: list[Row]) -> list[Row]:
    """The rows with the places that each is not distinguishable from, if every pair of methods is tested."""
    pairs = list(combinations(range(len(found)), 2))
    corrected = holm([_against(found[i], found[j]) for i, j in pairs])
    peers: list[list[int]] = [[] for _ in found]
    for (i, j), p in zip(pairs, corrected, strict=True):
        if p >= ALPHA:
            peers[i].append(j + 1)
            peers[j].append(i + 1)
    return [row._replace(peers=tuple(sorted(own))) for row, own in zip(found, peers, strict=True)]


def _against(reference: Row, row: Row) -> float:
    """The p-value of their difference in MAP@R on the seeds that both have."""
    common = sorted(reference.by_seed.keys() & row.by_seed.keys())
    return paired_p([reference.by_seed[seed] for seed in common], [row.by_seed[seed] for seed in common])
