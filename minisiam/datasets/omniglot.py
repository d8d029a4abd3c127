"""Omniglot (Lake et al. 2015): 1,623 letters of 50 alphabets, each drawn by twenty people, and its official test.

The files are published at https://github.com/brendenlake/omniglot; `minisiam data fetch omniglot` downloads them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import require
from .dataset import Dataset
from .pictures import SIDE, by_area, picture
from .safe_io import (
    ARRAY_BYTES,
    MEMBER_BYTES,
    DamagedFile,
    existing,
    listed,
    members,
    npy,
    reported_damage,
    require_size,
)

if TYPE_CHECKING:
    from ..typing import Array
    from .safe_io import Members

LETTER = re.compile(r"(?:.+/)?([\w().-]{1,60})/character([0-9]{2})/[0-9]{4}_([0-9]{2})\.png")
QUESTION = re.compile(r"(?:.+/)?(run[0-9]{2}/(?:training/class|test/item)[0-9]{2}\.png)")
KEY = re.compile(r"(?:.+/)?(run[0-9]{2})/class_labels\.txt")
ANSWER = re.compile(r"(run[0-9]{2})/test/item([0-9]{2})\.png\s+(run[0-9]{2})/training/class([0-9]{2})\.png")
RUNS = 20  # the number of runs, and of training images and of test images in each


class Drawings(NamedTuple):
    """The contents of one file: images (n, size, size), letter (alphabet, number) and drawer of each, and notes."""

    images: Array
    letters: list[tuple[str, int]]
    drawers: Array
    notes: list[str]


def omniglot(path: str | Path, size: int = 28) -> Dataset:
    """Load Omniglot's letters from its published files.

    Parameters
    ----------
    path
        A published zip file such as `images_background.zip`, a folder with its contents, or an `.npz` file with images
        (letters, drawers, height, width) uint8, alphabet and character. Several paths, separated by commas, are joined.
    size
        Pixels per side. The published 105 pixels are reduced by the mean over the area of each new pixel.

    Returns
    -------
    Dataset
        Letter by letter, with the alphabets in alphabetical order. Drawers are numbered from 0 within an alphabet; the
        same number in two alphabets means different people.

    Raises
    ------
    DamagedFile
        If a file is damaged or not a file of Omniglot.
    """
    require.whole("size", size, 1)
    paths = [str(path)] if Path(path).exists() else str(path).split(",")
    parts = [_drawings(existing(one.strip()), size) for one in paths]
    letters = [letter for part in parts for letter in part.letters]
    images = np.concatenate([part.images for part in parts])
    drawers = np.concatenate([part.drawers for part in parts])
    require_size(*images.shape)
    known = sorted(set(letters))
    names = sorted({alphabet for alphabet, _ in known})
    number = {letter: i for i, letter in enumerate(known)}
    place = {alphabet: i for i, alphabet in enumerate(names)}
    labels = np.array([number[letter] for letter in letters])
    order = np.lexsort((drawers, labels))
    twice = (np.diff(labels[order]) == 0) & (np.diff(drawers[order]) == 0)
    if twice.any():
        alphabet, letter = known[labels[order][1:][twice][0]]
        raise DamagedFile(f"{path}: one drawer has letter {letter} of {alphabet} twice: give each file once")
    groups = np.array([place[alphabet] for alphabet, _ in letters])
    notes = tuple(note for part in parts for note in part.notes)
    classes = tuple(f"{alphabet}/character{letter:02}" for alphabet, letter in known)
    return Dataset(images[order][..., None], labels[order], groups[order], drawers[order], tuple(names), classes, notes)


def _drawings(path: Path, size: int) -> Drawings:
    with reported_damage(path), members(path) as files:
        found = _stored(files, size) if path.suffix == ".npz" else _published(files, size)
        if not len(found.images):
            raise DamagedFile("holds no letters of Omniglot: ALPHABET/characterNN/NNNN_NN.png")
        return found


def _published(files: Members, size: int) -> Drawings:
    matched = [(match, read) for name, read in files.items() if (match := LETTER.fullmatch(name))]
    require_size(len(matched), size, size)
    images = np.zeros((len(matched), size, size), np.float32)
    for image, (match, read) in zip(images, matched, strict=True):
        image[...] = 1 - picture(read(MEMBER_BYTES), match[0], size)  # ink is black there
    letters = [(match[1], int(match[2])) for match, _ in matched]
    others = sorted(name for name in files if not LETTER.fullmatch(name))
    notes = [f"{len(others):,} files skipped, which are not letters by their names: {listed(others)}"] * bool(others)
    return Drawings(images, letters, np.array([int(match[3]) - 1 for match, _ in matched], int), notes)


def _stored(files: Members, size: int) -> Drawings:
    """Load an .npz file, which already has white ink on black."""
    wanted = [f"{name}.npy" for name in ("images", "alphabet", "character")]
    missing = [name for name in wanted if name not in files]
    if missing:
        raise DamagedFile(f"holds no {missing[0]}")
    images, alphabets, characters = (npy(files[name](ARRAY_BYTES)) for name in wanted)
    if images.dtype != np.uint8 or images.ndim != 4 or not images.size or max(images.shape[2:]) > SIDE:
        raise DamagedFile(f"its images are {images.dtype} {images.shape}, not uint8 (letters, drawers, height, width)")
    count, drawers, height, width = images.shape
    if alphabets.shape != (count,) or alphabets.dtype.kind != "U" or characters.shape != (count,):
        raise DamagedFile("its alphabets and characters are not one for each letter")
    if characters.dtype.kind not in "iu":
        raise DamagedFile("its characters are not whole numbers")
    require_size(count * drawers, size, size)
    out = np.zeros((count * drawers, size, size), np.float32)
    for new, old in zip(out, images.reshape(-1, height, width), strict=True):
        new[...] = by_area(old.astype(np.float32) / 255, size, size)
    letters = list(zip(alphabets.tolist(), characters.tolist(), strict=True))
    repeated = [letter for letter in letters for _ in range(drawers)]
    return Drawings(out, repeated, np.tile(np.arange(drawers), count), [])


class OneShotRun(NamedTuple):
    """One of the twenty official runs: classify 20 test images with one training image per letter.

    training, test : (20, size, size, 1) float32, white ink on black
    answers : (20,) for each test image, the row of the training image of its letter
    """

    training: Array
    test: Array
    answers: Array


def omniglot_runs(path: str | Path, size: int = 28) -> list[OneShotRun]:
    """Load the official one-shot test of Omniglot, 20 runs of 20 questions, from `all_runs.zip` or a folder.

    `app.official.score` evaluates an embedding on it. A missing or damaged file raises `DamagedFile`.
    """
    require.whole("size", size, 1)
    path = existing(path)
    with reported_damage(path), members(path) as files:
        images, keys = {}, {}
        require_size(2 * RUNS * RUNS, size, size)
        for name, read in files.items():
            if match := QUESTION.fullmatch(name):
                images[match[1]] = 1 - picture(read(MEMBER_BYTES), name, size)
            elif match := KEY.fullmatch(name):
                keys[match[1]] = read(MEMBER_BYTES).decode("ascii")
        return [_run(f"run{number:02}", images, keys) for number in range(1, RUNS + 1)]


def _run(run: str, images: dict[str, Array], keys: dict[str, str]) -> OneShotRun:
    numbers = range(1, RUNS + 1)
    training_names = [f"{run}/training/class{number:02}.png" for number in numbers]
    test_names = [f"{run}/test/item{number:02}.png" for number in numbers]
    missing = [name for name in (*training_names, *test_names) if name not in images]
    if missing or run not in keys:
        raise DamagedFile(f"holds no {missing[0] if missing else run + '/class_labels.txt'}")
    training, test = (np.stack([images[name] for name in names])[..., None] for names in (training_names, test_names))
    return OneShotRun(training, test, _answers(run, keys[run]))


def _answers(run: str, key: str) -> Array:
    answers = np.full(RUNS, -1)
    for line in key.split("\n"):
        match = ANSWER.fullmatch(line.strip())
        if match is None:
            if line.strip():
                raise DamagedFile(f"{run}/class_labels.txt has a line without two images: {line[:80]!r}")
            continue
        item, right = int(match[2]), int(match[4])
        if match[1] != run or match[3] != run or not (0 < item <= RUNS and 0 < right <= RUNS) or answers[item - 1] >= 0:
            raise DamagedFile(f"{run}/class_labels.txt has an impossible line: {line[:80]!r}")
        answers[item - 1] = right - 1
    if (answers < 0).any():
        raise DamagedFile(f"{run}/class_labels.txt does not answer all {RUNS} questions")
    return answers
