"""What the records say: a row for each loss, which of them cannot be told apart from the best, a table and a figure."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from ..settings import kind_of
from ..students import Mean, holm, mean, paired_p
from . import ledger
from .protocol import RATES, SHORTER, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from .ledger import Records

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
    "cross-entropy": "verification",
}


class Row(NamedTuple):
    """What is known of a loss.

    family : what it reads, in the words of `FAMILIES`
    means : of each of `METRICS`, in [0, 1], with its 95 % interval over seeds
    by_seed : MAP@R of each run
    p : of the paired comparison with the best by seed, Holm-corrected over all losses; None of the best itself
    alike : whether it is the best, or cannot be told apart from it: p ≥ 0.05
    learning_rate, margin : what the search found
    steps, seconds : of a run, the seconds a mean
    failed : how many runs ran away; they count with scores of 0
    """

    loss: str
    family: str
    means: dict[str, Mean]
    by_seed: dict[int, float]
    p: float | None
    alike: bool
    learning_rate: float
    margin: float | None
    steps: int
    seconds: float
    failed: int


def rows(records: Records) -> list[Row]:
    """The losses that have a run, the best MAP@R first."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for task, record in records.items():
        if task.what == "run":
            runs.setdefault(task.loss, []).append(record)
    found = sorted((_row(loss, own) for loss, own in runs.items()), key=lambda row: -row.means["map_at_r"].value)
    corrected = holm([_against(found[0], row) for row in found[1:]])
    return found[:1] + [row._replace(p=p, alike=p >= ALPHA) for row, p in zip(found[1:], corrected, strict=True)]


def _row(loss: str, runs: list[dict[str, Any]]) -> Row:
    first = runs[0]
    return Row(
        loss,
        FAMILIES[kind_of(loss)],
        {name: mean([run[name] for run in runs]) for name in METRICS},
        {run["number"]: run["map_at_r"] for run in runs},
        None,
        True,
        first["learning_rate"],
        first["margin"],
        first["steps"],
        mean([run["seconds"] for run in runs]).value,
        sum(run["failed"] is not None for run in runs),
    )


def _against(best: Row, row: Row) -> float:
    """The p-value of their difference in MAP@R on the seeds that both have."""
    common = sorted(best.by_seed.keys() & row.by_seed.keys())
    return paired_p([best.by_seed[seed] for seed in common], [row.by_seed[seed] for seed in common])


def caption(protocol: Protocol, records: Records) -> str:
    """What a reader has to know of the numbers, and which differences are none."""
    many = protocol.seeds
    missing = len([task for task in protocol.tasks() if task not in records])
    so_far = f" So far: {missing} of {len(protocol.tasks())} trials and runs are missing." if missing else ""
    budget = f"{protocol.seconds:g} s" if protocol.steps is None else f"{protocol.steps:,} steps"
    search = f"{_trials(protocol)} each on training alphabets" if protocol.search else "none"
    return (
        "Pen glyphs: every image of the unseen test alphabets is a query among all others. Encoder conv2, "
        f"{budget} a run, {many} seed{'s' * (many > 1)}, search: {search}. Mean and 95 % interval over seeds. "
        "Alike: these runs do not tell it apart from the "
        f"best in MAP@R (paired t-test by seed, Holm-corrected, p\u00a0≥\u00a0{ALPHA:g}).{so_far}"
    )


def table(protocol: Protocol, records: Records) -> str:
    """The comparison in Markdown: how much of it there is, the losses, and how they were compared."""
    tasks, found = protocol.tasks(), rows(records)
    count = {
        what: (sum(task in records for task in tasks if task.what == what), sum(task.what == what for task in tasks))
        for what in ("run", "trial")
    }
    minutes = sum(record["seconds"] for record in records.values()) / 60
    done = ", ".join(f"{have} of {all_} {what}s" for what, (have, all_) in count.items())
    machine = protocol.machine
    where = f"{machine.get('cores')} cores ({machine.get('processor')}), NumPy {machine.get('numpy')}, "
    where += f"Python {machine.get('python')}, minisiam {machine.get('minisiam')}"
    head = ["", "loss", "reads", *METRICS.values(), "p", "learning rate", "margin", "steps", "s a run"]
    lines = ["| " + " | ".join(head) + " |", "|---:|---|---|" + "---:|" * (len(head) - 3)]
    lines += ["| " + " | ".join(_cells(place, row)) + " |" for place, row in enumerate(found, start=1)]
    failed = [f"{row.loss} ({row.failed} of {len(row.by_seed)})" for row in found if row.failed]
    parts = [
        "# Losses on one protocol",
        f"{done}; {minutes:.1f} minutes of training; {where}.",
        "\n".join(lines) if found else "No run is finished yet.",
        caption(protocol, records) + " In %. **Bold**: alike, the best among them; p is of the difference to it.",
        _how(protocol),
    ]
    if failed:
        parts.append(f"Ran away, and count with scores of 0: {', '.join(failed)}.")
    return "\n\n".join(parts) + "\n"


def _cells(place: int, row: Row) -> list[str]:
    loss = f"**{row.loss}**" if row.alike else row.loss
    p = "best" if row.p is None else "< 0.001" if row.p < 0.001 else f"{row.p:.3f}"
    margin = "" if row.margin is None else f"{row.margin:.3g}"
    means = [percent(row.means[name]) for name in METRICS]
    found = [f"{row.learning_rate:.2g}", margin, f"{row.steps:,}", f"{row.seconds:.1f}"]
    return [f"{place}", loss, row.family, *means, p, *found]


def percent(found: Mean) -> str:
    """A mean and its interval in per cent; of one run no interval."""
    return f"{100 * found.value:.1f}" + ("" if found.half != found.half else f" ± {100 * found.half:.1f}")


def _trials(protocol: Protocol) -> str:
    return f"{protocol.search} trial{'s' * (protocol.search > 1)}"


def _how(protocol: Protocol) -> str:
    low, high = RATES
    budget = f"{protocol.seconds:g} s, turned into steps by timing a step of each loss once"
    if protocol.steps is not None:
        budget = f"{protocol.steps:,} steps for every loss"
    search = "No search: the learning rates and margins that `minisiam train` takes."
    if protocol.search:
        search = (
            f"Search: {_trials(protocol)} of 1/{SHORTER} of the steps on 3/4 of the training alphabets, judged "
            "by MAP@R on the others. The first is what `minisiam train` takes; the others draw the learning rate "
            f"log-uniformly from {low:g} to {high:g}, and so the margin of those losses that have one."
        )
    return (
        f"Budget of a run: {budget}. {search} Batches: 64 letters × 4 images (two views: 128 × 2, verification: 64 "
        "pairs). After Musgrave, Belongie, Lim 2020, A Metric Learning Reality Check."
    )


def draw(folder: Path) -> list[Path]:
    """The table, and the figure if there is a run to draw, from what is there; returns their paths."""
    protocol, records = ledger.load(folder)
    paths = [folder / "COMPARISON.md"]
    paths[0].write_text(table(protocol, records), encoding="utf-8")
    found = rows(records)
    if found and find_spec("matplotlib") is not None:
        from ..plots import losses_compared

        paths.append(folder / "comparison.png")
        losses_compared(found, caption(protocol, records)).savefig(paths[1], dpi=130)
    return paths
