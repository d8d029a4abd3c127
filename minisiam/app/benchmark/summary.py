"""The page and the figure of a comparison."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...analysis import _markdown
from .. import outputs
from . import advice, protocol_text, run_records
from .protocol_text import data_title, trials_of
from .results import METRICS, rows
from .wording import ALPHA, as_ranges, in_words, percent

if TYPE_CHECKING:
    from pathlib import Path

    from .protocol import Protocol, Records
    from .results import Row


def caption(protocol: Protocol, records: Records) -> str:
    """What was measured, on what."""
    many, title = protocol.seeds, data_title(protocol)
    missing = len([task for task in protocol.tasks() if task not in records])
    so_far = f" So far: {missing} of {len(protocol.tasks())} trials and runs are missing." if missing else ""
    reference = protocol.reference(records)
    tested = (
        f" The reference, {reference}, has the best trial on the validation set. Not distinguishable from it in MAP@R: "
        f"p ≥ {ALPHA:g} in a paired t-test by seed, Holm-corrected."
    )
    return (
        f"{title[0].upper()}{title[1:]}: each {_query(protocol)} is a query among all others. "
        f"Encoder conv2, {protocol.steps:,} steps a run, {many} seed{'s' * (many > 1)}, {trials_of(protocol)} of each "
        f"method. Mean and 95 % interval over seeds."
        f"{tested if reference else ''}{so_far}"
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
    right = [0, *range(3, head.index("alike"))]
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
