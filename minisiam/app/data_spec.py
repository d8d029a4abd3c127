"""The data that the command line names, and how it is divided: to learn from, to watch while learning, to be judged by.

data = load("pen-glyphs")                                             every third alphabet is never learnt
data = load("omniglot:small1.zip", unseen="omniglot:background.zip")  all of the one, judged by what the other has more
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import datasets, require
from ..datasets import Dataset

if TYPE_CHECKING:
    from collections.abc import Callable


DRAWN = 35  # pen glyphs are drawn this large at most
UNSEEN = {  # what a network is judged by
    "third": "every third alphabet (or class, where there are no three alphabets)",
    "fifth": "every fifth alphabet or class",
    "images": "other images of the same classes: the authors' test images, or every third of a class",
    "none": "nothing: it learns from everything",
}
FEWEST = {"third": (3, 6), "fifth": (10, 20)}  # alphabets that can be divided, or else classes


class Data(NamedTuple):
    """Three sets: to learn from, to watch while learning, and to be judged by once.

    Where nothing was left to be judged by, the last two are what was learnt from, and `judged` is False.
    """

    train: Dataset
    validation: Dataset
    test: Dataset

    @property
    def judged(self) -> bool:
        """Whether there is anything that was not learnt from."""
        return self.test is not self.train

    @property
    def new(self) -> str:
        """What of the test set was never seen in training: its alphabets, classes or images, or nothing."""
        if not self.judged:
            return "nothing"
        if self.test.has_alphabets and not common(self.train, self.test):
            return "alphabets"
        same = self.train.names == self.test.names and np.isin(self.test.labels, self.train.labels).all()
        return "images" if same else "classes"


def common(learnt: Dataset, judged: Dataset) -> list[str]:
    """The alphabets of which both have letters, by name."""
    one, other = ({data.names[group] for group in np.unique(data.groups)} for data in (learnt, judged))
    return sorted(one & other)


def refuse_learnt(learnt: Dataset, judged: Dataset, name: str) -> None:
    """An error if classes that were learnt are among those to be judged by."""
    if judged.has_alphabets:
        both = common(learnt, judged)
        if both:
            raise ValueError(
                f"{name} would judge by {', '.join(both[:3])}{' …' * (len(both) > 3)}, from which this run has learnt: "
                "say --unseen NAME:PATH, and what was learnt is left out"
            )
    elif learnt.names == judged.names and np.isin(judged.labels, learnt.labels).any():
        raise ValueError(f"{name} would judge by classes from which this run has learnt: leave --unseen out")


def load(name: str, pixels: int = 28, unseen: str = "third") -> Data:
    """The data that `--data` names, as `pixels` × `pixels` images, divided as `--unseen` says.

    Parameters
    ----------
    name
        "pen-glyphs" is the built-in set, "pen-glyphs:7" the same letters in other hands (another seed). Other sets are
        on your disk: "omniglot:PATH", "mnist:PATH", "fashion-mnist:PATH", "folder:PATH". For the maps of Hadsell et al.
        (2006) there are "mnist-4-9:PATH", "mnist-4-shifted:PATH", and "rendered", which is built in.
    pixels
        The side of the images.
    unseen
        A word of `UNSEEN`, or other data: then all of `name` is learnt from, and what is judged are the alphabets of
        `unseen` that `name` does not have.
    """
    if ":" in unseen:
        return _apart(whole(name, pixels), whole(unseen, pixels), name, unseen)
    require.one_of("unseen", unseen, UNSEEN)
    kind, _, path = name.partition(":")
    if unseen == "none":
        return Data(*3 * [whole(name, pixels)])
    if kind in SHIFTED and path:
        return Data(*map(datasets.shifted, _authors_parts(SHIFTED[kind], path, pixels, unseen)))
    if kind in AUTHORS and path:
        return _authors_parts(AUTHORS[kind], path, pixels, unseen)
    return parted(whole(name, pixels), unseen)


def whole(name: str, pixels: int = 28) -> Dataset:
    """All of the data that a name names; of what its authors divided, their training part."""
    kind, colon, rest = name.partition(":")
    if kind == "pen-glyphs":
        return _at_size(_pen_glyphs(name, colon, rest, min(pixels, DRAWN)), pixels)
    if name == "rendered":
        return datasets.rendered(pixels)
    if kind not in READERS:
        known = ", ".join(f"{kind}:PATH" for kind in READERS)
        raise ValueError(
            f"unknown data {name!r}: pen-glyphs and rendered are built in, pen-glyphs:7 has another seed; "
            f"from your disk come {known}"
        )
    if not rest:
        raise ValueError(f"data {name!r}: after a colon comes where it is, {kind}:PATH")
    return READERS[kind](rest, pixels)


def parted(data: Dataset, unseen: str = "third") -> Data:
    """What is learnt from, watched and judged by: sets of classes that have none in common, but for "images".

    "third": every third alphabet is for testing, and every fifth of the others (or the last of fewer) for validation.
    Where there are no three alphabets the same is done with classes, and at least two are in each set. "fifth": every
    fifth is held out, of which the last is watched. "images": every third image of each class is for testing, and every
    tenth of the others for validation, or of fewer the last.
    """
    if unseen == "images":
        rest, test = _by_images(data, 3)
        smallest = int(np.unique(rest.labels, return_counts=True)[1].min())
        return Data(*_by_images(rest, min(10, smallest // 2)), test)
    alphabets, classes = (len(np.unique(kinds)) for kinds in (data.groups, data.labels))
    fewest = FEWEST[unseen]
    by, count, watched = ("alphabets", alphabets, 1) if alphabets >= fewest[0] else ("classes", classes, 2)
    if by == "classes" and classes < fewest[1]:
        raise ValueError(
            f"{classes} classes are too few for --unseen {unseen}, which needs {fewest[1]}: "
            "two to watch and two to be judged by, and the others to learn from"
        )
    if unseen == "fifth":
        train, held_out = datasets.split(data, every=5, by=by)
        test, validation = datasets.split(held_out, every=count // 5 // watched, by=by)
        return Data(train, validation, test)
    rest, test = datasets.split(data, by=by)
    return Data(*datasets.split(rest, every=min(5, (count - count // 3) // watched), by=by), test)


def _by_images(data: Dataset, every: int) -> tuple[Dataset, Dataset]:
    """Hold out every `every`-th image of each class, in the order in which they come."""
    order = np.argsort(data.labels, kind="stable")
    _, start, count = np.unique(data.labels[order], return_index=True, return_counts=True)
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order)) - np.repeat(start, count)
    if count.min() < 2 * every:
        raise ValueError(f"a class has {count.min()} images: --unseen images needs {2 * every} of each at least")
    held_out = rank % every == every - 1
    return data.where(~held_out), data.where(held_out)


def _apart(learnt: Dataset, others: Dataset, name: str, unseen: str) -> Data:
    """All of one set to learn from; of the other what is new, of which every fourth alphabet is watched."""
    known = np.isin(others.names, common(learnt, others))[others.groups]
    others = others.where(~known)
    if not others.has_alphabets or len(np.unique(others.groups)) < 4:
        raise ValueError(f"--unseen {unseen} has fewer than four alphabets that --data {name} does not have")
    judged, watched = datasets.split(others, every=4)
    return Data(learnt, watched, judged)


def _authors_parts(read: Callable[..., Dataset], path: str, pixels: int, unseen: str) -> Data:
    """Of a set that its authors divided: images to learn from are of their training part, all others of their test."""
    if not Path(path).is_dir():
        raise ValueError(f"{path} is no folder: name the one that holds the four idx files")
    learnt, judged = (_at_size(read(path, part), pixels) for part in ("train", "test"))
    if unseen == "images":
        return Data(*_by_images(learnt, 30), judged)
    mine, theirs = parted(learnt, unseen), parted(judged, unseen)
    return Data(mine.train, theirs.validation, theirs.test)


def _pen_glyphs(name: str, colon: str, seed: str, pixels: int) -> Dataset:
    if colon and not seed.isdecimal():
        raise ValueError(f"data {name!r}: after the colon comes a seed, a whole number as in pen-glyphs:7")
    return datasets.pen_glyphs(size=pixels, rng=np.random.default_rng(int(seed or 0)))


def _at_size(data: Dataset, pixels: int) -> Dataset:
    if data.images.shape[1:3] == (pixels, pixels):
        return data
    return data._replace(images=datasets.resized(data.images, pixels))


def _authors_training(read: Callable[..., Dataset], path: str, pixels: int) -> Dataset:
    return _at_size(read(path), pixels)


def _shifted_training(read: Callable[..., Dataset], path: str, pixels: int) -> Dataset:
    return datasets.shifted(_authors_training(read, path, pixels))


AUTHORS: dict[str, Callable[..., Dataset]] = {
    "mnist": datasets.mnist,
    "mnist-4-9": datasets.digits,
    "fashion-mnist": datasets.fashion_mnist,
}
SHIFTED: dict[str, Callable[..., Dataset]] = {"mnist-4-shifted": partial(datasets.digits, which=(4,), each=1000)}
READERS: dict[str, Callable[[str, int], Dataset]] = {
    "omniglot": datasets.omniglot,
    **{kind: partial(_authors_training, read) for kind, read in AUTHORS.items()},
    **{kind: partial(_shifted_training, read) for kind, read in SHIFTED.items()},
    "folder": datasets.folder,
}
