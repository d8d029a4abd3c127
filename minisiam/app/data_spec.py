"""The data that `--data` names, split into training, validation and test set as `--holdout` says.

data = load("pen-glyphs")                                              every third alphabet is in the test set
data = load("omniglot:small1.zip", holdout="omniglot:background.zip")  train on one, test on the others' new alphabets
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import datasets, require
from ..datasets import Dataset
from ..datasets.safe_io import existing

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..typing import Array

LARGEST = 35  # pixels: the largest size in which pen glyphs are drawn
HOLDOUT = {  # what the test set is
    "third": "every third alphabet (or class, if there are fewer than three alphabets)",
    "fifth": "every fifth alphabet or class",
    "images": "other images of the same classes: the published test images, or every third image of a class",
    "none": "nothing: train on everything",
}
FEWEST = {"third": (3, 6), "fifth": (10, 20)}  # alphabets, or else classes, that can be split


class Data(NamedTuple):
    """Training, validation and test set. If nothing is held out, all three are the same data set."""

    train: Dataset
    validation: Dataset
    test: Dataset

    @property
    def has_test(self) -> bool:
        """Whether anything was held out."""
        return self.test is not self.train

    @property
    def new(self) -> str:
        """What in the test set is not in the training set: "alphabets", "classes", "images" or "nothing"."""
        if not self.has_test:
            return "nothing"
        if self.test.has_alphabets and not shared_alphabets(self.train, self.test):
            return "alphabets"
        others = set(self.test.class_names) - set(shared_classes(self.train, self.test))
        return "classes" if others else "images"


def shared_alphabets(one: Dataset, other: Dataset) -> list[str]:
    """The names of the alphabets of which both have images."""
    a, b = ({data.names[group] for group in np.unique(data.groups)} for data in (one, other))
    return sorted(a & b)


def shared_classes(one: Dataset, other: Dataset) -> list[str]:
    """The names of the classes of which both have images; classes of two kinds of data are never the same."""
    return sorted(set(one.class_names) & set(other.class_names)) if one.names == other.names else []


def refuse_training_classes(train: Dataset, test: Dataset, option: str) -> None:
    """Raise ValueError if the test set has classes of the training set; `option` is what to change."""
    if test.has_alphabets:
        both = shared_alphabets(train, test)
        if both:
            raise ValueError(
                f"{option} would test on {', '.join(both[:3])}{' …' * (len(both) > 3)}, which this run was trained on: "
                "use --holdout NAME:PATH, which leaves these alphabets out"
            )
    elif both := shared_classes(train, test):
        raise ValueError(
            f"{option} would test on classes that this run was trained on, "
            f"{', '.join(both[:3])}{' …' * (len(both) > 3)}: use its own test set, or data with other classes"
        )


def require_pairs(data: Data) -> None:
    """Raise ValueError if a class with a name has a single image, which has no second one to be compared with."""
    for part in data:
        labels, count = np.unique(part.labels, return_counts=True)
        if part.classes and (count < 2).any():
            single = [part.class_name(label) for label in labels[count < 2]]
            raise ValueError(
                f"{len(single)} class{'es' * (len(single) > 1)} with only one image, {', '.join(single[:3])}"
                f"{' …' * (len(single) > 3)}: two images of a class are compared, so add images or leave the class out"
            )


def load(name: str, pixels: int = 28, holdout: str = "third", channels: int = 1) -> Data:
    """The data that `--data` names, as `pixels` × `pixels` images, split as `--holdout` says.

    Parameters
    ----------
    name
        "pen-glyphs" is built in; "pen-glyphs:7" has the same letters drawn with another seed. Other data are on your
        disk: "omniglot:PATH", "mnist:PATH", "fashion-mnist:PATH", "emnist-letters:PATH" (or
        another set of `datasets.EMNIST`), "folder:PATH". The maps of Hadsell et al. (2006) use "mnist-4-9:PATH",
        "mnist-4-shifted:PATH", and "rendered", which is built in.
    pixels
        The side of the images.
    holdout
        A key of `HOLDOUT`, or the name of other data: then all of `name` is for training, and the alphabets of
        `holdout` that `name` does not have are for validation and test.
    channels
        1 for grey images; 3 for colour, which only folders of pictures have.
    """
    if ":" in holdout:
        train, others = (load_all(one, pixels, channels) for one in (name, holdout))
        return _with_other_test(train, others, name, holdout)
    require.one_of("holdout", holdout, HOLDOUT)
    kind, _, path = name.partition(":")
    if holdout == "none":
        return Data(*3 * [load_all(name, pixels, channels)])
    _require_colours(name, channels)
    if kind in SHIFTED and path:
        return Data(*map(datasets.shifted, _published_split(SHIFTED[kind], path, pixels, holdout)))
    if kind in PUBLISHED and path:
        return _published_split(PUBLISHED[kind], path, pixels, holdout)
    return split(load_all(name, pixels, channels), holdout)


def _require_colours(name: str, channels: int) -> None:
    if channels != 1 and name.partition(":")[0] != "folder":
        raise ValueError(f"--channels {channels} reads colours, and {name} has grey images: use --data folder:PATH")


def load_all(name: str, pixels: int = 28, channels: int = 1) -> Dataset:
    """All images that a name of `load` stands for; of data with a published split, its training part."""
    _require_colours(name, channels)
    kind, colon, rest = name.partition(":")
    if kind == "pen-glyphs":
        return _at_size(_pen_glyphs(name, colon, rest, min(pixels, LARGEST)), pixels)
    if name == "rendered":
        return datasets.rendered(pixels)
    if kind not in READERS:
        known = ", ".join(f"{kind}:PATH" for kind in READERS)
        raise ValueError(
            f"unknown data {name!r}: pen-glyphs and rendered are built in, pen-glyphs:7 has another seed; "
            f"data on your disk are {known}"
        )
    if channels != 1 and rest:
        return datasets.folder(rest, pixels, channels=channels)
    if not rest:
        raise ValueError(f"data {name!r} needs the path of its files after a colon: {kind}:PATH")
    return READERS[kind](rest, pixels)


def split(data: Dataset, holdout: str = "third") -> Data:
    """Split data into training, validation and test set, which share no class unless `holdout` is "images".

    "third": every third alphabet is for testing, and every fifth of the others (or the last, if there are fewer) for
    validation. If there are fewer than three alphabets, classes are split instead, at least two for each set.
    "fifth": every fifth is held out, and the last of these is for validation. "images": every third image of each class
    is for testing, and every tenth of the others (or the last, if there are fewer) for validation.
    """
    if holdout == "images":
        rest, test = _by_images(data, 3)
        smallest = int(np.unique(rest.labels, return_counts=True)[1].min())
        return Data(*_by_images(rest, min(10, smallest // 2)), test)
    alphabets, classes = (len(np.unique(kinds)) for kinds in (data.groups, data.labels))
    fewest = FEWEST[holdout]
    by, count, for_validation = ("alphabets", alphabets, 1) if alphabets >= fewest[0] else ("classes", classes, 2)
    if by == "classes" and classes < fewest[1]:
        raise ValueError(
            f"--holdout {holdout} needs {fewest[1]} classes, some of them for validation and for testing, and there "
            f"{'are' if classes > 1 else 'is'} {classes}: use "
            + ("--holdout third" if classes >= FEWEST["third"][1] else "--holdout images, or add classes")
        )
    if holdout == "fifth":
        train, held_out = datasets.split(data, every=5, by=by)
        test, validation = datasets.split(held_out, every=count // 5 // for_validation, by=by)
        return Data(train, validation, test)
    rest, test = datasets.split(data, by=by)
    return Data(*datasets.split(rest, every=min(5, (count - count // 3) // for_validation), by=by), test)


def _by_images(data: Dataset, every: int) -> tuple[Dataset, Dataset]:
    """Hold out every `every`-th image of each class, in the order of the data."""
    fewest = np.unique(data.labels, return_counts=True)[1].min()
    if fewest < 2 * every:
        raise ValueError(
            f"one class has only {fewest} images: --holdout images needs at least {2 * every} of each class"
        )
    held_out = rank_in_class(data.labels) % every == every - 1
    return data.where(~held_out), data.where(held_out)


def rank_in_class(labels: Array) -> Array:
    """How many images before each one have its class.

    >>> rank_in_class(np.array([5, 7, 5, 5])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(labels, kind="stable")
    _, start, count = np.unique(labels[order], return_index=True, return_counts=True)
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order)) - np.repeat(start, count)
    return rank


def _with_other_test(train: Dataset, others: Dataset, name: str, holdout: str) -> Data:
    """All of one data set for training; of the other its new alphabets or classes, some of them for validation."""
    by = "alphabets" if others.has_alphabets else "classes"
    if by == "alphabets":
        known = np.isin(others.names, shared_alphabets(train, others))[others.groups]
    else:
        known = np.isin([others.class_name(label) for label in others.labels], shared_classes(train, others))
    others = others.where(~known)
    if len(np.unique(others.groups if by == "alphabets" else others.labels)) < 4:
        raise ValueError(f"--holdout {holdout} has fewer than four {by} that --data {name} does not have")
    test, validation = datasets.split(others, every=4 if by == "alphabets" else 2, by=by)
    return Data(train, validation, test)


def _published_split(read: Callable[..., Dataset], path: str, pixels: int, holdout: str) -> Data:
    """Data with a published split: train on images of its training part, validate and test on its test part."""
    if not existing(path).is_dir():
        raise ValueError(f"{path} is not a folder: name the folder that contains the four idx files")
    train, test = (_at_size(read(path, part), pixels) for part in ("train", "test"))
    if holdout == "images":
        return Data(*_by_images(train, 30), test)
    of_train, of_test = split(train, holdout), split(test, holdout)
    return Data(of_train.train, of_test.validation, of_test.test)


def _pen_glyphs(name: str, colon: str, seed: str, pixels: int) -> Dataset:
    if colon and not seed.isdecimal():
        raise ValueError(f"data {name!r}: the seed after the colon must be a whole number, as in pen-glyphs:7")
    return datasets.pen_glyphs(size=pixels, rng=np.random.default_rng(int(seed or 0)))


def _at_size(data: Dataset, pixels: int) -> Dataset:
    if data.images.shape[1:3] == (pixels, pixels):
        return data
    return data._replace(images=datasets.resized(data.images, pixels))


def _published_training(read: Callable[..., Dataset], path: str, pixels: int) -> Dataset:
    return _at_size(read(path), pixels)


def _shifted_training(read: Callable[..., Dataset], path: str, pixels: int) -> Dataset:
    return datasets.shifted(_published_training(read, path, pixels))


PUBLISHED: dict[str, Callable[..., Dataset]] = {
    "mnist": datasets.mnist,
    "mnist-4-9": datasets.digits,
    "fashion-mnist": datasets.fashion_mnist,
    **{f"emnist-{which}": partial(datasets.emnist, which=which) for which in datasets.EMNIST},
}
SHIFTED: dict[str, Callable[..., Dataset]] = {"mnist-4-shifted": partial(datasets.digits, which=(4,), each=1000)}
READERS: dict[str, Callable[[str, int], Dataset]] = {
    "omniglot": datasets.omniglot,
    **{kind: partial(_published_training, read) for kind, read in PUBLISHED.items()},
    **{kind: partial(_shifted_training, read) for kind, read in SHIFTED.items()},
    "folder": datasets.folder,
}
