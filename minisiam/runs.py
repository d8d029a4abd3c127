"""A run from beginning to end, in one folder: `train` makes it, `open_run` opens it again.

RUN/model.npz     parameters and settings          RUN/report.json   what it can do on unseen alphabets
RUN/log.jsonl     one record every few seconds     RUN/figures/      what it learnt, as pictures
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import checkpoint, datasets, fast, methods, miners, report, samplers, tree, xray
from .datasets import Dataset
from .methods import Method
from .settings import Settings
from .threads import one_blas_thread
from .train import fit

if TYPE_CHECKING:
    from .typing import Array, Params

    Say = Callable[[str], None]

PROBED = 64  # images of the probe that are X-rayed
SECONDS_BETWEEN_RECORDS = 2.0  # or ten times as long as a record takes, where the encoder is slow


class Data(NamedTuple):
    """Three sets of alphabets: to learn from, to watch while learning, and to be judged by once."""

    train: Dataset
    validation: Dataset
    test: Dataset


def load(name: str, pixels: int = 28) -> Data:
    """The data that `--data` names, as `pixels` × `pixels` images.

    "pen-glyphs" is the built-in set, "pen-glyphs:7" the same letters by other people (another seed). Other sets are on
    your disk: "omniglot:PATH", "mnist:PATH", "fashion-mnist:PATH", "folder:PATH". See `parted` for what is held out.
    """
    kind, colon, rest = name.partition(":")
    if kind not in ("pen-glyphs", *READERS):
        known = ", ".join(f"{kind}:PATH" for kind in READERS)
        raise ValueError(
            f"unknown data {name!r}: pen-glyphs is built in, pen-glyphs:7 draws it with another seed; "
            f"from your disk come {known}"
        )
    if kind == "pen-glyphs":
        return parted(_pen_glyphs(name, colon, rest, pixels))
    if not rest:
        raise ValueError(f"data {name!r}: after a colon comes where it is, {kind}:PATH")
    return READERS[kind](rest, pixels)


def _pen_glyphs(name: str, colon: str, seed: str, pixels: int) -> Dataset:
    if colon and not seed.isdecimal():
        raise ValueError(f"data {name!r}: after the colon comes a seed, a whole number as in pen-glyphs:7")
    drawn = min(pixels, 35)
    return _at_size(datasets.pen_glyphs(size=drawn, rng=np.random.default_rng(int(seed or 0))), pixels)


def _at_size(data: Dataset, pixels: int) -> Dataset:
    if data.images.shape[1:3] == (pixels, pixels):
        return data
    return data._replace(images=datasets.resized(data.images, pixels))


def parted(data: Dataset) -> Data:
    """What is learnt from, watched and judged by: sets of classes that have none in common.

    Every third alphabet is for testing, and every fifth of the others (or the last of fewer) for validation. Where
    there are no three alphabets the same is done with classes, and at least two are in each set.
    """
    alphabets = len(np.unique(data.groups))
    if alphabets >= 3:
        rest, test = datasets.split(data)
        return Data(*datasets.split(rest, every=min(5, len(np.unique(rest.groups)))), test)
    classes = len(np.unique(data.labels))
    if classes < 6:
        raise ValueError(
            f"{classes} classes are too few: two to learn from, two to watch and two to be judged by make 6 at least"
        )
    rest, test = datasets.split(data, by="classes")
    return Data(*datasets.split(rest, every=min(5, len(np.unique(rest.labels)) // 2), by="classes"), test)


def _authors_parts(read: Callable[..., Dataset]) -> Callable[[str, int], Data]:
    """Of a set that its authors divided: images to learn from are of their training part, all others of their test."""

    def load_parts(path: str, pixels: int) -> Data:
        if not Path(path).is_dir():
            raise ValueError(f"{path} is no folder: name the one that holds the four idx files")
        learnt, judged = (parted(read(path, part)) for part in ("train", "test"))
        return Data(*(_at_size(part, pixels) for part in (learnt.train, judged.validation, judged.test)))

    return load_parts


READERS: dict[str, Callable[[str, int], Data]] = {
    "omniglot": lambda path, pixels: parted(datasets.omniglot(path, pixels)),
    "mnist": _authors_parts(datasets.mnist),
    "fashion-mnist": _authors_parts(datasets.fashion_mnist),
    "folder": lambda path, pixels: parted(datasets.folder(path, pixels)),
}


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
    if not (folder / "model.npz").is_file():
        what = "holds no model.npz" if folder.is_dir() else "is a file" if folder.exists() else "does not exist"
        raise ValueError(f"{folder} is not a run: it {what}. A run is a folder that `minisiam train` made")
    settings = Settings.of(checkpoint.settings(folder / "model.npz"))
    method = methods.build(settings)
    untrained = _first_params(settings, method)
    params = checkpoint.load(folder / "model.npz", untrained)
    finished = folder / "report.json"
    records = (folder / "log.jsonl").read_text().splitlines() if (folder / "log.jsonl").is_file() else []
    return Run(
        folder,
        settings,
        method,
        params,
        untrained,
        json.loads(finished.read_text()) if finished.is_file() else {},
        [json.loads(record) for record in records],
    )


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
    method = methods.build(settings)
    for name, part in data._asdict().items():
        say(f"  {name:11}{part}")
    params = _first_params(settings, method)
    say(f"  {tree.size(params):,} parameters; at most {settings.steps:,} steps or {settings.minutes:g} min")
    say(f"  {how_it_runs(method, params)}\n")
    ready = Data(*(method.prepared(part) for part in data))
    monitor = Monitor(settings, method, ready)
    steps, seconds = _fit(settings, method, params, ready.train, monitor, folder, say)
    say(f"\ntrained {steps:,} steps in {seconds:.1f} s; now the examination on classes it has never seen ...")
    run = open_run(folder)
    results = report.examine(run, data)
    results |= {"train_seconds": round(seconds, 2), "steps": steps, "settings": settings.as_dict()}
    report.write(folder / "report.json", results)
    return run._replace(report=results)


def how_it_runs(method: Method, params: Params) -> str:
    """A line that says which operations the convolutions are, and on how many threads."""
    ways = fast.ways(method.encoder, params["encoder"]) or ["no convolution"]
    kind, *threads = method.encoder.kind or ("plain",)
    many = f"; {threads[0]} thread{'s' * (threads[0] > 1)}" if kind == "sharded" else ""
    return ", ".join(ways) + many


def free_folder(folder: Path) -> None:
    """Whether a run may go there: one that holds something is left alone."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and is not empty: choose another --out, or remove it first")


def new_folder(folder: Path) -> None:
    """Make the folder of a run."""
    free_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)


def _first_params(settings: Settings, method: Method) -> Params:
    return method.network.init(_stream(settings.seed, "parameters"), (method.side, method.side, 1))


def _stream(seed: int, purpose: str) -> np.random.Generator:
    """A generator of its own for each purpose, so that more of one does not change another."""
    return np.random.default_rng([seed, *purpose.encode()])


def _fit(
    settings: Settings, method: Method, params: Params, data: Dataset, monitor: Monitor, folder: Path, say: Say
) -> tuple[int, float]:
    """`train.fit` with an eye on the clock: a record every few seconds, and the model saved beside it."""
    batches = islice(method.batches(data, _stream(settings.seed, "batches")), settings.steps)
    limit = 60 * settings.minutes
    recent: list[float] = []
    step, seconds, pause = 0, 0.0, SECONDS_BETWEEN_RECORDS
    start = last = time.perf_counter()
    say(Monitor.HEADER)
    # where the encoder shares out its work, threads of the products would only be in its way
    one_thread = one_blas_thread if method.encoder.kind[:1] == ("sharded",) else nullcontext()
    with one_thread, (folder / "log.jsonl").open("w") as log:
        try:
            for step, value, new_params in fit(method.network, params, method.optimizer, batches):
                params = new_params
                recent.append(value)
                now = time.perf_counter()
                seconds = now - start
                done = step == settings.steps or seconds > limit
                if done or step == 1 or now - last > pause:
                    record = monitor.record(step, seconds, float(np.mean(recent)), params)
                    left = min(seconds / step * (settings.steps - step), limit - seconds)
                    say(Monitor.line(record, 0.0 if done else left))
                    log.write(json.dumps(record) + "\n")
                    log.flush()
                    checkpoint.save(folder / "model.npz", params, settings.as_dict())
                    recent, last = [], time.perf_counter()
                    pause = max(SECONDS_BETWEEN_RECORDS, 10 * (last - now))
                if done:
                    break
        except KeyboardInterrupt:
            say("stopped by hand: what was learnt so far is kept")
    checkpoint.save(folder / "model.npz", params, settings.as_dict())
    if seconds > limit:
        say(f"{settings.minutes:g} minutes were over after {step:,} of {settings.steps:,} steps: --minutes allows more")
    return step, seconds


class Monitor:
    """What the log says of a network, on the validation alphabets and a fixed probe of 32 training classes × 4."""

    HEADER = "  step      loss   active   d same   d different   validation one-shot   time left"

    def __init__(self, settings: Settings, method: Method, data: Data) -> None:
        self.settings, self.method, self.validation = settings, method, data.validation
        train, rng = data.train, _stream(settings.seed, "probe")
        classes = min(32, len(np.unique(train.labels)))
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
        return {
            "step": step,
            "seconds": round(seconds, 2),
            "loss": loss,
            "active": float(self.active(D, d, same).mean()),
            "same": float(d[same].mean()),
            "different": float(d[~same].mean()),
            "validation": report.few_shot(validation, self.validation, 60, distance).accuracy,
            **forces,
        }

    def forces(self, z: Array, params: Params) -> dict[str, float]:
        """The X-ray of the loss on a part of the probe, as numbers: who pulls, who pushes, how much is still hard."""
        some = slice(0, PROBED)
        found = report.xray_in(self.method, z[some], self.labels[some], params, self.settings.margin or 0.0)
        return {name: round(number, 6) for name, number in xray.summary(found).items()}

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
