"""Train a run, and resume it.

A run that is killed and resumed has the same bits as one that was never interrupted, on the same machine with the same
NumPy. The checkpoint has the parameters, the optimizer state, and the state of a random miner's generator. The sampler
needs none: its batches follow from the seed, so a resumed run draws the batches it has used again, without their
images, and checks that the generator is then in the state that was saved (`input_pipeline.Batches`). A record is
written to the log before its checkpoint; when a run is resumed, records later than the checkpoint are removed.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import checkpoint, evaluate, miners, samplers, tree
from ..analysis import diagnosis, forces, plateau
from ..fast.convert import algorithms
from ..fast.threads import one_blas_thread
from ..train import fit_from
from . import build, input_pipeline, report, starting_point
from .data_spec import Data
from .run import (
    Run,
    fingerprint,
    first_params,
    has_ended,
    machine,
    open_run,
    plateau_of,
    read_log,
    require_free,
    resumed_config,
    stream,
)
from .run_xray import xray_of_embeddings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..analysis.plateau import Plateau
    from ..typing import Array, Generator, Params
    from .build import Method
    from .config import Config

    Log = Callable[[str], Any]

SECONDS_BETWEEN_RECORDS = 2.0  # or ten times as long as a record takes, if the encoder is slow
PROBE_OF_XRAY = 64  # images of the probe that the X-ray of the log uses
EPISODES = 60  # of the validation accuracy in the log


class TrainState(NamedTuple):
    """Everything that the next training step depends on; each step makes a new one.

    rng : the states of the generators: "batches" and, if the miner is random, "miner"
    losses : the sum of the losses since the last record, and their number
    constant : how long the loss has been constant; None before the first step
    """

    step: int
    seconds: float
    params: Params
    optimizer: Any
    rng: dict[str, Any]
    losses: tuple[float, int]
    constant: Plateau | None = None


def train(config: Config, data: Data, folder: Path, log: Log, earlier: Run | None = None) -> Run:
    """Train a new run and save it.

    Parameters
    ----------
    config
        Training stops after `steps`, or at the `time_limit` if there is one.
    data
        As `data_spec.load` returns it, in the size that the encoder reads.
    folder
        The folder of the run: it must not exist, or be empty.
    log
        A function that shows a line of progress, for instance `print`.
    earlier
        The run whose encoder it starts from, as `starting_point.settings` requires; None starts untrained.
    """
    require_free(folder)
    input_pipeline.require_images(config, data.train)
    report.require_episodes(data)
    folder.mkdir(parents=True, exist_ok=True)
    config = replace(config, classes=len(np.unique(data.train.labels)), inverted=data.train.inverted)
    method = build.build(config)
    params = first_params(config, method)
    if earlier is not None:
        params = starting_point.with_encoder(params, earlier)
        checkpoint.save(folder / "start.npz", params, config.as_dict())
    start = TrainState(0, 0.0, params, method.optimizer.init(params), {}, (0.0, 0))
    return _train(config, method, data, start, folder, log)


def resume(folder: Path, data: Data, log: Log, **ends: Any) -> Run:
    """Continue a run from its last checkpoint; if its training has ended, it is only opened.

    Parameters
    ----------
    folder
        The run. No other process may be training it.
    data
        The data it was started with; other data are refused.
    log
        A function that shows a line of progress, for instance `print`.
    ends
        Another `time_limit`, in minutes for all parts of the run together, or `patience`. No other setting may change.
    """
    config = resumed_config(folder, ends)
    checkpoint.sweep(folder / "model.npz")
    method = build.build(config)
    start = _saved_state(folder, config, method, data)
    if has_ended(config, start.step, start.seconds, start.constant):
        log(f"{folder} has ended after {start.step:,} of {config.steps:,} steps: there is nothing to resume")
        return open_run(folder)
    log(f"  resumed after {start.step:,} steps and {start.seconds:.1f} s")
    before = checkpoint.header(folder / "model.npz")["numpy"]
    if before != np.__version__:
        log(f"  (started with numpy {before}, resumed with {np.__version__}: the last digits may differ)")
    if (folder / "log.jsonl").is_file():
        os.truncate(folder / "log.jsonl", read_log(folder, start.step)[1])
    (folder / "report.json").unlink(missing_ok=True)  # it describes fewer steps
    return _train(config, method, data, start, folder, log)


def _saved_state(folder: Path, config: Config, method: Method, data: Data) -> TrainState:
    """The state in the checkpoint of a run."""
    first = first_params(config, method)
    params, optimizer, progress = checkpoint.resume(folder / "model.npz", first, method.optimizer.init(first))
    if progress["data"] != fingerprint(data.train):
        raise ValueError(f"{folder} was trained on other data: resume it with the same --data and files")
    total, count = progress["losses"]
    step, seconds, rng = progress["step"], progress["seconds"], progress["rng"]
    return TrainState(step, seconds, params, optimizer, rng, (total, count), plateau_of(progress))


def _train(config: Config, method: Method, data: Data, start: TrainState, folder: Path, log: Log) -> Run:
    """Train from a state, and open the run."""
    for name, part in data._asdict().items():
        log(f"  {name:11}{part}")
    limit = "" if config.time_limit is None else f", at most {config.time_limit:g} min"
    trained = ", only the last dense layer is trained" if config.freeze else ""
    log(f"  {tree.size(start.params):,} parameters{trained}; {config.steps:,} steps{limit}")
    log(f"  {ops_in_use(config, method, start.params)}\n")
    if data.new in ("alphabets", "classes") and config.classes < diagnosis.FEW_CLASSES and not config.start:
        log(
            f"  note: {config.classes} training classes are few. A network trained on letters may distinguish yours as "
            "it is:\n    minisiam train --out runs/letters\n"
            f"    minisiam evaluate runs/letters --data {shlex.quote(config.data)}\n"
            "  and --start runs/letters trains it further\n"
        )
    ready = Data(*(method.prepared(part) for part in data))
    trainer = Trainer(config, method, ready, fingerprint(data.train), folder, log)
    end = trainer.run(start)
    log(f"\ntrained {end.step:,} steps in {end.seconds:.1f} s")
    run = open_run(folder)
    training: dict[str, Any] = {"train_seconds": round(end.seconds, 2), "steps": end.step}
    training |= {"busy": round(trainer.busy, 2), "machine": machine()}
    if run.log and "trouble" in run.log[-1]:
        training["trouble"] = run.log[-1]["trouble"]
    return run._replace(training=training)


def ops_in_use(config: Config, method: Method, params: Params) -> str:
    """Which ops compute the convolutions, on how many threads, and what of a batch is in memory."""
    convolutions = algorithms(method.encoder, params["encoder"]) or ["no convolution"]
    threads = method.encoder.options.get("threads", 0)
    parts = [", ".join(convolutions), *[f"{threads} thread{'s' * (threads > 1)}"] * bool(threads)]
    parts += [f"activations of {build.CHUNK} images at a time"] * config.cached
    parts += ["distances in blocks of rows"] * build.in_blocks(config)
    return "; ".join(parts)


class Trainer:
    """`train.fit_from` with a clock: every few seconds it writes a record to the log, and then a checkpoint."""

    def __init__(self, config: Config, method: Method, data: Data, data_id: int, folder: Path, log: Log) -> None:
        self.config, self.method, self.data, self.data_id = config, method, data.train, data_id
        self.folder, self.log = folder, log
        self.monitor = Monitor(config, method, data)
        self.pause = SECONDS_BETWEEN_RECORDS
        self.last = 0.0  # when the last record was made
        self.busy = 0.0  # average number of cores in use
        self.reported: set[str] = set()

    def run(self, start: TrainState) -> TrainState:
        """Train until the steps are done, the time limit is reached, or Ctrl-C; return the last state."""
        config, method = self.config, self.method
        rng = stream(config.seed, "batches")
        batches = islice(method.batches(self.data, rng, start.step), config.steps - start.step)
        self._restore(start, rng)
        self.monitor.continue_from(read_log(self.folder, start.step)[0])
        self._save(start)
        self.log(Monitor.HEADER)
        self.last, worked = time.perf_counter(), time.process_time()
        steps = fit_from(method.network, start.params, start.optimizer, method.optimizer, batches, start.step)
        # an encoder that runs on several threads leaves no core to the threads of BLAS
        one_thread = one_blas_thread if "threads" in method.encoder.options else nullcontext()
        with one_thread:
            end = self._steps(start, steps, rng)
        self.busy = (time.process_time() - worked) / max(1e-9, end.seconds - start.seconds)
        if end.step < config.steps:
            self._say_why_it_ended(end)
        return end

    def _say_why_it_ended(self, end: TrainState) -> None:
        """Nothing is said about an interruption, which `_steps` reports."""
        config, steps = self.config, f"after {end.step:,} of {self.config.steps:,} steps"
        if plateau.is_over(end.constant, config.patience):
            self.log(
                f"stopped {steps}: the loss has been constant for {config.patience:,} steps, so it gives "
                "no direction to further steps; --resume with --patience 0 makes the remaining steps"
            )
        elif has_ended(config, end.step, end.seconds):
            self.log(
                f"the time limit of {config.time_limit:g} min was reached {steps}: --resume with a larger --time-limit "
                "continues"
            )

    def _steps(self, state: TrainState, steps: Iterator[tuple[int, Any, Params, Any]], rng: Generator) -> TrainState:
        """Make the steps, with a record of the first, of the last and of those that are due."""
        started = self.last - state.seconds
        try:
            for step, value, params, optimizer in steps:
                total, count = state.losses
                seconds = time.perf_counter() - started
                sums, constant = (total + value, count + 1), plateau.extended(state.constant, value)
                state = TrainState(step, seconds, params, optimizer, self._rng_states(rng), sums, constant)
                done = has_ended(self.config, step, seconds, constant)
                if done or step == 1 or self._is_due(step):
                    state = self._record(state, done)
                if done:
                    break
        except KeyboardInterrupt:
            self.log(
                f"interrupted: the checkpoint is saved, and --resume {shlex.quote(str(self.folder))} continues here"
            )
            self._save(state)
        return state

    def _rng_states(self, rng: Generator) -> dict[str, Any]:
        """The states of the generators, after a step."""
        miner = self.method.miner_rng
        return {"batches": rng.bit_generator.state} | ({"miner": miner.bit_generator.state} if miner else {})

    def _restore(self, start: TrainState, rng: Generator) -> None:
        """Set the miner's generator, and check that drawing the used batches again leads to the saved state."""
        if not start.step:
            return
        if self.method.miner_rng is not None:
            self.method.miner_rng.bit_generator.state = start.rng["miner"]
        if rng.bit_generator.state != start.rng.get("batches"):
            raise ValueError(
                f"{self.folder}: the batches of its first {start.step:,} steps cannot be drawn again, because this "
                "version of numpy or minisiam draws different ones: use the versions that started the run, or train a "
                "new run"
            )

    def _is_due(self, step: int) -> bool:
        every = self.config.log_every
        return step % every == 0 if every else time.perf_counter() - self.last > self.pause

    def _record(self, state: TrainState, done: bool) -> TrainState:
        """Make a record, show it and write it to the log; then save a checkpoint."""
        before = time.perf_counter()
        total, count = state.losses
        constant = plateau.is_over(state.constant, self.config.patience or plateau.PATIENCE)
        record = self.monitor.record(state.step, state.seconds, total / count, state.params, constant, done)
        self.log(Monitor.line(record, 0.0 if done else self._seconds_left(state)))
        self._warn(record)
        path = self.folder / "log.jsonl"
        with checkpoint.naming(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())
        state = state._replace(losses=(0.0, 0))
        self._save(state)
        self.last = time.perf_counter()
        self.pause = max(SECONDS_BETWEEN_RECORDS, 10 * (self.last - before))
        return state

    def _seconds_left(self, state: TrainState) -> float:
        left = state.seconds / state.step * (self.config.steps - state.step)
        limit = self.config.time_limit
        return left if limit is None else min(left, 60 * limit - state.seconds)

    def _warn(self, record: dict[str, Any]) -> None:
        """Show the problems of a record, each once until no problem is left."""
        names = record.get("trouble", [])
        for name in names:
            if name not in self.reported:
                self.log(f"  trouble: {diagnosis.MESSAGES[name]}")
        self.reported = self.reported.union(names) if names else set()

    def _save(self, state: TrainState) -> None:
        progress = {"step": state.step, "seconds": state.seconds, "rng": state.rng, "losses": state.losses}
        progress |= {"plateau": list(state.constant or ()), "data": self.data_id}
        checkpoint.save(self.folder / "model.npz", state.params, self.config.as_dict(), state.optimizer, progress)


class Monitor:
    """The records of the log: measured on the validation set, and on a fixed probe of 32 training classes × 4.

    There are fewer if the data have fewer.
    """

    HEADER = "  step      loss   active   d same   d different   validation one-shot   time left"

    def __init__(self, config: Config, method: Method, data: Data) -> None:
        self.config, self.method, self.validation = config, method, data.validation
        train, rng = data.train, stream(config.seed, "probe")
        sizes = np.unique(train.labels, return_counts=True)[1]
        classes, per_class = min(32, len(sizes)), min(4, int(sizes.min()))
        self.last: dict[str, Any] | None = None  # record
        self.best: evaluate.Score | None = None  # accuracy on the validation set, of all records
        self.images, self.labels = next(
            samplers.pk(train.images, train.labels, rng, classes=classes, per_class=per_class)
        )

    def continue_from(self, records: list[dict[str, Any]]) -> None:
        """Take over the records of a run that is resumed."""
        for self.last in records:
            score = evaluate.Score(self.last["validation"], *self.last["interval"])
            self.best = max(score, self.best or score)

    def record(
        self, step: int, seconds: float, loss: float, params: Params, constant: bool = False, done: bool = False
    ) -> dict[str, Any]:
        """One record of the log; `constant` if the loss has stopped changing, `done` if it is the last record."""
        distance = self.method.matrix(params)
        z = self.method.embed(params, self.images)
        D, _ = distance(z, z)
        rows, columns, same = miners.all_pairs(D, self.labels)
        d = D[rows, columns]
        validation = self.method.embed(params, self.validation.images)
        xray = {"xray": self.forces(z, params)} if self.method.matrix_loss is not None else {}
        predicted, true = report.few_shot_answers(validation, self.validation, EPISODES, distance)
        score = evaluate.mean_score((predicted == true).mean(axis=1))
        numbers = {
            "step": step,
            "seconds": round(seconds, 2),
            "loss": loss,
            "active": float(self.active(D, d, same).mean()),
            "same": float(d[same].mean()),
            "different": float(d[~same].mean()),
            "validation": score.accuracy,
            "interval": [score.low, score.high],
        }
        names = self.trouble(numbers, d, same, predicted, constant)
        if done and self.best is not None:
            names += diagnosis.overfitted(self.best, score)
        self.best = max(score, self.best or score)
        self.last = numbers | ({"trouble": names} if names else {}) | xray
        return self.last

    def trouble(self, numbers: dict[str, Any], d: Array, same: Array, predicted: Array, constant: bool) -> list[str]:
        """The problems that `diagnosis` finds in a record."""
        config = self.config
        if config.pair_by != "class":  # the pairs of training are not those of the probe
            return []
        return diagnosis.diagnose(
            d,
            same,
            loss=numbers["loss"],
            kind=str(config.loss),
            margin=config.margin,
            active=numbers["active"] if config.loss == "hinge" else None,
            accuracy=numbers["validation"],
            chance=1 / predicted.shape[1],
            predictions=predicted,
            before=(self.last["same"], self.last["different"]) if self.last else None,
            constant=constant,
        )

    def forces(self, z: Array, params: Params) -> dict[str, float]:
        """A summary of the X-ray of the loss on a part of the probe: pull, push, and how many triplets are hard."""
        part = slice(0, PROBE_OF_XRAY)
        found = xray_of_embeddings(self.method, z[part], self.labels[part], params, self.config.margin or 0.0)
        return {name: round(number, 6) for name, number in forces.summary(found).items()}

    def active(self, D: Array, d: Array, same: Array) -> Array:
        """Which pairs or triplets of the probe have a gradient.

        Contrastive loss: different pairs inside the margin. Verification: pairs on the wrong side of the threshold.
        Otherwise triplets that violate the margin, or their order if there is none: all triplets, or, for a network on
        whole batches, the hardest of each anchor.
        """
        margin = float(self.config.margin or 0)
        if self.config.loss == "contrastive":
            return d[~same] < margin
        if self.config.loss == "cross-entropy":
            return (d > 0) == same
        mine = miners.batch_hard if self.config.network == "batch" else miners.all_triplets
        near, far = (D[entries] for entries in mine(D, self.labels).entries)
        return near - far + margin > 0

    @staticmethod
    def line(record: dict[str, Any], left: float) -> str:
        """A record as a row under HEADER."""
        return (
            f"{record['step']:6d} {record['loss']:9.4f} {100 * record['active']:6.1f} % {record['same']:8.3f} "
            f"{record['different']:13.3f} {100 * record['validation']:19.1f} % {left:9.0f} s"
        )
