"""pytorch-metric-learning's constructor strings, read for the tests: what is this loss or miner in minisiam?

    from_reference("TripletMarginLoss(margin=0.2,distance=LpDistance(power=2))+BatchHardMiner()").found(z, labels)
    miner_from_reference("TripletMarginMiner(semihard)").found(z, labels)

An oracle file names its losses and miners in this way. `calls` reads a name; `distances`, `mined` and `miners` have
what the package does not; `reading` builds a loss of `minisiam.app.conventions.pml`.
"""

from .reading import Found, from_reference, miner_from_reference

__all__ = ["Found", "from_reference", "miner_from_reference"]
