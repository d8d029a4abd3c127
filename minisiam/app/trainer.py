"""A run from beginning to end, in one folder: `train` makes it, `resume` goes on with it, `open_run` opens it again.

RUN/model.npz     all that training needs to go on RUN/report.json   what it can do on unseen alphabets
RUN/log.jsonl     one record every few seconds     RUN/figures/      what it learnt, as pictures

A run that is killed and resumed has the same bits as one that never stopped, on the same machine with the same numpy.
What makes it so: parameters and optimizer state are saved as they are; the miner's generator, if it draws, with its
state; and the sampler not at all, since its batches follow from the seed: those of the steps made are drawn again
without their images, after which the sampler's generator has to be in the state that was saved (`methods.Batches`). A
record is written to the log before its checkpoint, and what the log has beyond the checkpoint is dropped.
"""

from __future__ import annotations

import json
import os
import platform
import time
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import checkpoint, evaluate, miners, samplers, tree
from .._version import VERSION
from ..analysis import diagnosis, forces
from ..datasets import Dataset
from ..fast.convert import algorithms
from ..fast.microbatch import microbatch
from ..fast.threads import one_blas_thread
from ..train import fit_from
from . import build, papers, report
from .build import Method
from .config import Settings
from .data_spec import Data

if TYPE_CHECKING:
    from ..typing import Array, Params

    Say = Callable[[str], None]

PROBED = 64  # images of the probe that are X-rayed
MORE = "--resume with more --minutes goes on"
OF_TRAINING = ("train_seconds", "steps", "busy", "machine", "trouble")  # in report.json, and not measured again
PROGRESS = {"step": int, "seconds": float, "chance": dict, "losses": list, "data": int}  # as JSON has them
SECONDS_BETWEEN_RECORDS = 2.0  # or ten times as long as a record takes, where the encoder is slow


class Run(NamedTuple):
    """A finished run, opened."""

    folder: Path
    settings: Settings
    method: Method
    params: Params
    untrained: Params
    report: dict[str, Any]
    log: list[dict[str, Any]]


def open_run(folder: Path) -> Run:
    """Everything in the folder; a message that says what is missing if it is no run."""
    settings, progress = _saved(folder)
    method = build.build(settings)
    untrained = _first_params(settings, method)
    params = checkpoint.load(folder / "model.npz", untrained)
    finished = folder / "report.json"
    records, _ = _records(folder / "log.jsonl", progress["step"] if progress else None)
    return Run(
        folder,
        settings,
        method,
        params,
        untrained,
        json.loads(finished.read_text()) if finished.is_file() else {},
        records,
    )


def _saved(folder: Path) -> tuple[Settings, dict[str, Any] | None]:
    """The settings and the progress of a run."""
    path = folder / "model.npz"
    if not path.is_file():
        what = "holds no model.npz" if folder.is_dir() else "is a file" if folder.exists() else "does not exist"
        raise ValueError(f"{folder} is not a run: it {what}. A run is a folder that `minisiam train` made")
    header = checkpoint.header(path)
    progress = header["progress"]
    if progress is not None and {name: type(value) for name, value in progress.items()} != PROGRESS:
        raise checkpoint.CheckpointError(f"{path} tells no progress of a run: put back a copy, or train again")
    try:
        return Settings.of(header["settings"]), progress
    except (ValueError, TypeError) as error:
        what = f"{path} has settings that this version cannot have"
        raise checkpoint.CheckpointError(f"{what}: use the version that wrote it, or train again ({error})") from error


def _records(path: Path, step: int | None) -> tuple[list[dict[str, Any]], int]:
    """The records of a log up to a step, and how many bytes they are; a line that was begun is none."""
    found: list[dict[str, Any]] = []
    size = 0
    for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else []:
        try:
            record = json.loads(line)
        except ValueError:
            break
        if not line.endswith(b"\n") or (step is not None and record["step"] > step):
            break
        found.append(record)
        size += len(line)
    return found, size


def train(settings: Settings, data: Data, folder: Path, say: Say) -> Run:
    """Train, save and report.

    Parameters
    ----------
    settings
        What to train. It stops after `steps` or after `minutes`, whichever comes first.
    data
        As `load` gives it, in the pixels that the encoder reads.
    folder
        Where the run goes: a folder that does not exist yet, or is empty.
    say
        Where a line of progress goes, for instance `print`.
    """
    new_folder(folder)
    settings = replace(settings, classes=len(np.unique(data.train.labels)))
    method = build.build(settings)
    params = _first_params(settings, method)
    start = TrainState(0, 0.0, params, method.optimizer.init(params), {}, (0.0, 0))
    return _train(settings, method, data, start, folder, say)


def resume(folder: Path, data: Data, say: Say, minutes: float | None = None) -> Run:
    """Go on with a run where its last checkpoint was written; one that is finished is opened and left as it is.

    Parameters
    ----------
    folder
        The run. No other process may be training it.
    data
        The same as it began with, which is checked.
    say
        Where a line of progress goes, for instance `print`.
    minutes
        Another limit of time, over all parts of the run together. It is the one setting that may change, since nothing
        else depends on it; the learning rates follow from `steps`.
    """
    settings = agreed(folder, {} if minutes is None else {"minutes": minutes})
    checkpoint.sweep(folder / "model.npz")
    if is_finished(folder, settings):
        say(f"{folder} is finished: there is nothing to resume")
        return open_run(folder)
    method = build.build(settings)
    start = _train_state(folder, settings, method, data)
    say(f"  goes on after {start.step:,} steps and {start.seconds:.1f} s")
    then = checkpoint.header(folder / "model.npz")["numpy"]
    if then != np.__version__:
        say(f"  (begun with numpy {then}, and this is {np.__version__}: the last digits may differ)")
    log = folder / "log.jsonl"
    if log.is_file():
        os.truncate(log, _records(log, start.step)[1])
    (folder / "report.json").unlink(missing_ok=True)  # it tells of less than what comes now
    return _train(settings, method, data, start, folder, say)


def agreed(folder: Path, asked: dict[str, Any]) -> Settings:
    """The settings of a run, with the minutes that are asked for; an error if others are asked for than it has."""
    settings, _ = _saved(folder)
    other = {name: value for name, value in asked.items() if name != "minutes" and getattr(settings, name) != value}
    if other:
        told = ", ".join(f"--{name.replace('_', '-')} {value}" for name, value in other.items())
        has = ", ".join(str(getattr(settings, name)) or "none" for name in other)
        raise ValueError(
            f"{folder} cannot go on with {told}, since it was begun with {has}: leave that out, or train a new run; "
            "--minutes alone may change"
        )
    return replace(settings, minutes=asked.get("minutes", settings.minutes))


def is_finished(folder: Path, settings: Settings) -> bool:
    """Whether all steps were made, or all minutes used, and the examination as well."""
    _, progress = _saved(folder)
    if progress is None or not (folder / "report.json").is_file():
        return False
    return _over(settings, progress["step"], progress["seconds"])


class TrainState(NamedTuple):
    """Where training is: everything that the next step depends on, made anew at every step.

    chance : the states of the generators, "batches" and, if it draws, "miner"
    losses : the sum of the losses since the last record, and their number
    """

    step: int
    seconds: float
    params: Params
    optimizer: Any
    chance: dict[str, Any]
    losses: tuple[float, int]


def _train_state(folder: Path, settings: Settings, method: Method, data: Data) -> TrainState:
    """What the checkpoint of a run says."""
    path = folder / "model.npz"
    first = _first_params(settings, method)
    params, state, progress = checkpoint.resume(path, first, method.optimizer.init(first))
    if progress["data"] != _fingerprint(data.train):
        raise ValueError(f"{folder} was trained on other data: resume it with the same")
    total, many = progress["losses"]
    return TrainState(progress["step"], progress["seconds"], params, state, progress["chance"], (total, many))


def _fingerprint(data: Dataset) -> int:
    """A number that other images, labels or groups would hardly have."""
    number = 0
    for array in (data.images, data.labels, data.groups, data.drawers):
        number = zlib.crc32(np.ascontiguousarray(array).data.cast("B"), number)
    return zlib.crc32("\n".join(data.names).encode(), number)


def _over(settings: Settings, step: int, seconds: float) -> bool:
    return step >= settings.steps or seconds > 60 * settings.minutes


def _train(settings: Settings, method: Method, data: Data, start: TrainState, folder: Path, say: Say) -> Run:
    """Train from a standing, save and report."""
    for name, part in data._asdict().items():
        say(f"  {name:11}{part}")
    say(f"  {tree.size(start.params):,} parameters; at most {settings.steps:,} steps or {settings.minutes:g} min")
    say(f"  {how_it_runs(method, start.params)}\n")
    end, busy = start, 0.0
    if not _over(settings, start.step, start.seconds):
        ready = Data(*(method.prepared(part) for part in data))
        loop = Trainer(settings, method, ready, _fingerprint(data.train), folder, say)
        end, busy = loop.run(start), loop.busy
    say(f"\ntrained {end.step:,} steps in {end.seconds:.1f} s; now the examination on {report.NEW[data.new][0]} ...")
    run = open_run(folder)
    results = papers.examine(run, data)
    results |= {"train_seconds": round(end.seconds, 2), "steps": end.step, "settings": settings.as_dict()}
    results |= {"busy": round(busy, 2), "machine": machine()}
    if run.log and "trouble" in run.log[-1]:
        results["trouble"] = run.log[-1]["trouble"]
    report.write(folder / "report.json", results)
    return run._replace(report=results)


def machine() -> dict[str, Any]:
    """Where and with what a run was made: cores, and versions."""
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "minisiam": VERSION,
    }


def how_it_runs(method: Method, params: Params) -> str:
    """A line that says which operations the convolutions are, and on how many threads."""
    convolutions = algorithms(method.encoder, params["encoder"]) or ["no convolution"]
    threads = method.encoder.options.get("threads", 0)
    return ", ".join(convolutions) + (f"; {threads} thread{'s' * (threads > 1)}" if threads else "")


def free_folder(folder: Path) -> None:
    """Whether a run may go there: one that holds something is left alone."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and is not empty: choose another --out, or remove it first")


def new_folder(folder: Path) -> None:
    """Make the folder of a run."""
    free_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)


def beginning(settings: Settings, method: Method) -> tuple[Params, np.random.Generator]:
    """The parameters that a run with these settings starts from, and the generator of its batches."""
    return _first_params(settings, method), _stream(settings.seed, "batches")


def _first_params(settings: Settings, method: Method) -> Params:
    return method.network.init(_stream(settings.seed, "parameters"), (method.side, method.side, 1))


def _stream(seed: int, purpose: str) -> np.random.Generator:
    """A generator of its own for each purpose, so that more of one does not change another."""
    return np.random.default_rng([seed, *purpose.encode()])


class Trainer:
    """`train.fit_from` with an eye on the clock: a record every few seconds, and the checkpoint saved beside it."""

    def __init__(
        self, settings: Settings, method: Method, data: Data, fingerprint: int, folder: Path, say: Say
    ) -> None:
        self.settings, self.method, self.data, self.say = settings, method, data.train, say
        self.fingerprint, self.folder = fingerprint, folder
        self.monitor = Monitor(settings, method, data)
        self.pause = SECONDS_BETWEEN_RECORDS
        self.busy = 0.0  # how many cores were at work, on the average
        self.told: set[str] = set()

    def run(self, start: TrainState) -> TrainState:
        """Train until the steps are made, the time is over, or someone stops it by hand; where it is then."""
        settings, method = self.settings, self.method
        rng = _stream(settings.seed, "batches")
        batches = islice(method.batches(self.data, rng, start.step), settings.steps - start.step)
        self._restore(start, rng)
        self.monitor.last = next(reversed(_records(self.folder / "log.jsonl", start.step)[0]), None)
        self._save(start)
        self.say(Monitor.HEADER)
        now, self.last = start, time.perf_counter()
        began, worked = self.last - start.seconds, time.process_time()
        # where the encoder shares out its work, threads of the products would only be in its way
        one_thread = one_blas_thread if method.encoder.op is microbatch else nullcontext()
        steps = fit_from(method.network, start.params, start.optimizer, method.optimizer, batches, start.step)
        with one_thread:
            try:
                for step, value, params, state in steps:
                    total, many = now.losses
                    seconds = time.perf_counter() - began
                    now = TrainState(step, seconds, params, state, self._chance(rng), (total + value, many + 1))
                    done = _over(settings, step, seconds)
                    if done or step == 1 or self._due(step):
                        now = self._recorded(now, done)
                    if done:
                        break
            except KeyboardInterrupt:
                self.say("stopped by hand: what was learnt so far is kept, and --resume goes on from here")
                self._save(now)
        self.busy = (time.process_time() - worked) / max(1e-9, now.seconds - start.seconds)
        if now.step < settings.steps and _over(settings, now.step, now.seconds):
            self.say(f"{settings.minutes:g} minutes were over after {now.step:,} of {settings.steps:,} steps: {MORE}")
        return now

    def _chance(self, rng: np.random.Generator) -> dict[str, Any]:
        """The states of the generators, after a step."""
        miner = self.method.chance
        return {"batches": rng.bit_generator.state} | ({"miner": miner.bit_generator.state} if miner else {})

    def _restore(self, start: TrainState, rng: np.random.Generator) -> None:
        """Set the miner's generator, and see that replaying has brought that of the batches where it was."""
        if not start.step:
            return
        if self.method.chance is not None:
            self.method.chance.bit_generator.state = start.chance["miner"]
        if rng.bit_generator.state != start.chance.get("batches"):
            raise ValueError(
                f"{self.folder}: the batches of its first {start.step:,} steps cannot be drawn again, since numpy or "
                "minisiam draw otherwise than when it was begun: use the versions of then, or train a new run"
            )

    def _due(self, step: int) -> bool:
        every = self.settings.log_every
        return step % every == 0 if every else time.perf_counter() - self.last > self.pause

    def _recorded(self, now: TrainState, done: bool) -> TrainState:
        """A record in the log and on the screen, and then the checkpoint."""
        clock = time.perf_counter()
        total, many = now.losses
        record = self.monitor.record(now.step, now.seconds, total / many, now.params)
        left = now.seconds / now.step * (self.settings.steps - now.step)
        left = min(left, 60 * self.settings.minutes - now.seconds)
        self.say(Monitor.line(record, 0.0 if done else left))
        self._warn(record)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(record) + "\n")
            log.flush()
            os.fsync(log.fileno())
        now = now._replace(losses=(0.0, 0))
        self._save(now)
        self.last = time.perf_counter()
        self.pause = max(SECONDS_BETWEEN_RECORDS, 10 * (self.last - clock))
        return now

    def _warn(self, record: dict[str, Any]) -> None:
        """What is wrong, in a sentence each: once, until nothing is."""
        names = record.get("trouble", [])
        for name in names:
            if name not in self.told:
                self.say(f"  trouble: {diagnosis.MESSAGES[name]}")
        self.told = self.told.union(names) if names else set()

    def _save(self, now: TrainState) -> None:
        progress = {"step": now.step, "seconds": now.seconds, "chance": now.chance, "losses": now.losses}
        progress["data"] = self.fingerprint
        settings = self.settings.as_dict()
        checkpoint.save(self.folder / "model.npz", now.params, settings, now.optimizer, progress)


class Monitor:
    """What the log says of a network, on the validation alphabets and a fixed probe of 32 training classes × 4."""

    HEADER = "  step      loss   active   d same   d different   validation one-shot   time left"

    def __init__(self, settings: Settings, method: Method, data: Data) -> None:
        self.settings, self.method, self.validation = settings, method, data.validation
        train, rng = data.train, _stream(settings.seed, "probe")
        classes = min(32, len(np.unique(train.labels)))
        self.last: dict[str, Any] | None = None  # record
        self.images, self.labels = next(samplers.pk(train.images, train.labels, rng, classes=classes, per_class=4))

    def record(self, step: int, seconds: float, loss: float, params: Params) -> dict[str, Any]:
        """One line of the log."""
        distance = self.method.matrix(params)
        z = self.method.embed(params, self.images)
        D, _ = distance(z, z)
        rows, columns, same = miners.all_pairs(D, self.labels)
        d = D[rows, columns]
        validation = self.method.embed(params, self.validation.images)
        forces = {"xray": self.forces(z, params)} if self.method.matrix_loss is not None else {}
        given, right = report.few_shot_answers(validation, self.validation, 60, distance)
        numbers = {
            "step": step,
            "seconds": round(seconds, 2),
            "loss": loss,
            "active": float(self.active(D, d, same).mean()),
            "same": float(d[same].mean()),
            "different": float(d[~same].mean()),
            "validation": evaluate.mean_score((given == right).mean(axis=1)).accuracy,
        }
        names = self.trouble(numbers, d, same, given)
        self.last = numbers | ({"trouble": names} if names else {}) | forces
        return self.last

    def trouble(self, numbers: dict[str, Any], d: Array, same: Array, answers: Array) -> list[str]:
        """What `diagnose` finds in the numbers of a record and what they come from."""
        settings = self.settings
        if settings.similar != "class":  # what is similar is not what the probe calls the same
            return []
        return diagnosis.diagnose(
            d,
            same,
            loss=numbers["loss"],
            kind=str(settings.loss),
            margin=settings.margin,
            active=numbers["active"] if settings.loss == "hinge" else None,
            accuracy=numbers["validation"],
            chance=1 / answers.shape[1],
            predictions=answers,
            before=(self.last["same"], self.last["different"]) if self.last else None,
        )

    def forces(self, z: Array, params: Params) -> dict[str, float]:
        """The X-ray of the loss on a part of the probe, as numbers: who pulls, who pushes, how much is still hard."""
        some = slice(0, PROBED)
        found = report.xray_in(self.method, z[some], self.labels[some], params, self.settings.margin or 0.0)
        return {name: round(number, 6) for name, number in forces.summary(found).items()}

    def active(self, D: Array, d: Array, same: Array) -> Array:
        """Which pairs or triplets of the probe the loss still pushes.

        Different pairs inside the margin of a contrastive loss; pairs on the wrong side of a verification; triplets
        that break the margin, or their order where there is none: all of them, or of a batch the hardest of each image.
        """
        margin = float(self.settings.margin or 0)
        if self.settings.loss == "contrastive":
            return d[~same] < margin
        if self.settings.loss == "cross-entropy":
            return (d > 0) == same
        mine = miners.batch_hard if self.settings.network == "batch" else miners.all_triplets
        near, far = (D[entries] for entries in mine(D, self.labels).entries)
        return near - far + margin > 0

    @staticmethod
    def line(record: dict[str, Any], left: float) -> str:
        """A record as a row under HEADER."""
        return (
            f"{record['step']:6d} {record['loss']:9.4f} {100 * record['active']:6.1f} % {record['same']:8.3f} "
            f"{record['different']:13.3f} {100 * record['validation']:19.1f} % {left:9.0f} s"
        )
