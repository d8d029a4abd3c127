"""The folder of a comparison: its protocol, and one line for each finished task.

FOLDER/protocol.json     methods, data, seeds, trials, steps, the machine
FOLDER/results.jsonl     one record per line, in the order of `Protocol.tasks`, on disk before the next task starts
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from ... import checkpoint
from ..run import require_free, write_json
from .protocol import Protocol, Records, Task

if TYPE_CHECKING:
    from pathlib import Path

PROTOCOL, RESULTS = "protocol.json", "results.jsonl"


def started(folder: Path) -> Protocol | None:
    """The protocol of a folder; None if the folder is empty or does not exist; an error if it has other files."""
    path = folder / PROTOCOL
    if not path.is_file():
        require_free(folder)
        return None
    try:
        return Protocol.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} cannot be read ({error}): restore it from a copy, or choose another --out") from error


def save_protocol(folder: Path, protocol: Protocol) -> None:
    """Write the protocol."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / PROTOCOL, protocol.as_dict())


def load(folder: Path) -> tuple[Protocol, Records]:
    """The protocol and the records of a folder, which is not changed."""
    protocol = started(folder)
    if protocol is None:
        raise ValueError(f"{folder} has no comparison: `minisiam benchmark --out {folder}` starts one")
    return protocol, _read(folder / RESULTS)[0]


def repaired(folder: Path) -> Records:
    """The records of a folder, after removing a last line that is incomplete because its writer was killed."""
    path = folder / RESULTS
    records, size = _read(path)
    if path.is_file() and path.stat().st_size > size:
        os.truncate(path, size)
    return records


def _read(path: Path) -> tuple[Records, int]:
    """The records of a file, and their length in bytes without an incomplete last line."""
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    if lines and not lines[-1].endswith(b"\n"):
        del lines[-1]
    records: Records = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            task = Task(record["what"], record["method"], record["number"])
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}, line {number}, is not a record of a task: remove that line") from error
        records[task] = record
    return records, sum(map(len, lines))


def append(folder: Path, record: dict[str, Any]) -> None:
    """Append a record; it is on the disk when this returns."""
    path = folder / RESULTS
    with checkpoint.naming(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
