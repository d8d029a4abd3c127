"""Start a run from the encoder of an earlier one: `minisiam train --start RUN`, fine-tuned or with `--freeze`.

A network that is trained on many classes distinguishes new ones, also of other data. What a few classes can teach is
little, so a run on them should not begin with random weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import data_spec
from .run import as_option, load_data, read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..typing import Params
    from .config import Config
    from .data_spec import Data
    from .run import Run

# the settings that determine the encoder's parameters and what it reads
OF_ENCODER = ("encoder", "embedding_size", "norm", "normalize", "centre", "pixels", "channels")


def settings(folder: Path, given: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run that starts from another: its encoder's, and those that are given.

    Raises ValueError if a setting of another encoder is given.
    """
    earlier, _ = read_checkpoint(folder)
    own = {name: getattr(earlier, name) for name in OF_ENCODER}
    for name in OF_ENCODER:
        if name in given and given[name] != own[name]:
            wanted, has = as_option(name, given[name]), as_option(name, own[name])
            raise ValueError(
                f"{wanted} is another encoder than that of --start {folder}, which has {has}: leave {wanted} out, or "
                "train an untrained encoder without --start"
            )
    return own | given | {"start": str(folder)}


def with_encoder(params: Params, earlier: Run) -> Params:
    """The parameters with the encoder of an earlier run."""
    return params | {"encoder": earlier.params["encoder"]}


def refuse_known_classes(earlier: Config, config: Config, data: Data, log: Callable[[str], Any]) -> None:
    """Raise ValueError if the test set has classes that the earlier run was trained on.

    Its data may not be on this machine; then `log` shows that nothing was compared.
    """
    kind, own = (one.data.partition(":")[0] for one in (config, earlier))
    same = (config.data, config.holdout) == (earlier.data, earlier.holdout)
    if kind == own and not same and data.new in ("alphabets", "classes"):
        try:
            train = load_data(earlier).train
        except FileNotFoundError as error:
            log(f"  note: {error}, so the classes of {config.start} could not be compared with the test set")
            return
        data_spec.refuse_training_classes(train, data.test, f"--start {config.start} with --holdout {config.holdout}")
