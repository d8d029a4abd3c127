"""More than one process: each holds some images of the batch, and all get the gradient of the whole batch.

    ranks    = distributed.mpi()                        or `run(f, 4)` with four threads, or `Single()`
    encoder  = distributed.encoder(encoder, ranks)      own images in, the embeddings of all images out
    distance = distributed.rows(pairwise.l2, ranks)     each rank computes its own rows of the distance matrix
    network  = networks.batch(encoder, distance, losses.supcon)
    value, pullback = network(params, own(x, ranks), labels)      the labels of the whole batch

Every rank holds all parameters and gets the value and the gradient of the whole batch, as one process would: the number
of ranks appears nowhere. One idea suffices for this: **the pullback of a copy is a sum, and the pullback of a sum is a
copy.** `all_gather`, `all_reduce` and `broadcast` are ops with such pullbacks.

    ranks       the interface: exchange, and what follows from it; a single rank
    threads     ranks that are threads of one process, for lessons and tests
    turns       the same where threads cannot start: ranks that take turns
    mpi         ranks that are processes, through mpi4py
    collectives the three ops
    encoder     an encoder whose value is the embeddings of all ranks; batch norm with the statistics of all ranks
    labels      the labels of the whole batch from those of each rank
    matrix      a distance matrix of which each rank computes its own rows
"""

from .collectives import all_gather, all_reduce, broadcast
from .encoder import encoder
from .labels import gather_labels
from .matrix import rows
from .mpi import mpi
from .ranks import Ranks, Single, own, share
from .threads import run

__all__ = [
    "Ranks",
    "Single",
    "all_gather",
    "all_reduce",
    "broadcast",
    "encoder",
    "gather_labels",
    "mpi",
    "own",
    "rows",
    "run",
    "share",
]
