"""`minisiam evaluate`: evaluate a run again, on the same or on other data."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import datasets, require
from .. import data_spec, official, outputs, papers, report
from ..run import Run, fingerprint, load_data, open_run, read_checkpoint, write_report
from ._options import DATA, Formatter, log, log_notes

if TYPE_CHECKING:
    import argparse

    from ..data_spec import Data

HELP = "evaluate a run again, on the same or on other data"
ABOUT = """\
Evaluate a run: 20-way one-shot accuracy on held-out alphabets, beside pixels and the untrained network.

    minisiam evaluate runs/batch-cosine-supcon                        its own test set
    minisiam evaluate runs/batch-cosine-supcon --data pen-glyphs:7    the same letters, drawn with another seed
    minisiam evaluate runs/batch-cosine-supcon --way 5 --shot 5       an easier task
    minisiam evaluate runs/mine --csv classes.csv                     of your pictures, the accuracy of each class
    minisiam evaluate runs/omniglot-minimal-0 --data omniglot-runs:all_runs.zip     Omniglot's 400 official questions
    minisiam evaluate runs/omniglot-minimal-0 --data omniglot-runs:all_runs.zip --against runs/omniglot-30-0
    minisiam evaluate runs/omniglot-minimal-0 --holdout omniglot:images_evaluation.zip
    minisiam evaluate runs/omniglot-minimal-0 --save                  replace its report.json

The intervals are over episodes, or over the runs of the official questions: they hold for these alphabets and not for
others. Two networks on the same questions are compared by McNemar's exact test, which uses the questions that only one
of them answers correctly; it may find a difference although the intervals overlap.
"""
QUESTIONS = "omniglot-runs:"


def add(subparsers: Any) -> None:
    """The options of `minisiam evaluate`."""
    parser = subparsers.add_parser("evaluate", description=ABOUT, formatter_class=Formatter)
    parser.add_argument("run", type=Path, metavar="RUN", help="a folder made by `minisiam train`")
    parser.add_argument("--data", help=f"{DATA}, or omniglot-runs:PATH (default: the run's)")
    parser.add_argument("--holdout", metavar="WHAT", help="the test set, as in train (default: the run's)")
    parser.add_argument(
        "--way",
        type=int,
        metavar="N",
        help=f"classes per episode (default: {report.WAY}, or those of the largest alphabet, if fewer)",
    )
    parser.add_argument(
        "--shot", type=int, default=report.SHOT, metavar="M", help="support images per class (default: %(default)s)"
    )
    parser.add_argument(
        "--against",
        type=Path,
        nargs="+",
        default=[],
        metavar="RUN",
        help="with omniglot-runs: compare with other runs on the same questions, by McNemar's exact test",
    )
    parser.add_argument("--save", action="store_true", help="replace RUN/report.json, for `minisiam papers report`")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the accuracy of each class, by its name")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(command=evaluate)


def evaluate(arguments: argparse.Namespace) -> int:
    """`minisiam evaluate`."""
    run = open_run(arguments.run)
    name = arguments.data or run.config.data
    if name.startswith(QUESTIONS):
        return _official(run, name.removeprefix(QUESTIONS), arguments)
    if arguments.against:
        raise ValueError(f"--against compares runs on the official questions: add --data {QUESTIONS}PATH")
    if arguments.way is not None:
        require.whole("way", arguments.way, 2)
    if arguments.save:
        _check_save(run, arguments)
    if arguments.csv is not None:
        outputs.require_free(arguments.csv, "--csv")
    data, has_metrics = test_data(run, name, arguments.holdout)
    if not arguments.json:
        log_notes(data)
        if (name, arguments.holdout) == (run.config.data, None):
            _warn_if_changed(run, data)
    data_spec.require_pairs(data)
    check_episodes(data, arguments.way, arguments.shot)
    measure = papers.evaluate if has_metrics else report.evaluate
    results = measure(run, data, arguments.way, arguments.shot) | {"data": name}
    if arguments.save:
        run = write_report(run, results)
    if arguments.csv is not None:
        _write_csv(arguments.csv, results["one_shot"]["by_class"])
    shown = results | {"config": run.config.as_dict()} | run.training
    log(json.dumps(_for_programs(shown), indent=2, allow_nan=False) if arguments.json else report.table(shown))
    return 0


def _for_programs(results: dict[str, Any]) -> dict[str, Any]:
    """The report with identifiers as keys: what has the names of classes, alphabets or targets as keys is a list."""
    verified = results["verification"]
    found = results | {
        "one_shot": results["one_shot"] | {"by_class": outputs.records("class", results["one_shot"]["by_class"])},
        "verification": verified
        | {
            "thresholds": outputs.records("target", verified["thresholds"]),
            "missing": outputs.records("target", verified["missing"], "reason"),
        },
    }
    if "metrics" in results:
        found["metrics"] = {
            name: outputs.records("alphabet", value) if isinstance(value, dict) else value
            for name, value in results["metrics"].items()
        }
    return found


def check_episodes(data: Data, way: int | None, shot: int) -> None:
    """Raise ValueError if the test set has too few classes for `--way`, or too few images for `--shot`."""
    require.whole("shot", shot, 1)
    largest = report.largest_way(data.test, shot)
    if largest < 2:
        most = int(np.sort(np.unique(data.test.labels, return_counts=True)[1])[-2:].min())
        raise ValueError(
            f"--shot {shot} and a query need {shot + 1} images of each of two classes, and there are {most}: "
            + (f"use --shot {most - 1}" if most > 1 else "add images")
        )
    if way is not None and way > largest:
        raise ValueError(
            f"--way {way} is more than the {largest} classes that the test set can show in one episode: "
            f"use --way {largest}"
        )


def _warn_if_changed(run: Run, data: Data) -> None:
    """Tell the user that the files are not those of the training: another split may test on training classes."""
    progress = read_checkpoint(run.folder)[1]
    if progress is not None and progress["data"] != fingerprint(data.train):
        log(
            f"  the training images are not those that {run.folder} was trained on: if classes were added, removed or "
            "renamed, the test set has classes of the training"
        )


def _write_csv(path: Path, classes: dict[str, Any]) -> None:
    """A row for each class."""
    if not classes:
        raise ValueError(f"--csv {path} has a row for each class, and these classes have no names: leave it out")
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["class", "accuracy", "most often taken for"])
    rows.writerows([_cell(name), f"{one['accuracy']:.4f}", _cell(one["taken_for"])] for name, one in classes.items())
    outputs.write(path, text.getvalue().encode())


def _cell(name: str | None) -> str | None:
    """The name of a class, which a spreadsheet does not take for a formula."""
    return f"'{name}" if name and name[0] in "=+-@" else name


def _check_save(run: Run, arguments: argparse.Namespace) -> None:
    """Only the default evaluation of a run whose training has ended may replace its report."""
    if not run.report:
        raise ValueError(
            f"{run.folder} has no report.json: its training has not ended, use `minisiam train --resume {run.folder}`"
        )
    default = {"data": None, "holdout": None, "way": None, "shot": report.SHOT}
    for option, value in default.items():
        if getattr(arguments, option) != value:
            raise ValueError(
                f"--save replaces {run.folder}/report.json by the default evaluation: leave --{option} out"
            )


def test_data(run: Run, name: str, holdout: str | None) -> tuple[Data, bool]:
    """The data to evaluate a run on, and whether the metrics of its experiment apply to them.

    Raises ValueError if the test set has classes that the run was trained on.
    """
    own = run.config
    holdout = holdout or (own.holdout if name == own.data or own.holdout in ("third", "fifth", "images") else "third")
    data = load_data(own, name, holdout)
    if (name, holdout) == (own.data, own.holdout):
        return data, True
    same_kind = name.partition(":")[0] == own.data.partition(":")[0]
    if same_kind and own.holdout != "images":
        train = load_data(own).train
        data_spec.refuse_training_classes(train, data.test, f"--data {name} --holdout {holdout}")
    return data, same_kind and ":" in holdout


def _official(run: Run, path: str, arguments: argparse.Namespace) -> int:
    """`minisiam evaluate RUN --data omniglot-runs:PATH`, whose questions are fixed."""
    shot = None if arguments.shot == report.SHOT else arguments.shot
    for option, value in (("holdout", arguments.holdout), ("way", arguments.way), ("shot", shot)):
        if value is not None:
            raise ValueError(f"{QUESTIONS}{path} has fixed questions, 20-way one-shot: leave --{option} out")
    if run.config.channels != 1:
        raise ValueError(
            f"{QUESTIONS}{path} has grey images, and {run.folder} reads colours: name a run on grey images"
        )
    questions = datasets.omniglot_runs(path, run.method.pixels)
    results = official.evaluate(run, questions, [_comparable(run, other) for other in arguments.against])
    if not arguments.json:
        log(official.table(results))
        return 0
    numbers = {
        name: score._asdict() | {"error": 1 - score.accuracy, "mcnemar": questions._asdict(), "p_by_runs": p_by_runs}
        for name, (score, questions, p_by_runs) in results.items()
    }
    own = {name: value for name, value in numbers.items() if name in report.LABELS}
    others = {name: value for name, value in numbers.items() if name not in own}
    log(json.dumps(own | {"against": outputs.records("run", others)}, indent=2, allow_nan=False))
    return 0


def _comparable(run: Run, folder: Path) -> Run:
    """Another run that reads images of the same size."""
    other = open_run(folder)
    if (other.config.pixels, other.config.channels) != (run.config.pixels, run.config.channels):
        raise ValueError(
            f"--against {folder} reads images of {other.config.pixels} pixels, and {run.folder} of "
            f"{run.config.pixels}, or others in colour: name a run with the same image size and --channels"
        )
    return other
