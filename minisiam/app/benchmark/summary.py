"""The results of a comparison: a row for each loss, its test against the reference, a page, and a figure."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from ...analysis import _markdown
from ...analysis.registry import kind_of
from ...analysis.statistics import Mean, holm, mean, paired_p
from .. import outputs
from . import run_records, search
from .protocol import Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from .protocol import Records

METRICS = {
    "map_at_r": "MAP@R",
    "r_precision": "R-precision",
    "precision_at_1": "P@1",
    "one_shot_error": "one-shot error",
}
ALPHA = 0.05
FAMILIES = {
    "pairs": "pairs",
    "triplets": "triplets",
    "matrix": "a whole batch",
    "proxies": "proxies",
    "episodes": "episodes",
    "views": "two views",
    "verification": "verification",
}
SYMBOLS = {"temperature": "τ", "alpha": "α", "beta": "β"}


class Row(NamedTuple):
    """The results of one loss.

    family : what it reads, a value of `FAMILIES`
    means : of each of `METRICS`, in [0, 1], with its 95 % interval over seeds
    by_seed : MAP@R of each run
    reference : whether it is the loss that the others are tested against
    p : of the paired test against the reference, Holm-corrected over all losses; None for the reference itself
    alike : whether it is the reference, or not distinguishable from it: p ≥ 0.05
    validation : MAP@R of its best trial, on validation alphabets
    origin, constants, learning_rate : of its best trial, and so of its runs
    images : in a run, on average
    failed : how many runs diverged; their scores are 0
    """

    loss: str
    family: str
    means: dict[str, Mean]
    by_seed: dict[int, float]
    reference: bool
    p: float | None
    alike: bool
    validation: float
    origin: str
    constants: dict[str, Any]
    learning_rate: float
    images: float
    failed: int


def rows(protocol: Protocol, records: Records) -> list[Row]:
    """The losses that have a run, the best MAP@R first; the tests need the reference, and so all trials."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for task, record in records.items():
        if task.what == "run":
            runs.setdefault(task.loss, []).append(record)
    found = [_row(loss, own, protocol, records) for loss, own in runs.items()]
    found.sort(key=lambda row: -row.means["map_at_r"].value)
    reference = next((row for row in found if row.reference), None)
    if reference is None:
        return found
    others = [row for row in found if not row.reference]
    corrected = holm([_against(reference, row) for row in others])
    tested = {row.loss: p for row, p in zip(others, corrected, strict=True)}
    return [
        row if row.reference else row._replace(p=tested[row.loss], alike=tested[row.loss] >= ALPHA) for row in found
    ]


def _row(loss: str, runs: list[dict[str, Any]], protocol: Protocol, records: Records) -> Row:
    best = protocol.best_trial(loss, records)
    reference = loss == protocol.reference(records)
    return Row(
        loss,
        FAMILIES[kind_of(loss)],
        {name: mean([run[name] for run in runs]) for name in METRICS},
        {run["number"]: run["map_at_r"] for run in runs},
        reference,
        None,
        reference,
        best["map_at_r"],
        search.trial(loss, best["number"], protocol.search)[0],
        best["constants"],
        best["learning_rate"],
        mean([run["images"] for run in runs]).value,
        sum(run["failed"] is not None for run in runs),
    )


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
    named = f"The reference, {reference}, has the best trial on validation alphabets. " if reference else ""
    return (
        "Pen glyphs: every image of the held-out test alphabets is a query among all others. Encoder conv2, "
        f"{protocol.steps:,} steps a run, {many} seed{'s' * (many > 1)}, {_trials(protocol)} of each loss. Mean and "
        f"95 % interval over seeds. {named}Not distinguishable from it in MAP@R: "
        f"p\u00a0≥\u00a0{ALPHA:g} in a paired t-test by seed, Holm-corrected.{so_far}"
    )


def table(protocol: Protocol, records: Records, figure: str | None = None) -> str:
    """The comparison in Markdown: how much was run, the losses, the protocol, the limits, and the constants."""
    tasks, found = protocol.tasks(), rows(protocol, records)
    count = {
        what: (sum(task in records for task in tasks if task.what == what), sum(task.what == what for task in tasks))
        for what in ("run", "trial")
    }
    minutes = sum(record["seconds"] for record in records.values()) / 60
    done = ", ".join(f"{have} of {all_} {what}s" for what, (have, all_) in count.items())
    machine = protocol.machine
    where = f"{machine.get('cores')} cores ({machine.get('processor')}), NumPy {machine.get('numpy')}, "
    where += f"Python {machine.get('python')}, minisiam {machine.get('minisiam')}"
    head = ["", "loss", "reads", "validation MAP@R", *METRICS.values(), "p", "learning rate", "constants"]
    cells = [_cells(place, row) for place, row in enumerate(found, start=1)]
    right = [0, *range(3, len(head) - 1)]
    parts = [
        "# Losses on one protocol",
        f"{done}; {minutes:.1f} minutes of training; {where}.",
        _markdown.table(head, cells, right=right) if found else "No run is finished yet.",
        caption(protocol, records) + " In %. **Bold**: the reference, and the losses not distinguishable from it.",
        *_failures(found),
        *([f"![MAP@R and one-shot error of {len(found)} losses, with intervals]({figure})"] if figure else []),
        f"## Protocol\n\n{_how(protocol, found)}",
        f"## What p means\n\n{WHAT_P_MEANS}",
        f"## Limits\n\n{_limits(protocol)}",
        f"## Constants\n\n{_constants(protocol)}",
    ]
    return "\n\n".join(parts) + "\n"


def _cells(place: int, row: Row) -> list[str]:
    loss = f"**{row.loss}**" if row.alike else row.loss
    p = "reference" if row.reference else "" if row.p is None else "< 0.001" if row.p < 0.001 else f"{row.p:.3f}"
    means = [percent(row.means[name]) for name in METRICS]
    constants = {name: value for name, value in row.constants.items() if name != "learning_rate"}
    chosen = f"{row.origin}: {in_words(constants)}" if constants else row.origin
    validation = f"{100 * row.validation:.1f}"
    return [
        *(f"{place}", loss, row.family, validation, *means, p),
        *(f"{row.learning_rate:.3g}", chosen),
    ]


def _failures(found: list[Row]) -> list[str]:
    failed = [f"{row.loss} ({row.failed} of {len(row.by_seed)})" for row in found if row.failed]
    return [f"Runs that diverged, whose scores are 0: {', '.join(failed)}."] if failed else []


def percent(found: Mean) -> str:
    """A mean and its interval in per cent; a single run has no interval."""
    return f"{100 * found.value:.1f}" + ("" if found.half != found.half else f" ± {100 * found.half:.1f}")


def in_words(constants: dict[str, Any]) -> str:
    """Constants as text."""
    return ", ".join(_in_words(name, value) for name, value in constants.items())


def _in_words(name: str, value: Any) -> str:
    if name == "distance":
        return str(value)
    if name == "normalize":
        return "unit vectors" if value else "raw vectors"
    if name == "miner":
        return str(value)
    if name == "mining":
        return f"mining with ε {value:g}"
    if name == "temperature" and value < 1 and abs(1 / value - round(1 / value)) < 1e-9 and round(1 / value) > 10:
        return f"τ 1/{round(1 / value)}"
    return f"{SYMBOLS.get(name, name.replace('_', ' '))} {value:.3g}"


def _trials(protocol: Protocol) -> str:
    return f"{protocol.search} trial{'s' * (protocol.search > 1)}"


def _how(protocol: Protocol, found: list[Row]) -> str:
    low, high = search.RATE
    images = sorted({round(row.images) for row in found})
    total = f" ({' or '.join(f'{count:,}' for count in images)} per run)" if images else ""
    return (
        f"Every loss has {search.BATCH} images per step{total}, {protocol.steps:,} steps per run: 64 letters × 4 "
        "images, 128 × 2 for two views, 128 pairs for verification.\n\n"
        f"Search: {_trials(protocol)} of each loss, with as many steps as a run, and a seed that no run has. The first "
        "has the package's constants, the second the paper's, and the others are log-uniform draws (a Latin hypercube "
        f"for each loss): the learning rate from {low:g} to {high:g}, and the constants of the loss in the ranges "
        "below. If the paper prints no constants, or the package's, the second is a draw, too. Draws use the "
        "paper's form of the loss (distance, mining) and the package's form in turn.\n\n"
        "Trials and runs train on the training alphabets. MAP@R on the validation alphabets chooses the trial of each "
        "loss, and the loss with the best trial is the reference. The runs are tested on the test alphabets, which "
        "affect no choice.\n\n"
        "After Musgrave, Belongie, Lim 2020, A Metric Learning Reality Check."
    )


WHAT_P_MEANS = f"""\
The trials chose the reference, with other seeds and on other alphabets than the runs, so each test compares two losses
that were fixed before the runs. p is the probability of a mean difference in MAP@R at least as large as the one
found, if the two losses, with the constants chosen here, had the same mean over all seeds. It assumes that the
differences by seed are normally distributed. Holm's correction makes the probability of any p < {ALPHA:g}, if no
difference were real, at most {ALPHA:g}.

A seed decides the initial parameters and the order of the batches. p says nothing about other alphabets, other data,
other encoders, or another search. p ≥ {ALPHA:g} does not show that two losses are equal: it shows that these runs do
not distinguish them."""


def _limits(protocol: Protocol) -> str:
    pairs = search.BATCH * (search.BATCH - 1) // 2
    limits = [
        f"{protocol.steps:,} steps are a short run. Losses that improve slowly at first, such as those with proxies, "
        "may overtake others later.",
        "One encoder (conv2, 128 outputs, 14 × 14 pixels) and one data set (letters drawn by a program).",
        f"{_trials(protocol)} of each loss, with one seed, are a small search. The search of a loss with three "
        "constants is less dense than that of a loss with none, and a lucky draw helps a loss.",
        "The package's constants were found by earlier searches on alphabets of this data set, with other budgets.",
        "Fixed for all: Adam, its schedule and weight decay, the batches, the number of outputs. Fixed for each: every "
        "constant that is not in the table below, such as the margin inside a miner.",
        "The learning rates of the papers are for other networks: the trial with the paper's constants has the "
        "package's rate.",
        f"The same images are not the same comparisons: verification reads {search.BATCH // 2} pairs per step, a loss "
        f"on a whole batch all {pairs:,}.",
        "Losses with proxies train on letters without rotation. The others train on eight rotations and reflections of "
        "each letter, each as its own class.",
        "The intervals are over seeds only: all runs have the same training and test alphabets.",
    ]
    if "circle" in protocol.losses:
        limits.append("The weights of circle are detached, in every trial, as in the paper.")
    return "\n".join(f"- {limit}" for limit in limits)


def _constants(protocol: Protocol) -> str:
    """The package's and the paper's constants of each loss, and the ranges of the draws."""
    head = "| loss | package | paper, if different | source | checked | drawn, besides the learning rate |"
    lines = [head, "|---|---|---|---|---|---|"]
    for loss in protocol.losses:
        space = search.SPACES[loss]
        ranges = _ranges(space.ranges)
        if space.paper_ranges is not None:
            ranges = f"{ranges}; in the paper's form {_ranges(space.paper_ranges)}"
        cells = [in_words(search.package_constants(loss)), in_words(space.paper), space.source, space.checked, ranges]
        lines.append(f"| {loss} | " + " | ".join(cell or "–" for cell in cells) + " |")
    return "\n".join(lines)


def _ranges(ranges: search.Ranges) -> str:
    words = [
        f"{SYMBOLS.get(name, name.replace('_', ' '))} {low:.3g} to {high:.3g}" for name, (low, high) in ranges.items()
    ]
    return ", ".join(words) or "nothing"


def draw(folder: Path) -> list[Path]:
    """Write the page, and the figure if there is a run to draw; return their paths."""
    protocol, records = run_records.load(folder)
    paths = [folder / "COMPARISON.md"]
    found = rows(protocol, records)
    figure = None
    if found and find_spec("matplotlib") is not None:
        from ...plots import losses_compared

        paths.append(folder / "comparison.png")
        outputs.save_figure(losses_compared(found, caption(protocol, records)), paths[1], dpi=130)
        figure = paths[1].name
    outputs.write(paths[0], table(protocol, records, figure).encode())
    return paths
