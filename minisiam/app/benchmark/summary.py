"""The results of a comparison: a row for each method, its tests, a page, and a figure."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from ...analysis import _markdown
from ...analysis.registry import kind_of
from ...analysis.statistics import Mean, holm, mean, paired_p
from .. import outputs
from . import advice, protocol_text, run_records, search
from .methods import loss_of
from .protocol import Protocol
from .protocol_text import data_title, trials_of
from .wording import ALPHA, as_ranges, in_words, percent

if TYPE_CHECKING:
    from pathlib import Path

    from .protocol import Records

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


def caption(protocol: Protocol, records: Records) -> str:
    """What was measured, on what."""
    many = protocol.seeds
    missing = len([task for task in protocol.tasks() if task not in records])
    so_far = f" So far: {missing} of {len(protocol.tasks())} trials and runs are missing." if missing else ""
    reference = protocol.reference(records)
    named = f"The reference, {reference}, has the best trial on the validation set. " if reference else ""
    return (
        f"{data_title(protocol)}: each {_query(protocol)} is a query among all others. "
        f"Encoder conv2, {protocol.steps:,} steps a run, {many} seed{'s' * (many > 1)}, {trials_of(protocol)} of each "
        f"method. Mean and 95 % interval over seeds. {named}Not distinguishable from it in MAP@R: "
        f"p\u00a0≥\u00a0{ALPHA:g} in a paired t-test by seed, Holm-corrected.{so_far}"
    )


def _query(protocol: Protocol) -> str:
    if "test" not in protocol.sizes:
        return "test image"
    images, classes = protocol.sizes["test"]
    return f"of {images:,} images of {classes:,} test classes"


def table(protocol: Protocol, records: Records, figure: str | None = None) -> str:
    """The comparison in Markdown: how much was run, the methods, advice, the protocol, its limits, the constants."""
    tasks, found = protocol.tasks(), rows(protocol, records)
    count = {
        what: (sum(task in records for task in tasks if task.what == what), sum(task.what == what for task in tasks))
        for what in ("run", "trial")
    }
    minutes = sum(record["seconds"] for record in records.values()) / 60
    done = ", ".join(f"{have} of {all_} {what}s" for what, (have, all_) in count.items())
    machine = protocol.machine
    cores = machine.get("cores")
    where = f"{cores} core{'s' * (cores != 1)} ({machine.get('processor')}), NumPy {machine.get('numpy')}, "
    where += f"Python {machine.get('python')}, minisiam {machine.get('minisiam')}"
    head = ["", "method", "reads", "validation MAP@R", *METRICS.values(), "p", "alike", "learning rate", "constants"]
    cells = [_cells(place, row) for place, row in enumerate(found, start=1)]
    right = [0, *range(3, len(head) - 2)]
    parts = [
        f"# Losses and miners on one protocol: {data_title(protocol)}",
        f"{done}; {minutes:.1f} minutes of training by the clock; {where}. `{protocol_text.command(protocol)}`",
        _markdown.table(head, cells, right=right) if found else "No run is finished yet.",
        caption(protocol, records)
        + " In %. **Bold**: the reference, and the methods not distinguishable from it. *Alike*: the places that a "
        "method is not distinguishable from if all pairs of methods are tested.",
        *_failures(found),
        *([f"![MAP@R and one-shot error of {len(found)} methods, with intervals]({figure})"] if figure else []),
        *advice.sections(protocol, found),
        f"## Protocol\n\n{protocol_text.how(protocol, {round(row.images) for row in found})}",
        f"## What p means\n\n{protocol_text.WHAT_P_MEANS}",
        f"## Limits\n\n{protocol_text.limits(protocol)}",
        f"## Constants\n\n{protocol_text.constants(protocol)}",
    ]
    return "\n\n".join(parts) + "\n"


def _cells(place: int, row: Row) -> list[str]:
    method = f"**{row.method}**" if row.alike else row.method
    p = "reference" if row.reference else "" if row.p is None else "< 0.001" if row.p < 0.001 else f"{row.p:.3f}"
    means = [percent(row.means[name]) for name in METRICS]
    constants = {name: value for name, value in row.constants.items() if name != "learning_rate"}
    chosen = f"{row.origin}: {in_words(constants)}" if constants else row.origin
    validation = f"{100 * row.validation:.1f}"
    return [
        *(f"{place}", method, row.family, validation, *means, p, as_ranges(row.peers)),
        *(f"{row.learning_rate:.3g}", chosen),
    ]


def _failures(found: list[Row]) -> list[str]:
    failed = [f"{row.method} ({row.failed} of {len(row.by_seed)})" for row in found if row.failed]
    return [f"Runs that diverged, whose scores are 0: {', '.join(failed)}."] if failed else []


def draw(folder: Path) -> list[Path]:
    """Write the page, and the figure if there is a run to draw; return their paths."""
    protocol, records = run_records.load(folder)
    paths = [folder / "COMPARISON.md"]
    found = rows(protocol, records)
    figure = None
    if found and find_spec("matplotlib") is not None:
        from ...plots import methods_compared

        paths.append(folder / "comparison.png")
        outputs.save_figure(methods_compared(found, caption(protocol, records)), paths[1], dpi=130)
        figure = paths[1].name
    outputs.write(paths[0], table(protocol, records, figure).encode())
    return paths
