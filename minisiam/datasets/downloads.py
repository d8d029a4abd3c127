"""Download published data sets once, over https; a file is kept only if its SHA-256 is right.

The checksums are those of TensorFlow Datasets. We also compared those of Omniglot's small sets with our own copies.
The official one-shot runs of Omniglot are not in the list, because no checksum of them is published:
https://github.com/brendenlake/omniglot/raw/master/python/one-shot-classification/all_runs.zip
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import require

if TYPE_CHECKING:
    from collections.abc import Callable

    Log = Callable[[str], None]


class Published(NamedTuple):
    """A published file: its address, its length in bytes and its SHA-256."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]


OMNIGLOT = "https://github.com/brendenlake/omniglot/raw/master/python/"
MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist/"
FASHION = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
SETS = {
    "omniglot": (
        Published(
            OMNIGLOT + "images_background.zip",
            9_464_212,
            "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
        ),
        Published(
            OMNIGLOT + "images_evaluation.zip",
            6_462_886,
            "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
        ),
    ),
    "omniglot-small1": (
        Published(
            OMNIGLOT + "images_background_small1.zip",
            1_319_022,
            "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
        ),
    ),
    "omniglot-small2": (  # not to be joined with small1: they share an alphabet
        Published(
            OMNIGLOT + "images_background_small2.zip",
            1_580_917,
            "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
        ),
    ),
    "mnist": (
        Published(
            MNIST + "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        Published(
            MNIST + "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        Published(
            MNIST + "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        Published(
            MNIST + "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion-mnist": (
        Published(
            FASHION + "train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        Published(
            FASHION + "train-labels-idx1-ubyte.gz",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        Published(
            FASHION + "t10k-images-idx3-ubyte.gz",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        Published(
            FASHION + "t10k-labels-idx1-ubyte.gz",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
}


def fetch(name: str, folder: Path, log: Log) -> list[Path]:
    """Download a data set into a folder; files that are already there and right are kept.

    Parameters
    ----------
    name
        omniglot, omniglot-small1, omniglot-small2, mnist or fashion-mnist.
    folder
        The folder of the files. Each file gets its name only after it is complete and verified.
    log
        A function that is called with each line of progress, for example `print`.
    """
    require.one_of("data", name, SETS)
    try:
        import pooch
    except ImportError as error:
        raise ImportError(f"downloads need pooch: {require.how_to_install('data')}") from error
    pooch.get_logger().setLevel("WARNING")
    return [_fetch(pooch, file, folder, log) for file in SETS[name]]


def _fetch(pooch: Any, file: Published, folder: Path, log: Log) -> Path:
    require_https(file.url)
    hooks = {"response": _require_https_of_response}
    downloader = pooch.HTTPDownloader(progressbar=Progress(file, log), hooks=hooks, timeout=30)
    by_hand = f"download it by hand into {folder}; its SHA-256 is {file.sha256}"
    try:
        return Path(
            pooch.retrieve(file.url, f"sha256:{file.sha256}", fname=file.name, path=folder, downloader=downloader)
        )
    except OSError as error:  # the exceptions of requests are OSErrors
        raise OSError(f"{file.url} cannot be reached ({type(error).__name__}): {by_hand}") from error
    except ValueError as error:
        raise ValueError(f"{file.url} is not the expected file ({error}): nothing was kept") from error


def require_https(url: str) -> None:
    """Require an https address, so that no one can change the file on its way."""
    if not url.startswith("https://"):
        raise ValueError(f"{url} is not https")


def _require_https_of_response(response: Any, *_: Any, **__: Any) -> None:
    """Require https of every response, and of the address to which it redirects."""
    require_https(response.url)
    target = response.headers.get("location", "")
    if "://" in target:
        require_https(target)


class Progress:
    """The progress bar for pooch: it logs a line for every tenth, and rejects a file that is much too long."""

    def __init__(self, file: Published, log: Log) -> None:
        self.file, self.log, self.total = file, log, 0
        self.done, self.logged = 0, 0

    def update(self, count: int) -> None:
        """Count this many more bytes."""
        self.done += count
        if self.done > 2 * self.file.size + 1_000_000:  # pooch counts a partial chunk as a whole one
            raise ValueError(f"it is much longer than {self.file.size:,} bytes")
        tenth = min(10, 10 * self.done // self.file.size)
        if tenth > self.logged:
            self.logged = tenth
            self.log(f"  {self.file.name:32}{10 * tenth:4} % of {self.file.size / 1e6:.1f} MB")

    def reset(self) -> None:
        """Restart the count."""
        self.done = 0

    def close(self) -> None:
        """Do nothing; pooch requires this method."""
