"""Runs what a protocol asks for and is not there yet: `compare` can be stopped at any moment and called again."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import datasets, methods, report, retrieval, runs
from ..threads import one_blas_thread
from ..train import fit
from . import ledger
from .protocol import Protocol, Task, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..datasets import Dataset
    from ..methods import Method
    from ..settings import Settings
    from ..sources import Data
    from ..typing import Params

    Say = Callable[[str], Any]

HELD_OUT = 4  # of the training alphabets every fourth judges the trials
ROUNDS = 12  # of timing, a step each: the quickest counts, and the first not at all


def compare(folder: Path, protocol: Protocol, data: Data, say: Say = print) -> bool:
    """Do what is missing of a comparison, one task after the other.

    Parameters
    ----------
    folder
        Where the comparison is, or is to be. No other process may be working in it.
    protocol
        What to run. Where the folder was begun before, `Protocol.extended` says what may change.
    data
        Training alphabets, and test alphabets that nothing but the runs is judged on.
    say
        Where a line of progress goes.

    Returns
    -------
    bool
        Whether all is done; False if it was stopped by Ctrl-C, after which calling again goes on.
    """
    before = ledger.begun(folder)
    if before is not None:
        asked = ("losses", "seeds", "search", "seconds", "steps")
        protocol = before.extended(**{name: getattr(protocol, name) for name in asked})
    ledger.agree(folder, protocol)
    records = ledger.mended(folder)
    try:
        ready = _ready(data)
        protocol = _timed(folder, protocol, ready["run"][0], say)
        _work(folder, protocol, records, ready, say)
    except KeyboardInterrupt:
        left = [task for task in protocol.tasks() if task not in records]
        say(f"\nstopped by hand, {len(left)} to go: what is finished is kept, and the same command goes on from here")
        return False
    return True


def _ready(data: Data) -> dict[str, tuple[Dataset, Dataset]]:
    """What trains and what judges, for each kind of task, as the encoder wants it."""
    method = methods.build(settings_of("supcon"))
    learnt, judged = method.prepared(data.train), method.prepared(data.test)
    return {"trial": datasets.split(learnt, every=HELD_OUT), "run": (learnt, judged)}


def _work(folder: Path, protocol: Protocol, records: ledger.Records, ready: dict[str, Any], say: Say) -> None:
    """All tasks that have no record yet."""
    tasks = protocol.tasks()
    missing = [task for task in tasks if task not in records]
    say(f"{len(tasks) - len(missing)} of {len(tasks)} are done" + ("" if missing else ": there is nothing to do"))
    cost = {task: protocol.steps_of(task) * protocol.pace[task.loss] for task in missing}
    began, timed, trained = time.perf_counter(), 0.0, 0.0
    for number, task in enumerate(missing, start=1):
        records[task] = perform(task, protocol.settings(task, records), *ready[task.what])
        ledger.append(folder, records[task])
        timed, trained = timed + cost.pop(task), trained + records[task]["seconds"]
        judging = (time.perf_counter() - began - trained) / number
        left = trained / timed * sum(cost.values()) + judging * len(cost)
        say(f"{len(tasks) - len(cost):5}/{len(tasks)}  {_line(records[task])}   {_span(left)} left")


def _line(record: dict[str, Any]) -> str:
    which = f"{record['what']} {record['number']}"
    told = f"MAP@R {100 * record['map_at_r']:5.1f} %   {record['steps']:,} steps in {record['seconds']:.1f} s"
    return f"{record['loss']:20}{which:9}{record.get('failed') or told}"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def perform(task: Task, settings: Settings, learnt: Dataset, judged: Dataset) -> dict[str, Any]:
    """Train, judge, and say how it went. Training that runs away scores 0: that is an answer, too."""
    settings = replace(settings, classes=len(np.unique(learnt.labels)))
    method = methods.build(settings)
    began = time.perf_counter()
    found: dict[str, Any] = {"failed": None, **dict.fromkeys(retrieval.Scores._fields, 0.0), "one_shot_error": 1.0}
    with one_blas_thread:  # the encoder shares out its work, as in `runs`
        try:
            *_, params = deque(_steps(settings, method, learnt), maxlen=1).pop()
            seconds = time.perf_counter() - began
            found |= judge(method, params, judged)
        except FloatingPointError as error:
            seconds = time.perf_counter() - began
            found["failed"] = str(error)
    chosen = {"learning_rate": settings.learning_rate, "margin": settings.margin, "steps": settings.steps}
    return task._asdict() | chosen | {"seconds": round(seconds, 3)} | found


def _steps(settings: Settings, method: Method, learnt: Dataset) -> Iterator[tuple[int, float, Params]]:
    """The steps of `minisiam train` with these settings."""
    params, rng = runs.beginning(settings, method)
    batches = islice(method.batches(learnt, rng), settings.steps)
    return fit(method.network, params, method.optimizer, batches)


def judge(method: Method, params: Params, judged: Dataset) -> dict[str, float]:
    """P@1, R-precision, MAP@R of every image among all, and the error of 400 one-shot episodes."""
    z, distance = method.embed(params, judged.images), method.matrix(params)
    if not np.isfinite(z).all():
        raise FloatingPointError("the embedding is not finite after the last step")
    found = retrieval.scores(z, judged.labels, distance)._asdict()
    return found | {"one_shot_error": 1 - report.few_shot(z, judged, report.EPISODES, distance).accuracy}


def _timed(folder: Path, protocol: Protocol, learnt: Dataset, say: Say) -> Protocol:
    """With the pace of each loss, of those that have none yet: in rounds, so that a busy moment hits all alike."""
    new = [loss for loss in protocol.losses if loss not in protocol.pace]
    if not new:
        return protocol
    say(f"timing a step of {len(new)} losses")
    classes = len(np.unique(learnt.labels))
    training = {}
    for loss in new:
        settings = settings_of(loss, classes=classes, steps=1 + ROUNDS)
        training[loss] = _steps(settings, methods.build(settings), learnt)
    with one_blas_thread:
        for steps in training.values():
            next(steps)
        times = [{loss: _seconds(steps) for loss, steps in training.items()} for _ in range(ROUNDS)]
    pace = {loss: min(one[loss] for one in times) for loss in new}
    protocol = replace(protocol, pace=protocol.pace | pace, machine=protocol.machine or runs.machine())
    ledger.agree(folder, protocol)
    return protocol


def _seconds(steps: Iterator[Any]) -> float:
    """What the next step takes."""
    began = time.perf_counter()
    next(steps)
    return time.perf_counter() - began
