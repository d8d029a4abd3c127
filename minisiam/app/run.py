"""The folder of a run, and what can be read from it.

RUN/model.npz     the parameters, and everything that training needs to continue
RUN/start.npz     the parameters that training started from, if they are those of another run
RUN/log.jsonl     one record every few seconds
RUN/report.json   the evaluation on the test set
RUN/figures/      figures
"""

from __future__ import annotations

import json
import platform
import zlib
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import checkpoint
from .._version import VERSION
from ..analysis import plateau
from ..analysis.plateau import Plateau
from ..fast.threads import cores
from . import build, data_spec, outputs
from .config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..datasets import Dataset
    from ..typing import Generator, Params
    from .build import Method
    from .data_spec import Data

# what a checkpoint stores of the training, beside parameters and optimizer state, with its types in JSON
PROGRESS = {"step": int, "seconds": float, "rng": dict, "losses": list, "plateau": list, "data": int}
# facts about the training in report.json, which evaluating again does not change
OF_TRAINING = ("train_seconds", "steps", "busy", "machine", "trouble")


class Run(NamedTuple):
    """A run, opened.

    params : the trained parameters
    untrained : parameters drawn with the run's seed, from which a run without `start` starts
    started : the parameters from which a run with `start` started; else None
    training : facts about the training: its time, steps, cores in use, machine and problems (`OF_TRAINING`)
    report : the evaluation; empty if there is none yet
    log : the records of the log
    """

    folder: Path
    config: Config
    method: Method
    params: Params
    untrained: Params
    started: Params | None
    training: dict[str, Any]
    report: dict[str, Any]
    log: list[dict[str, Any]]


def open_run(folder: Path) -> Run:
    """Everything in the folder of a run; ValueError if it is not the folder of a run."""
    config, progress = read_checkpoint(folder)
    method = build.build(config)
    untrained = first_params(config, method)
    params = checkpoint.load(folder / "model.npz", untrained)
    report = read_report(folder)
    training = {key: report[key] for key in OF_TRAINING if key in report}
    if progress is not None and not training:
        training = {"train_seconds": round(progress["seconds"], 2), "steps": progress["step"]}
    log, _ = read_log(folder, progress["step"] if progress else None)
    started = checkpoint.load(folder / "start.npz", untrained) if config.start else None
    return Run(folder, config, method, params, untrained, started, training, report, log)


def read_checkpoint(folder: Path) -> tuple[Config, dict[str, Any] | None]:
    """The settings and the progress of a run; the progress is None if the checkpoint has only parameters."""
    path = folder / "model.npz"
    if not path.is_file():
        what = "has no model.npz" if folder.is_dir() else "is a file" if folder.exists() else "does not exist"
        raise ValueError(f"{folder} is not a run: it {what}. `minisiam train` makes the folder of a run")
    header = checkpoint.header(path)
    progress = header["progress"]
    if progress is not None and {name: type(value) for name, value in progress.items()} != PROGRESS:
        raise checkpoint.CheckpointError(
            f"{path} does not have the progress of a run: restore it from a copy, or train again"
        )
    try:
        return Config.from_dict(header["settings"]), progress
    except (ValueError, TypeError) as error:
        raise checkpoint.CheckpointError(
            f"{path} has settings that this version does not accept: use the version that wrote it, or train again "
            f"({error})"
        ) from error


def read_report(folder: Path) -> dict[str, Any]:
    """The evaluation of a run; empty if there is none yet."""
    path = folder / "report.json"
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise checkpoint.CheckpointError(
            f"{path} is damaged: remove it, and `minisiam train --resume {folder}` writes it again"
        ) from error


def read_log(folder: Path, step: int | None) -> tuple[list[dict[str, Any]], int]:
    """The records of the log up to a step, and their length in bytes; an incomplete last line is left out."""
    path = folder / "log.jsonl"
    records: list[dict[str, Any]] = []
    size = 0
    for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else []:
        try:
            record = json.loads(line)
        except ValueError:
            break
        if not line.endswith(b"\n") or (step is not None and record["step"] > step):
            break
        records.append(record)
        size += len(line)
    return records, size


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON; after a crash the file is the old one or the new one."""
    with checkpoint.replacing(path) as file:
        file.write(json.dumps(value, indent=2, allow_nan=False).encode() + b"\n")


def write_report(run: Run, results: dict[str, Any]) -> Run:
    """Write the evaluation, with the settings and the facts about the training, to report.json."""
    report = results | {"config": run.config.as_dict()} | run.training
    write_json(run.folder / "report.json", report)
    return run._replace(report=report)


def has_ended(config: Config, step: int, seconds: float, constant: Plateau | None = None) -> bool:
    """Whether all steps are done, the loss has been constant for `patience` steps, or the time limit is reached."""
    late = config.time_limit is not None and seconds > 60 * config.time_limit
    return step >= config.steps or plateau.is_over(constant, config.patience) or late


def plateau_of(progress: dict[str, Any]) -> Plateau | None:
    """The plateau of the loss in the progress of a run; None before its first step."""
    return Plateau(*progress["plateau"]) if progress["plateau"] else None


def is_finished(folder: Path, config: Config) -> bool:
    """Whether a run is trained to its end and evaluated."""
    _, progress = read_checkpoint(folder)
    if progress is None or not (folder / "report.json").is_file():
        return False
    return has_ended(config, progress["step"], progress["seconds"], plateau_of(progress))


def resumed_config(folder: Path, requested: dict[str, Any]) -> Config:
    """The settings of a run that is to be resumed; ValueError if others are requested than when it ends."""
    config, _ = read_checkpoint(folder)
    other = {name: value for name, value in requested.items() if getattr(config, name) != value}
    ends = {name: requested.get(name, getattr(config, name)) for name in ("time_limit", "patience")}
    other = {name: value for name, value in other.items() if name not in ends}
    if other:
        options, own = (
            ", ".join(as_option(name, value) for name, value in chosen.items())
            for chosen in (other, {name: getattr(config, name) for name in other})
        )
        raise ValueError(
            f"{folder} cannot be resumed with {options}, because it was started with {own}: leave that out, or train a "
            "new run; only --time-limit and --patience may change"
        )
    return Config.from_dict(config.as_dict() | ends)


def as_option(name: str, value: Any) -> str:
    """A setting as it is typed.

    >>> as_option("seed", 0), as_option("readable", True), as_option("readable", False)
    ('--seed 0', '--readable', 'no --readable')
    """
    option = f"--{name.replace('_', '-')}"
    if value is True:
        return option
    return f"no {option}" if value is False or value in (None, "") else f"{option} {value}"


def require_free(folder: Path) -> None:
    """Raise FileExistsError if a folder exists and is not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and is not empty: choose another --out, or remove it first")


@contextmanager
def folder_of_run(out: Path | None, parent: Path, name: str) -> Iterator[Path]:
    """Make the folder of a new run: `out`, or a free one below `parent`; after an error, what is empty is removed."""
    if out is not None:
        require_free(out)
    with outputs.new_folder(parent if out is None else out.parent):
        made = out is None or not out.exists()
        folder = claimed(parent, name) if out is None else out
        if out is not None and made:
            out.mkdir()  # an error if another run has made it since
        try:
            yield folder
        except BaseException:
            if made:
                with suppress(OSError):  # it has files
                    folder.rmdir()
            raise


def claimed(parent: Path, name: str) -> Path:
    """Make the folder parent/name, or parent/name-2, -3, … if it exists: two runs that start together get one each."""
    parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError  # count never ends


def load_data(config: Config, name: str = "", holdout: str = "") -> Data:
    """The data of a run, or others, in the size and the channels that it reads."""
    return data_spec.load(name or config.data, config.pixels, holdout or config.holdout, config.channels)


def first_params(config: Config, method: Method) -> Params:
    """The untrained parameters of a run with these settings."""
    return method.network.init(stream(config.seed, "parameters"), (method.side, method.side, method.channels))


def stream(seed: int, purpose: str) -> Generator:
    """A separate generator for each purpose: drawing more for one purpose does not change another."""
    return np.random.default_rng([seed, *purpose.encode()])


def fingerprint(data: Dataset) -> int:
    """A checksum of the images, labels, alphabets and drawers."""
    number = 0
    for array in (data.images, data.labels, data.groups, data.drawers):
        number = zlib.crc32(np.ascontiguousarray(array).data.cast("B"), number)
    return zlib.crc32("\n".join(data.names).encode(), number)


def machine() -> dict[str, Any]:
    """The cores and the versions in use."""
    return {
        "cores": cores(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "minisiam": VERSION,
    }
