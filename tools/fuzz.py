"""A hundred thousand damaged and hostile data files: each is read, or answered with the one exception that says so.

    make fuzz                            10⁵ files; a file is named by its number, `--only N` repeats it
    python tools/fuzz.py --files 2000

Honest files of every format are mutated: bits are flipped, pieces cut out, doubled, swapped, overwritten, sizes in
headers made to lie, members of zips replaced by bombs. Nothing but `DamagedFile` may be raised, nothing may be slow,
and nothing may take much memory, whatever the file says of its size.
"""

from __future__ import annotations

import argparse
import gzip
import struct
import sys
import tempfile
import time
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import fixtures
import numpy as np

from minisiam import datasets
from minisiam.datasets import DamagedFile

SECONDS, BYTES = 20.0, 2 * 10**8  # the first is of the wall: the machine may do something else
LIES = [0, 1, 2, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 10**6, 10**8]


def honest(rng: np.random.Generator) -> list[tuple[str, bytes, Any]]:
    """A name, the bytes, and what reads them."""
    small = fixtures.letters(rng, ("Greek", "Latin"), count=1, drawers=2, size=8)
    grey = rng.random((8, 8))
    image = rng.integers(0, 256, (8, 8), dtype=np.uint8)
    bomb = {**small, "images_background/Greek/character02/0003_01.png": bytes(5_000_000)}
    classes = {
        "a/1.png": fixtures.png(grey),
        "b/2.pgm": fixtures.pgm(image),
        "b/3.pgm": fixtures.pgm(image, plain=True),
    }
    digits = fixtures.idx(rng.integers(0, 256, (4, 5, 5)))
    official = fixtures.official(rng, size=3)
    return [
        ("o.zip", fixtures.zipped(small), datasets.omniglot),
        ("o.zip", fixtures.zipped(small, compression=0), datasets.omniglot),
        ("o.zip", fixtures.zipped(bomb), datasets.omniglot),
        ("o.npz", fixtures.npz(rng)[0], datasets.omniglot),
        ("o.npz", stored(fixtures.npz(rng)[0]), datasets.omniglot),
        ("f.zip", fixtures.zipped(classes, compression=0), datasets.folder),
        ("f.zip", fixtures.zipped(classes), datasets.folder),
        (
            "f.zip",
            fixtures.zipped({f"mine/{name}".replace("/", "\\"): data for name, data in classes.items()}),
            datasets.folder,
        ),
        ("p/a/x.png", fixtures.png(grey), datasets.folder),
        ("p/a/x.png", fixtures.one_bit_png(grey > 0.5), datasets.folder),
        *[(f"p/a/x.{kind}", data, datasets.folder) for kind, data in fixtures.photographs(rng)],
        ("q/a/x.pgm", fixtures.pgm(image), datasets.folder),
        ("q/a/x.pgm", fixtures.pgm(image, plain=True), datasets.folder),
        ("train-images-idx3-ubyte", digits, datasets.mnist),
        ("train-images-idx3-ubyte.gz", gzip.compress(digits, mtime=0), datasets.mnist),
        ("train-images-idx3-ubyte.gz", gzip.compress(digits + bytes(10**6), mtime=0), datasets.mnist),
        ("runs.zip", fixtures.zipped(dict(list(official.items())[:82])), datasets.omniglot_runs),
    ]


def stored(data: bytes) -> bytes:
    """The same zip without compression, so that a mutation meets the contents."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return fixtures.zipped({name: archive.read(name) for name in archive.namelist()}, zipfile.ZIP_STORED)


def mutated(data: bytes, rng: np.random.Generator, other: bytes) -> bytes:
    """The bytes with one to three things wrong."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        kind, at = rng.integers(8), int(rng.integers(len(out) or 1))
        length = int(rng.integers(1, 40))
        if kind == 0 and out:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del out[at:]
        elif kind == 2:
            del out[at : at + length]
        elif kind == 3:
            out[at:at] = out[at : at + length]
        elif kind == 4:
            out[at : at + length] = rng.bytes(length)
        elif kind == 5:  # a number that lies, in either order of bytes, at a place where headers are
            at = int(rng.choice([at, rng.integers(40), max(0, len(out) - rng.integers(1, 120))]))
            out[at : at + 4] = struct.pack(rng.choice(["<L", ">L"]), int(rng.choice(LIES)))
        elif kind == 6:  # another format's beginning
            out[: length // 2] = other[: length // 2]
        elif marks := [m for m in (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"IHDR", b"IDAT", b"(") if m in out]:
            mark = marks[rng.integers(len(marks))]
            at = out.index(mark) + int(rng.integers(4, 46))
            out[at : at + 2] = struct.pack("<H", int(rng.integers(65536)))
    return bytes(out)


def resealed(data: bytes) -> bytes:
    """A PNG whose checksums are right again, so that the decoder is reached."""
    out, at = [data[:8]], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">L", data[at : at + 4])
        if at + 12 + length > len(data):
            break
        out.append(fixtures.chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return b"".join(out) + data[at:]


def example(number: int, files: list[tuple[str, bytes, Any]]) -> tuple[str, bytes, Any]:
    """File number N."""
    rng = np.random.default_rng([number, 11])
    name, data, read = files[number % len(files)]
    wrong = mutated(data, rng, files[rng.integers(len(files))][1])
    if name.endswith(".png") and rng.random() < 0.7:
        wrong = resealed(wrong)
    return name, wrong, read


def survives(name: str, data: bytes, read: Any, folder: Path) -> bool:
    """Read it; True if it was read, False if it was refused as it should be."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    given = folder / name.partition("/")[0] if "/" in name else path
    if read is datasets.mnist:
        (folder / "train-labels-idx1-ubyte").write_bytes(fixtures.idx(np.arange(4)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read(given, **({} if read is datasets.mnist else {"size": 8}))
    except DamagedFile as error:
        if folder.as_posix() not in str(error):
            raise AssertionError(f"it does not name the file: {error}") from error
        return False
    finally:
        path.unlink()
    return True


def fuzz(start: int, stop: int, say: Any = None) -> tuple[int, int]:
    """Files start … stop − 1: how many were read, how many refused."""
    files = honest(np.random.default_rng(0))
    told, counts = time.perf_counter(), [0, 0]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(start, stop):
            name, data, read = example(number, files)
            measured = number % 10 == 0  # tracing costs time
            if measured:
                tracemalloc.start()
            began = time.perf_counter()
            try:
                counts[survives(name, data, read, Path(folder))] += 1
                peak = tracemalloc.get_traced_memory()[1] if measured else 0
            except Exception as mistake:
                raise AssertionError(f"file {number}, {name}: {type(mistake).__name__}: {mistake}") from mistake
            finally:
                tracemalloc.stop()
            if peak > BYTES or time.perf_counter() - began > SECONDS:
                raise AssertionError(f"file {number}, {name}: {peak:,} bytes, {time.perf_counter() - began:.1f} s")
            if say and time.perf_counter() - told > 5:
                told = time.perf_counter()
                say(f"{number + 1 - start:,} of {stop - start:,} files: {counts[1]:,} read, {counts[0]:,} refused")
    return counts[1], counts[0]


def main() -> int:
    """Fuzz, or repeat one file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10**5, help="how many (default: a hundred thousand)")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="begin at file N")
    parser.add_argument("--only", type=int, metavar="N", help="file N alone")
    arguments = parser.parse_args()
    start = arguments.start if arguments.only is None else arguments.only
    count = arguments.files if arguments.only is None else 1
    read, refused = fuzz(start, start + count, lambda line: print(line, flush=True))
    print(f"{count:,} files: {read:,} read, {refused:,} refused, no other exception")
    return 0


if __name__ == "__main__":
    sys.exit(main())
