"""The folder of a comparison: what was agreed, and one line for each thing that is done.

FOLDER/protocol.json     losses, seeds, trials, steps, the machine
FOLDER/results.jsonl     one record a line, in the order of `Protocol.tasks`, on the disk before the next begins
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from .. import report, trainer
from .protocol import Protocol, Records, Task

if TYPE_CHECKING:
    from pathlib import Path

PROTOCOL, RESULTS = "protocol.json", "results.jsonl"


def begun(folder: Path) -> Protocol | None:
    """The protocol of a folder; None where it is free; an error where it holds something else."""
    path = folder / PROTOCOL
    if not path.is_file():
        trainer.free_folder(folder)
        return None
    try:
        return Protocol.of(json.loads(path.read_text()))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} cannot be read ({error}): put back a copy, or choose another --out") from error


def agree(folder: Path, protocol: Protocol) -> None:
    """Write down what is to be done."""
    folder.mkdir(parents=True, exist_ok=True)
    report.write(folder / PROTOCOL, protocol.as_dict())


def load(folder: Path) -> tuple[Protocol, Records]:
    """The protocol and the records of a folder; nothing in it is changed."""
    protocol = begun(folder)
    if protocol is None:
        raise ValueError(f"{folder} holds no comparison: `minisiam compare-methods --out {folder}` begins one")
    return protocol, _read(folder / RESULTS)[0]


def mended(folder: Path) -> Records:
    """The records of a folder; a last line that was torn when its writer was killed is cut off."""
    path = folder / RESULTS
    records, size = _read(path)
    if path.is_file() and path.stat().st_size > size:
        os.truncate(path, size)
    return records


def _read(path: Path) -> tuple[Records, int]:
    """The records of a file, and how many bytes they are without a torn last line."""
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    if lines and not lines[-1].endswith(b"\n"):
        del lines[-1]
    records: Records = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            task = Task(record["what"], record["loss"], record["number"])
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}, line {number}, is no record of a run: remove that line") from error
        records[task] = record
    return records, sum(map(len, lines))


def append(folder: Path, record: dict[str, Any]) -> None:
    """A line that is on the disk when this returns."""
    with (folder / RESULTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
