"""Train a run, and resume it.

A run that is killed and resumed has the same bits as one that was never interrupted, on the same machine with the same
NumPy. The checkpoint has the parameters, the optimizer state, and the state of a random miner's generator. The sampler
needs none: its batches follow from the seed, so a resumed run draws the batches it has used again, without their
images, and checks that the generator is then in the state that was saved (`input_pipeline.Batches`). A record is
written to the log before its checkpoint; when a run is resumed, records later than the checkpoint are removed.

Under mpiexec, rank 0 calls `train` or `resume`, and the other ranks compute their part of its steps with `follow`.
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

from .. import checkpoint, tree
from ..analysis import diagnosis, plateau
from ..fast.convert import algorithms
from ..fast.threads import one_blas_thread
from ..train import fit_from
from . import build, input_pipeline, ranks, report, starting_point
from .data_spec import Data
from .monitor import Monitor
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..analysis.plateau import Plateau
    from ..datasets import Dataset
    from ..typing import Generator, Params
    from .build import Method
    from .config import Config
    from .ranks import Team

    Log = Callable[[str], Any]

SECONDS_BETWEEN_RECORDS = 2.0  # or ten times as long as a record takes, if the encoder is slow


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


def train(
    config: Config, data: Data, folder: Path, log: Log, earlier: Run | None = None, team: Team = ranks.ALONE
) -> Run:
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
    team
        The ranks that train together; the others call `follow`.
    """
    require_free(folder)
    input_pipeline.require_images(config, data.train)
    report.require_episodes(data)
    folder.mkdir(parents=True, exist_ok=True)
    config = completed(config, data)
    method = build.build(config, ranks=team.ranks)
    params = first_params(config, method)
    if earlier is not None:
        params = starting_point.with_encoder(params, earlier)
        checkpoint.save(folder / "start.npz", params, config.as_dict())
    start = TrainState(0, 0.0, params, method.optimizer.init(params), {}, (0.0, 0))
    return _train(config, method, data, start, folder, log, team)


def completed(config: Config, data: Data) -> Config:
    """The settings with what they need to know of the data."""
    return replace(config, classes=len(np.unique(data.train.labels)), inverted=data.train.inverted)


def resume(folder: Path, data: Data, log: Log, team: Team = ranks.ALONE, **ends: Any) -> Run:
    """Continue a run from its last checkpoint; if its training has ended, it is only opened.

    Parameters
    ----------
    folder
        The run. No other process may be training it.
    data
        The data it was started with; other data are refused.
    log
        A function that shows a line of progress, for instance `print`.
    team
        The ranks that train together, not necessarily as many as before; the others call `follow`.
    ends
        Another `time_limit`, in minutes for all parts of the run together, or `patience`. No other setting may change.
    """
    config = resumed_config(folder, ends)
    checkpoint.sweep(folder / "model.npz")
    method = build.build(config, ranks=team.ranks)
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
    return _train(config, method, data, start, folder, log, team)


def follow(config: Config, data: Data, team: Team) -> None:
    """Compute the part of this rank in every step that rank 0 makes, if it makes any."""
    config = completed(config, data)
    method = build.build(config, ranks=team.ranks)
    first = first_params(config, method)
    start = _begun(team, TrainState(0, 0.0, first, method.optimizer.init(first), {}, (0.0, 0)), fingerprint(data.train))
    if start is None:
        return
    with team.at_work(), _one_thread(method):
        for _ in _steps(config, method, method.prepared(data.train), start, team)[0]:
            if team.ends():
                break


def _begun(team: Team, state: TrainState, data_id: int) -> TrainState | None:
    """The state of rank 0, from which all ranks start; None if there is nothing to train."""
    params, optimizer, facts = team.begin(state.params, state.optimizer, {"step": state.step, "rng": state.rng})
    if not facts:
        return None
    team.agree(**{"training data, by their checksum": data_id})
    return state._replace(params=params, optimizer=optimizer, **facts)


def _steps(
    config: Config, method: Method, train: Dataset, start: TrainState, team: Team
) -> tuple[Iterator[tuple[int, Any, Params, Any]], Generator]:
    """The steps from a state on, and the generator of their batches."""
    rng = stream(config.seed, "batches")
    batches = islice(method.batches(train, rng, start.step, team.ranks), config.steps - start.step)
    if start.step and method.miner_rng is not None:
        method.miner_rng.bit_generator.state = start.rng["miner"]
    return fit_from(method.network, start.params, start.optimizer, method.optimizer, batches, start.step), rng


def _one_thread(method: Method) -> Any:
    """An encoder that runs on several threads leaves no core to the threads of BLAS."""
    return one_blas_thread if "threads" in method.encoder.options else nullcontext()


def _saved_state(folder: Path, config: Config, method: Method, data: Data) -> TrainState:
    """The state in the checkpoint of a run."""
    first = first_params(config, method)
    params, optimizer, progress = checkpoint.resume(folder / "model.npz", first, method.optimizer.init(first))
    if progress["data"] != fingerprint(data.train):
        raise ValueError(f"{folder} was trained on other data: resume it with the same --data and files")
    total, count = progress["losses"]
    step, seconds, rng = progress["step"], progress["seconds"], progress["rng"]
    return TrainState(step, seconds, params, optimizer, rng, (total, count), plateau_of(progress))


def _train(config: Config, method: Method, data: Data, start: TrainState, folder: Path, log: Log, team: Team) -> Run:
    """Train from a state, and open the run."""
    for name, part in data._asdict().items():
        log(f"  {name:11}{part}")
    limit = "" if config.time_limit is None else f", at most {config.time_limit:g} min"
    trained = ", only the last dense layer is trained" if config.freeze else ""
    log(f"  {tree.size(start.params):,} parameters{trained}; {config.steps:,} steps{limit}")
    together = f"; {team.ranks.size} ranks" * (team.ranks.size > 1)
    log(f"  {ops_in_use(config, method, start.params)}{together}\n")
    if data.new in ("alphabets", "classes") and config.classes < diagnosis.FEW_CLASSES and not config.start:
        log(
            f"  note: {config.classes} training classes are few. A network trained on letters may distinguish yours as "
            "it is:\n    minisiam train --out runs/letters\n"
            f"    minisiam evaluate runs/letters --data {shlex.quote(config.data)}\n"
            "  and --start runs/letters trains it further\n"
        )
    ready = Data(*(method.prepared(part) for part in data))
    trainer = Trainer(config, method, ready, fingerprint(data.train), folder, log, team)
    end = trainer.run(start)
    log(f"\ntrained {end.step:,} steps in {end.seconds:.1f} s")
    run = open_run(folder)
    training: dict[str, Any] = {"train_seconds": round(end.seconds, 2), "steps": end.step}
    training |= {"busy": round(trainer.busy, 2), "machine": machine() | team.size}
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

    def __init__(
        self, config: Config, method: Method, data: Data, data_id: int, folder: Path, log: Log, team: Team
    ) -> None:
        self.config, self.method, self.data, self.data_id = config, method, data.train, data_id
        self.folder, self.log, self.team = folder, log, team
        self.monitor = Monitor(config, method, data)
        self.pause = SECONDS_BETWEEN_RECORDS
        self.last = 0.0  # when the last record was made
        self.busy = 0.0  # average number of cores in use
        self.reported: set[str] = set()

    def run(self, start: TrainState) -> TrainState:
        """Train until the steps are done, the time limit is reached, or Ctrl-C; return the last state."""
        config = self.config
        _begun(self.team, start, self.data_id)
        steps, rng = _steps(config, self.method, self.data, start, self.team)
        self._require_same_batches(start, rng)
        self.monitor.continue_from(read_log(self.folder, start.step)[0])
        self._save(start)
        self.log(Monitor.HEADER)
        self.last, worked = time.perf_counter(), time.process_time()
        with self.team.at_work(), _one_thread(self.method):
            end = self._run(start, steps, rng)
        self.busy = (time.process_time() - worked) / max(1e-9, end.seconds - start.seconds)
        if end.step < config.steps:
            self._say_why_it_ended(end)
        return end

    def _say_why_it_ended(self, end: TrainState) -> None:
        """Nothing is said about an interruption, which `_run` reports."""
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

    def _run(self, state: TrainState, steps: Iterator[tuple[int, Any, Params, Any]], rng: Generator) -> TrainState:
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
                if self.team.ends(done):
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

    def _require_same_batches(self, start: TrainState, rng: Generator) -> None:
        """Require that drawing the used batches again leads to the saved state."""
        if start.step and rng.bit_generator.state != start.rng.get("batches"):
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
