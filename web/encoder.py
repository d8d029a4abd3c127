"""Train the encoder of the page that names drawn letters:   python web/encoder.py

It is the main job of `minisiam train`, with all its defaults, in build/encoder/run/ (about a minute on two cores). What
the page loads is written to build/encoder/site/: the parameters, and for each held-out alphabet a gallery of twenty
letters and a picture of drawings. The encoder is kept as long as the sources that it depends on are the same.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "encoder"
RUN, SITE = BUILD / "run", BUILD / "site"
sys.path.insert(0, str(ROOT))

import minisiam as ms  # noqa: E402
from minisiam import checkpoint, datasets, evaluate, gallery  # noqa: E402
from minisiam.app import papers, run, trainer  # noqa: E402
from minisiam.app.config import Config  # noqa: E402
from minisiam.datasets.pen_glyphs import skeletons  # noqa: E402

if TYPE_CHECKING:
    from minisiam.app.model import Model
    from minisiam.app.run import Run
    from minisiam.datasets import Dataset
    from minisiam.typing import Array

UNUSED = ("course", "distributed", "gradcheck", "interop", "plots")  # folders of the package that training does not use
ALPHABETS = ("cyrillic", "lao", "nuskhuri", "syllabics-p", "phonetic", "latin-medieval", "relations")  # held out
LETTERS = 20
ENROLLED, SHOWN = 5, 8  # drawers of the gallery, and others whose drawings the page shows on request
STRANGERS = 10  # from this drawer on, drawings are the queries that choose the threshold


def ensure() -> dict[str, Any]:
    """Train the encoder, unless its sources are unchanged; returns what the page needs to know beforehand."""
    described, now = SITE / "letters.json", fingerprint()
    if described.is_file():
        known = json.loads(described.read_text(encoding="utf-8"))
        if known["sources"] == now:
            return known
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    found = {"sources": now, **write_site(trained())}
    run.write_json(described, found)
    return found


def fingerprint() -> str:
    """A hash of the sources that the encoder depends on."""
    package, digest = ROOT / "minisiam", hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted([*package.rglob("*.py"), *package.rglob("*.npz")]):
        if path.relative_to(package).parts[0] not in UNUSED:
            digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def trained() -> Run:
    """The main job of `minisiam train`, without its figures."""
    data = run.load_data(Config())
    found = trainer.train(Config(), data, RUN, print)
    return run.write_report(found, papers.evaluate(found, data))


def write_site(found: Run) -> dict[str, Any]:
    """Write the files that the page loads."""
    SITE.mkdir()
    readable = found.config.as_dict() | {"readable": True}  # without threads, which a page has not
    checkpoint.save(SITE / "model.npz", found.params, readable)
    shutil.copyfile(RUN / "report.json", SITE / "report.json")
    model, data, codes = ms.load(SITE), datasets.pen_glyphs(), skeletons().codes
    alphabets = {}
    for name in ALPHABETS:
        letters = data.where(data.groups == data.names.index(name))
        numbers = np.unique(letters.labels)[:LETTERS]
        names = {number: unicodedata.name(chr(codes[number])) for number in numbers}
        some = letters.where(np.isin(letters.labels, numbers))
        enrolled = some.where(some.drawers < ENROLLED)
        people = model.enrol([names[label] for label in enrolled.labels], enrolled.images)
        gallery.save(SITE / f"{name}.npz", people._replace(about=people.about | {"run": "minisiam train"}))
        Image.fromarray(sheet(some)).save(SITE / f"{name}.png", optimize=True)
        alphabets[name] = [{"letter": chr(codes[number]), "name": names[number]} for number in numbers]
    validation = run.load_data(found.config).validation
    accuracy = found.report["one_shot"]["accuracy"]["network"]
    return {"accuracy": accuracy, "threshold": threshold(model, validation), "alphabets": alphabets}


def sheet(some: Dataset) -> Array:
    """A picture with a column for each letter and a row for each drawer: one of the gallery, and then others.

    Black ink on nothing, so that a page can give it the colour of its text.
    """
    rows = [0, *range(ENROLLED, ENROLLED + SHOWN)]
    drawn = [some.images[some.drawers == drawer, :, :, 0] for drawer in rows]  # (letters, 28, 28) each
    levels = np.rint(255 * np.concatenate([np.concatenate(list(row), axis=1) for row in drawn])).astype(np.uint8)
    return np.stack([np.zeros_like(levels), levels], axis=2)


def threshold(model: Model, data: Dataset) -> dict[str, float]:
    """The distance at which as many letters of a gallery are unknown as other letters of its alphabet are accepted.

    From the validation alphabets with more letters than a gallery has, each with a gallery of its first letters.
    """
    d, known = [], []
    for number in np.unique(data.groups):
        letters = data.where(data.groups == number)
        inside = np.isin(letters.labels, np.unique(letters.labels)[:LETTERS])
        if inside.all():
            continue
        entries = letters.where(inside & (letters.drawers < ENROLLED))
        people = model.enrol(entries.labels.astype(str).tolist(), entries.images)
        asked = letters.drawers >= STRANGERS
        d.append(model.search(people, letters.images[asked]).distances[:, 0])
        known.append(inside[asked])
    chosen = evaluate.choose_threshold(np.concatenate(d), np.concatenate(known), None, "equal-error")
    rates = {"rejected": chosen.false_reject.rate, "accepted": chosen.false_accept.rate}
    return {"value": chosen.value, **rates}


if __name__ == "__main__":
    print({name: value for name, value in ensure().items() if name != "alphabets"})
