"""Runs what a protocol asks for and is not there yet: `compare` can be stopped at any moment and called again."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ...evaluate import retrieval
from ...fast.threads import one_blas_thread
from ...train import fit
from .. import build, report, trainer
from . import run_records, search
from .protocol import Protocol, Records, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ...datasets import Dataset
    from ...typing import Params
    from ..build import Method
    from ..config import Settings
    from ..data_spec import Data

    Say = Callable[[str], Any]


def compare(folder: Path, protocol: Protocol, data: Data, say: Say = print) -> bool:
    """Do what is missing of a comparison, one task after the other.

    Parameters
    ----------
    folder
        Where the comparison is, or is to be. No other process may be working in it.
    protocol
        What to run. Where the folder was begun before, `Protocol.extended` says what may change.
    data
        Training alphabets; validation alphabets, which judge the trials; and test alphabets, which judge the runs.
    say
        Where a line of progress goes.

    Returns
    -------
    bool
        Whether all is done; False if it was stopped by Ctrl-C, after which calling again continues it.
    """
    before = run_records.begun(folder)
    if before is not None:
        asked = ("losses", "seeds", "search", "steps")
        protocol = before.extended(**{name: getattr(protocol, name) for name in asked})
    protocol = replace(protocol, machine=protocol.machine or trainer.machine())
    run_records.agree(folder, protocol)
    records = run_records.mended(folder)
    try:
        _work(folder, protocol, records, _ready(data), say)
    except KeyboardInterrupt:
        left = [task for task in protocol.tasks() if task not in records]
        say(f"\nstopped by hand, {len(left)} to go: finished tasks are kept, and the same command does the others")
        return False
    return True


def _ready(data: Data) -> dict[str, tuple[Dataset, Dataset]]:
    """What each kind of task trains on and is judged on, as the encoder reads it."""
    method = build.build(search.settings_of("supcon", {}))
    train, validation, test = (method.prepared(part) for part in data)
    return {"trial": (train, validation), "run": (train, test)}


def _work(folder: Path, protocol: Protocol, records: Records, ready: dict[str, Any], say: Say) -> None:
    """All tasks that have no record yet."""
    tasks = protocol.tasks()
    missing = [task for task in tasks if task not in records]
    say(f"{len(tasks) - len(missing)} of {len(tasks)} are done" + ("" if missing else ": there is nothing to do"))
    began = time.perf_counter()
    for number, task in enumerate(missing, start=1):
        constants = protocol.constants(task, records)
        records[task] = perform(task, constants, protocol.steps, protocol.seed_of(task), *ready[task.what])
        run_records.append(folder, records[task])
        left = (time.perf_counter() - began) / number * (len(missing) - number)
        say(f"{len(tasks) - len(missing) + number:5}/{len(tasks)}  {_line(records[task])}   {_span(left)} left")


def _line(record: dict[str, Any]) -> str:
    which = f"{record['what']} {record['number']}"
    result = f"MAP@R {100 * record['map_at_r']:5.1f} %   {record['steps']:,} steps in {record['seconds']:.1f} s"
    return f"{record['loss']:20}{which:9}{record.get('failed') or result}"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def perform(
    task: Task, constants: dict[str, Any], steps: int, seed: int, train: Dataset, judged: Dataset
) -> dict[str, Any]:
    """Train, judge, and record the result. Training that diverges scores 0: that is a result, too."""
    classes = len(np.unique(train.labels))
    settings = search.settings_of(task.loss, constants, steps=steps, seed=seed, classes=classes)
    method = build.build(settings, search.function_of(task.loss, constants))
    seen: list[int] = []
    found: dict[str, Any] = {"failed": None, **dict.fromkeys(retrieval.Scores._fields, 0.0), "one_shot_error": 1.0}
    began = time.perf_counter()
    with one_blas_thread:  # the encoder divides its work among threads, as in `runs`
        try:
            *_, params = deque(_steps(settings, method, train, seen), maxlen=1).pop()
            seconds = time.perf_counter() - began
            found |= judge(method, params, judged)
        except FloatingPointError as error:
            seconds = time.perf_counter() - began
            found["failed"] = str(error)
    own = {"constants": constants, "learning_rate": settings.learning_rate, "steps": steps, "images": sum(seen)}
    return task._asdict() | own | {"seconds": round(seconds, 3)} | found


def _steps(settings: Settings, method: Method, train: Dataset, seen: list[int]) -> Iterator[tuple[int, float, Params]]:
    """The steps of `minisiam train` with these settings; `seen` gets the number of images of each."""
    params, rng = trainer.beginning(settings, method)

    def counted() -> Iterator[tuple[Any, ...]]:
        for batch in islice(method.batches(train, rng), settings.steps):
            seen.append(sum(len(part) for part in batch if part.ndim == train.images.ndim))
            yield batch

    return fit(method.network, params, method.optimizer, counted())


def judge(method: Method, params: Params, judged: Dataset) -> dict[str, float]:
    """P@1, R-precision and MAP@R of every image among all, and the error in 400 one-shot episodes."""
    z, distance = method.embed(params, judged.images), method.matrix(params)
    if not np.isfinite(z).all():
        raise FloatingPointError("the embedding is not finite after the last step")
    found = retrieval.scores(z, judged.labels, distance)._asdict()
    return found | {"one_shot_error": 1 - report.few_shot(z, judged, report.EPISODES, distance).accuracy}
