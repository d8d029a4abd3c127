"""Values and gradients of pytorch-metric-learning on one batch, as JSON for tests/interop/test_oracle.py.

Needs torch and pytorch-metric-learning, which neither the package nor its tests do; the tests read the JSON only.

    cd tests/interop/oracle
    python make_oracle.py --seed 1 --points 11 --dimensions 5 --out pml_oracle_unequal.json

Classes are of unequal sizes, some of one image; labels are shuffled, with gaps, and negative. A loss with proxies has
them beside it, numbered from 0, with labels to fit.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pytorch_metric_learning
import torch
from pytorch_metric_learning import distances, losses, miners, reducers

KNOWN = {k: v for room in (distances, losses, miners, reducers) for k, v in vars(room).items() if isinstance(v, type)}
RAW = "distance=LpDistance(normalize_embeddings=False)"
DISTANCES = (
    "LpDistance()",
    "LpDistance(normalize_embeddings=False)",
    "LpDistance(power=2)",
    "LpDistance(normalize_embeddings=False, power=2)",
    "LpDistance(p=1)",
    "LpDistance(normalize_embeddings=False, p=1)",
    "LpDistance(p=3, power=2)",
    "LpDistance(normalize_embeddings=False, p=1.5)",
    "LpDistance(power=3)",
    "CosineSimilarity()",
    "DotProductSimilarity()",
    "DotProductSimilarity(normalize_embeddings=False)",
    "SNRDistance()",
)
ANY_DISTANCE = (
    "ContrastiveLoss(0.1, 0.8",
    "TripletMarginLoss(0.3",
    "TripletMarginLoss(margin=0.2, swap=True",
    "TripletMarginLoss(smooth_loss=True",
    "NTXentLoss(0.7",
    "SupConLoss(0.8",
    "NPairsLoss(",
    "MultiSimilarityLoss(1.5, 4, base=0.4",
    "LiftedStructureLoss(",
    "GeneralizedLiftedStructureLoss(neg_margin=0.7, pos_margin=0.2",
    "NCALoss(0.6",
    "MarginLoss(0.1, beta=0.9",
)
ANY_REDUCER = (
    "ContrastiveLoss(",
    "TripletMarginLoss(margin=0.2",
    "NTXentLoss(",
    "SupConLoss(",
    "NPairsLoss(",
    "MultiSimilarityLoss(",
    "CircleLoss(m=0.3, gamma=8",
    "LiftedStructureLoss(",
    "GeneralizedLiftedStructureLoss(",
    "NCALoss(",
    "MarginLoss(",
    "AngularLoss(alpha=35",
    "TupletMarginLoss(margin=4, scale=16",
    "FastAPLoss(num_bins=7",
    "IntraPairVarianceLoss(",
    "SignalToNoiseRatioContrastiveLoss(neg_margin=0.8",
)
DEFAULTS = (
    "ContrastiveLoss()",
    "ContrastiveLoss(pos_margin=1, neg_margin=0, distance=CosineSimilarity())",
    "TripletMarginLoss()",
    "TripletMarginLoss(margin=-0.1)",
    "NTXentLoss()",
    "SupConLoss()",
    "NPairsLoss()",
    "MultiSimilarityLoss()",
    "CircleLoss()",
    "LiftedStructureLoss()",
    "LiftedStructureLoss(0.5, 0.1)",
    "GeneralizedLiftedStructureLoss()",
    "NCALoss()",
    "MarginLoss()",
    "AngularLoss()",
    "TupletMarginLoss()",
    "FastAPLoss()",
    "FastAPLoss(10, distance=LpDistance())",
    "HistogramLoss()",
    "HistogramLoss(n_bins=13)",
    "HistogramLoss(delta=0.1)",
    "IntraPairVarianceLoss()",
    "IntraPairVarianceLoss(0.05, 0.1, distance=LpDistance())",
    "SignalToNoiseRatioContrastiveLoss()",
    "ThresholdConsistentMarginLoss()",
    "ThresholdConsistentMarginLoss(0.7, 1.4, margin_plus=0.8, margin_minus=0.3)",
    "VICRegLoss()",
    "VICRegLoss(10, 5, 2, eps=1e-3)",
)
MINERS = (
    "BatchHardMiner()",
    "BatchHardMiner(distance=LpDistance(normalize_embeddings=False))",
    "BatchHardMiner(distance=CosineSimilarity())",
    "BatchEasyHardMiner()",
    "BatchEasyHardMiner(pos_strategy='hard', neg_strategy='semihard')",
    "BatchEasyHardMiner(pos_strategy='semihard', neg_strategy='hard')",
    "BatchEasyHardMiner('easy', 'easy')",
    "BatchEasyHardMiner('all', 'hard')",
    "BatchEasyHardMiner('easy', 'all')",
    "TripletMarginMiner()",
    "TripletMarginMiner(0.4, type_of_triplets='semihard')",
    "TripletMarginMiner(type_of_triplets='hard')",
    "TripletMarginMiner(margin=0.1, type_of_triplets='easy')",
    "TripletMarginMiner(type_of_triplets='semihard', distance=DotProductSimilarity(normalize_embeddings=False))",
    "MultiSimilarityMiner()",
    "MultiSimilarityMiner(epsilon=0.3, distance=LpDistance())",
    "PairMarginMiner()",
    "PairMarginMiner(0.5, 1.2)",
    "PairMarginMiner(0.7, 0.2, distance=CosineSimilarity())",
    "AngularMiner()",
    "AngularMiner(angle=35)",
    "HDCMiner()",
    "HDCMiner(0.3)",
)
TOGETHER = (
    "ContrastiveLoss()+PairMarginMiner(0.3, 1.1)",
    "ContrastiveLoss()+BatchHardMiner()",
    "TripletMarginLoss(margin=0.2, reducer=MeanReducer())+BatchHardMiner()",
    f"TripletMarginLoss(0.5, {RAW})+TripletMarginMiner(0.3, type_of_triplets='semihard')",
    "TripletMarginLoss(0.2)+MultiSimilarityMiner()",
    "TripletMarginLoss(0.2, swap=True)+BatchHardMiner()",
    "MarginLoss()+BatchHardMiner()",
    "MultiSimilarityLoss()+MultiSimilarityMiner()",
    "MultiSimilarityLoss()+BatchHardMiner()",
    "GeneralizedLiftedStructureLoss()+BatchHardMiner()",
    "NTXentLoss(0.3)+MultiSimilarityMiner()",
    "NTXentLoss(0.3)+BatchHardMiner()",
    "IntraPairVarianceLoss()+PairMarginMiner()",
)
PROXIES = (
    "ProxyNCALoss({k}, {d})",
    "ProxyNCALoss({k}, {d}, softmax_scale=3, distance=LpDistance(normalize_embeddings=False))",
    "ProxyAnchorLoss({k}, {d})",
    "ProxyAnchorLoss({k}, {d}, margin=0.2, alpha=8)",
    "ArcFaceLoss({k}, {d})",
    "ArcFaceLoss({k}, {d}, margin=50, scale=8, reducer=SumReducer())",
    "CosFaceLoss({k}, {d})",
    "CosFaceLoss({k}, {d}, margin=0.2, scale=10)",
    "NormalizedSoftmaxLoss({k}, {d})",
    "NormalizedSoftmaxLoss({k}, {d}, 0.5, distance=DotProductSimilarity(normalize_embeddings=False))",
    "NormalizedSoftmaxLoss({k}, {d}, 0.5, distance=LpDistance())",
    "ProxyAnchorLoss({k}, {d}, reducer=MeanReducer())",
    "ProxyAnchorLoss({k}, {d}, alpha=4, distance=DotProductSimilarity(), reducer=SumReducer())",
    "ProxyAnchorLoss({k}, {d}, alpha=2, distance=DotProductSimilarity(normalize_embeddings=False))",
    "ProxyAnchorLoss({k}, {d}, reducer=AvgNonZeroReducer())",
    "SoftTripleLoss({k}, {d}, centers_per_class=2)",
    "SoftTripleLoss({k}, {d}, 3, 5, gamma=0.3, margin=0.1)",
)
UNMAPPED = ("RankedListLoss(0.4, 10)",)
REDUCERS = ("MeanReducer()", "AvgNonZeroReducer()", "SumReducer()")


def batch(seed, points, dimensions, tidy):
    """Unequal classes, with singletons, in any order; tidy numbers them from 0."""
    rng = np.random.default_rng(seed)
    sizes = []
    while sum(sizes) < points:
        sizes.append(min(int(rng.choice([1, 2, 3, 5])) if len(sizes) > 1 else 2, points - sum(sizes)))
    names = np.arange(len(sizes)) if tidy else rng.permutation(np.arange(-3, 2 * len(sizes)))[: len(sizes)]
    labels = rng.permutation(np.repeat(names, sizes))
    centres = 0.6 * rng.normal(size=(len(sizes), dimensions))
    embeddings = rng.normal(size=(points, dimensions)) + centres[np.unique(labels, return_inverse=True)[1]]
    return embeddings.round(3), labels


def short(array):
    """As lists of numbers of twelve digits."""
    return np.vectorize(lambda x: float(f"{x:.12g}"))(array).tolist()


def made(name):
    """The objects that a name of the lists above stands for."""
    return [eval(part, KNOWN) for part in name.split("+")]


def measured(name, embeddings, labels, rng):
    """Value and gradient of a loss, with its proxies where it has some."""
    loss, *mining = made(name)
    z = torch.tensor(embeddings, requires_grad=True)
    y = torch.tensor(labels)
    entry = {}
    if type(loss).__name__ == "VICRegLoss":
        other = (embeddings + 0.3 * rng.normal(size=embeddings.shape)).round(3)
        value = loss(z, ref_emb=torch.tensor(other))
        entry["ref_emb"] = other.tolist()
    else:
        weights = dict(loss.named_parameters())
        if weights:
            (parameter,) = weights.values()
            proxies = rng.normal(size=tuple(parameter.shape)).round(3)
            parameter.data = torch.tensor(proxies)
            y = torch.tensor(np.unique(labels, return_inverse=True)[1])
            rows = proxies if "proxies" in weights else proxies.T
            entry |= {"proxies": rows.tolist(), "labels": y.tolist()}
        value = loss(z, y, *(mine(z, y) for mine in mining))
        value.backward()
        if weights:
            grad = parameter.grad.numpy()
            entry["grad_proxies"] = short(grad if "proxies" in weights else grad.T)
    if z.grad is None:
        value.backward()
    return {"value": value.item(), "grad": short(z.grad.numpy())} | entry


def names_of_losses(small):
    """Every loss with every distance and every reducer; small takes a few of these."""
    together = [f"{loss}, distance={d})".replace("(, ", "(") for loss in ANY_DISTANCE for d in DISTANCES]
    reduced = [f"{loss}, reducer={r})".replace("(, ", "(") for loss in ANY_REDUCER for r in REDUCERS]
    reduced.remove("FastAPLoss(num_bins=7, reducer=AvgNonZeroReducer())")  # 1 − AP = 0 comes out as 10⁻¹⁷ or as 0
    return [*DEFAULTS, *together[:: 7 if small else 1], *reduced[:: 2 if small else 1], *TOGETHER, *UNMAPPED]


def main():
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--points", type=int, default=11)
    parser.add_argument("--dimensions", type=int, default=5)
    parser.add_argument("--tidy", action="store_true", help="labels from 0, without gaps")
    parser.add_argument("--small", action="store_true", help="fewer combinations")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    rng = np.random.default_rng(given.seed)
    embeddings, labels = batch(given.seed, given.points, given.dimensions, given.tidy)
    classes = len(np.unique(labels))
    names = [name.format(k=classes, d=given.dimensions) for name in PROXIES]
    names = [*names_of_losses(given.small), *names]
    found = {
        "pytorch_metric_learning": pytorch_metric_learning.__version__,
        "torch": torch.__version__,
        "dtype": "float64",
        "embeddings": embeddings.tolist(),
        "labels": labels.tolist(),
        "losses": {name: measured(name, embeddings, labels, rng) for name in names},
        "miners": {
            name: [part.tolist() for part in made(name)[0](torch.tensor(embeddings), torch.tensor(labels))]
            for name in MINERS
        },
    }
    given.out.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
