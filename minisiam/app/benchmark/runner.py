"""Run the missing tasks of a protocol: `compare` can be interrupted at any moment and called again."""

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
from .. import build, report
from ..data_spec import rank_in_class
from ..input_pipeline import require_images
from ..run import first_params, machine, stream
from . import run_records, search
from .protocol import Protocol, Records, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ...datasets import Dataset
    from ...typing import Params
    from ..build import Method
    from ..config import Config
    from ..data_spec import Data

    Log = Callable[[str], Any]

EVALUATED = 10  # images of each class, at most, on which a trial or run is evaluated


def compare(folder: Path, protocol: Protocol, data: Data, log: Log = print) -> bool:
    """Run the missing tasks of a comparison, one after the other.

    Parameters
    ----------
    folder
        The folder of the comparison. No other process may be working in it.
    protocol
        What to run. If the folder has a comparison already, only what `Protocol.extended` allows may differ.
    data
        The training set; the validation set, to evaluate the trials; and the test set, to evaluate the runs.
    log
        A function that shows a line of progress.

    Returns
    -------
    bool
        Whether all tasks are done; False after Ctrl-C, and calling again continues.
    """
    before = run_records.started(folder)
    if before is not None:
        names = ("methods", "data", "seeds", "search", "steps")
        protocol = before.extended(**{name: getattr(protocol, name) for name in names})
    used = _first_of_each_class(data)
    protocol = replace(protocol, machine=protocol.machine or machine(), sizes=_sizes(used))
    for method in protocol.methods:
        require_images(search.config_of(method, {}, data=protocol.data), used.train)
    run_records.save_protocol(folder, protocol)
    records = run_records.repaired(folder)
    try:
        _work(folder, protocol, records, _prepared(used), log)
    except KeyboardInterrupt:
        left = [task for task in protocol.tasks() if task not in records]
        log(f"\ninterrupted with {len(left)} tasks left: the same command continues")
        return False
    return True


def _first_of_each_class(data: Data) -> Data:
    """The data, with at most `EVALUATED` images of each class for validation and test."""
    parts = (part.where(rank_in_class(part.labels) < EVALUATED) for part in data[1:])
    return data._replace(**dict(zip(("validation", "test"), parts, strict=True)))


def _sizes(data: Data) -> dict[str, list[int]]:
    return {name: [len(part.images), len(np.unique(part.labels))] for name, part in data._asdict().items()}


def _prepared(data: Data) -> dict[str, tuple[Dataset, Dataset]]:
    """The training and the evaluation set of each kind of task, as the encoder reads them."""
    method = build.build(search.config_of("supcon", {}))
    train, validation, test = (method.prepared(part) for part in data)
    return {"trial": (train, validation), "run": (train, test)}


def _work(folder: Path, protocol: Protocol, records: Records, prepared: dict[str, Any], log: Log) -> None:
    """All tasks that have no record yet."""
    tasks = protocol.tasks()
    missing = [task for task in tasks if task not in records]
    log(f"{len(tasks) - len(missing)} of {len(tasks)} tasks are done" + ("" if missing else ": nothing to do"))
    began = time.perf_counter()
    for number, task in enumerate(missing, start=1):
        constants = protocol.constants(task, records)
        records[task] = perform(task, constants, protocol, *prepared[task.what])
        run_records.append(folder, records[task])
        left = (time.perf_counter() - began) / number * (len(missing) - number)
        log(f"{len(tasks) - len(missing) + number:5}/{len(tasks)}  {_line(records[task])}   {_span(left)} left")


def _line(record: dict[str, Any]) -> str:
    which = f"{record['what']} {record['number']}"
    result = f"MAP@R {100 * record['map_at_r']:5.1f} %   {record['steps']:,} steps in {record['seconds']:.1f} s"
    return f"{record['method']:34}{which:9}{record.get('failed') or result}"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def perform(task: Task, constants: dict[str, Any], protocol: Protocol, train: Dataset, test: Dataset) -> dict[str, Any]:
    """Train, evaluate, and return the record. Training that diverges has scores of 0."""
    classes = len(np.unique(train.labels))
    more = {"data": protocol.data, "steps": protocol.steps, "seed": protocol.seed_of(task), "classes": classes}
    config = search.config_of(task.method, constants, **more)
    method = build.build(config, search.function_of(task.method, constants))
    images: list[int] = []
    found: dict[str, Any] = {"failed": None, **dict.fromkeys(retrieval.Scores._fields, 0.0), "one_shot_error": 1.0}
    began = time.perf_counter()
    with one_blas_thread:  # the encoder divides its work among threads, as in `trainer`
        try:
            *_, params = deque(_steps(config, method, train, images), maxlen=1).pop()
            seconds = time.perf_counter() - began
            found |= evaluate(method, params, test)
        except FloatingPointError as error:
            seconds = time.perf_counter() - began
            found["failed"] = str(error)
    own = {"constants": constants, "learning_rate": config.learning_rate, "steps": config.steps, "images": sum(images)}
    return task._asdict() | own | {"seconds": round(seconds, 3)} | found


def _steps(config: Config, method: Method, train: Dataset, images: list[int]) -> Iterator[tuple[int, float, Params]]:
    """The steps of `minisiam train` with these settings; the number of images of each is appended to `images`."""
    params, rng = first_params(config, method), stream(config.seed, "batches")

    def counted() -> Iterator[tuple[Any, ...]]:
        for batch in islice(method.batches(train, rng), config.steps):
            images.append(sum(len(part) for part in batch if part.ndim == train.images.ndim))
            yield batch

    return fit(method.network, params, method.optimizer, counted())


def evaluate(method: Method, params: Params, test: Dataset) -> dict[str, float]:
    """P@1, R-precision and MAP@R of every image among all, and the error in 400 one-shot episodes."""
    z, distance = method.embed(params, test.images), method.matrix(params)
    if not np.isfinite(z).all():
        raise FloatingPointError("the embedding is not finite after the last step")
    found = retrieval.scores(z, test.labels, distance)._asdict()
    return found | {"one_shot_error": 1 - report.few_shot(z, test, report.EPISODES, distance).accuracy}
