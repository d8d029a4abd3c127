"""What a learner hands in, one zip; and the hand-ins of a class, a folder or a zip for each student.

Nothing is unpacked to disk. Of a zip only the files of the exercises are read, each of at most a megabyte, so neither
the names nor the sizes in it can do harm.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from ..checkpoint import replacing
from ..datasets.safe_io import DamagedFile, members, reported_damage
from . import progress
from .exercises import EXERCISES, Exercise
from .sandbox import Report, read, report
from .verdicts import MAX_BYTES, without_running

if TYPE_CHECKING:
    from ..datasets.safe_io import Members

    Answers = dict[str, list[bytes | Report]]  # student → for each exercise the file, or the report if it need not run

FOLDER = "work"
NAME = "minisiam-work.zip"  # also of what the page of exercises saves
ZIP_BYTES, ZIP_FILES = 30_000_000, 1_000  # of one hand-in; the files of all exercises together have 30 megabytes


def write(work: Path, path: Path) -> list[str]:
    """Write a zip with the answers and the progress in a folder, as `work/NAME`; returns the names of the answers.

    It has the form of the zip that the page of exercises saves. An older zip is replaced, but no other file.
    """
    if path.exists() and not zipfile.is_zipfile(path):
        raise ValueError(f"{path} exists and is not a zip file: choose another name")
    files = (work / exercise.file for exercise in EXERCISES)
    answers = [file for file in files if file.is_file()]
    if not answers:
        raise ValueError(f"{work} has no answers to hand in: minisiam learn, or --work FOLDER for another folder")
    kept = work / progress.FILE
    with replacing(path) as new, zipfile.ZipFile(cast("IO[bytes]", new), "w", zipfile.ZIP_DEFLATED) as archive:
        for each in [*answers, *([kept] if kept.is_file() else [])]:
            archive.writestr(f"{FOLDER}/{each.name}", each.read_bytes())
    return [file.name for file in answers]


def students(folder: Path) -> dict[str, Path]:
    """The folder or the zip of each student by the name of the student, in alphabetical order."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: pass the folder with one folder, or one zip, for each student")
    every = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__")))
    found: dict[str, Path] = {}
    for path in every:
        if not (path.is_dir() or _is_zip(path)):
            continue
        name = _valid(path.name if path.is_dir() else path.stem)
        if name in found:
            raise ValueError(f"{found[name]} and {path} are of one student: keep one of them")
        found[name] = path
    if not found:
        raise ValueError(f"{folder} has no hand-ins: it must contain one folder, or one zip, for each student")
    return dict(sorted(found.items()))


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and path.is_file()


def _valid(name: str) -> str:
    """A name; bytes that are not UTF-8 are written as numbers."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def read_class(folder: Path) -> Answers:
    """Every file of every student. They are read before the first one runs, so none can change another."""
    return {name: _read_student(path) for name, path in students(folder).items()}


def _read_student(path: Path) -> list[bytes | Report]:
    """The files of one student. A folder that has a zip and nothing else, as course systems save it, is that zip."""
    if path.is_dir():
        inside = [entry for entry in path.iterdir() if not entry.name.startswith((".", "__"))]
        if not (len(inside) == 1 and _is_zip(inside[0]) and _is_inside(inside[0], path)):
            return [_in_folder(exercise, path) for exercise in EXERCISES]
        (path,) = inside
    try:
        return _in_zip(path)
    except DamagedFile as damage:
        return [report(exercise, "failed", str(damage)) for exercise in EXERCISES]


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _in_folder(exercise: Exercise, student: Path) -> bytes | Report:
    """A student's file, or the reason why it cannot be graded; one bad file does not stop the others."""
    try:
        work = _in_any_case(student / FOLDER)
        path = _in_any_case((work if work.is_dir() else student) / exercise.file)
        if not os.path.lexists(path):
            return _missing(exercise)
        if not _is_inside(path, student):
            return report(exercise, "failed", f"{path} is a link to a file outside the student's folder")
        return read(exercise, path)
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError before Python 3.13
        return report(exercise, "failed", f"{exercise.file} cannot be read: {error}")


def _in_any_case(path: Path) -> Path:
    """The path, or the only one in its folder whose name differs only in small and capital letters."""
    if os.path.lexists(path) or not path.parent.is_dir():
        return path
    found = [other for other in path.parent.iterdir() if other.name.lower() == path.name.lower()]
    return found[0] if len(found) == 1 else path


def _missing(exercise: Exercise) -> Report:
    return report(exercise, "open", f"there is no file {exercise.file}")


def _in_zip(path: Path) -> list[bytes | Report]:
    """The files in a student's zip."""
    with reported_damage(path.name):
        if path.stat().st_size > ZIP_BYTES:
            raise DamagedFile(f"is larger than {ZIP_BYTES // 1_000_000} megabytes: hand in only the folder {FOLDER}/")
        with members(path) as files:
            if len(files) + len(files.folders) + len(files.hidden) > ZIP_FILES:
                raise DamagedFile(f"has more than {ZIP_FILES:,} files: hand in only the folder {FOLDER}/")
            return [_member(exercise, files) for exercise in EXERCISES]


def _member(exercise: Exercise, files: Members) -> bytes | Report:
    """The file of an exercise in a zip: that in the outermost folder, if several have its name."""
    found = [name for name in files if PurePosixPath(name).name.lower() == exercise.file]
    least = min((name.count("/") for name in found), default=0)
    outermost = [name for name in found if name.count("/") == least]
    if not outermost:
        return _missing(exercise)
    if len(outermost) > 1:
        return report(exercise, "failed", f"the zip has {' and '.join(outermost[:2])}: hand in one of them")
    (name,) = outermost
    with reported_damage(name):
        try:
            source = files[name](MAX_BYTES)
        except DamagedFile as damage:
            return report(exercise, "failed", str(damage))
    early = without_running(exercise, source, Path(name))
    return source if early is None else Report(exercise.name, exercise.number, *early)
