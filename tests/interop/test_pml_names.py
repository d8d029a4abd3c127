"""Constructor strings of pytorch-metric-learning: many spellings are one loss, and what is not mapped has a reason."""

import numpy as np
import pytest
from pml_names import from_reference, miner_from_reference

from minisiam import miners, pairwise

LABELS = np.array([7, -3, 7, 2, -3, 7, 5, 2, -3])


@pytest.fixture
def z(rng):
    return rng.normal(size=(len(LABELS), 4))


@pytest.mark.parametrize(
    "names",
    [
        ("TripletMarginLoss()", "TripletMarginLoss(0.05,False,False)", "losses.TripletMarginLoss( margin = 0.05 )"),
        (
            "TripletMarginLoss(margin=0.2,distance=Lp raw power=2)",
            "TripletMarginLoss(0.2, distance=LpDistance(normalize_embeddings=False, power=2))",
            "TripletMarginLoss(0.2,Lp raw power=2)",
        ),
        (
            "TripletMarginLoss(margin=0.2,raw,Mean)+BatchHardMiner(raw)",
            "TripletMarginLoss(0.2,reducer=MeanReducer(),distance=LpDistance(normalize_embeddings=False)) + "
            "BatchHardMiner(distance=LpDistance(normalize_embeddings=False))",
        ),
        ("NTXentLoss(0.5)", "NTXent(temperature=5e-1)", "NTXentLoss(0.5, CosineSimilarity())"),
        ("NPairsLoss(raw dot)", "NPairsLoss(distance=DotProductSimilarity(normalize_embeddings=False))"),
        ("NCALoss(raw power=2)", "NCALoss(1, distance=LpDistance(p=2, power=2, normalize_embeddings=False))"),
        ("ContrastiveLoss(1,0,distance=CosineSimilarity())", "ContrastiveLoss(neg_margin=0,pos_margin=1,cosine)"),
        (
            "TripletMarginLoss(0.3)+TripletMarginMiner(semihard)",
            "TripletMarginLoss(0.3)+TripletMarginMiner(0.2,type_of_triplets='semihard')",
        ),
    ],
)
def test_one_loss_has_many_names(z, names):
    values = [from_reference(name).found(z, LABELS)[0] for name in names]
    assert values == [values[0]] * len(names)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ContrastivLoss()", "did you mean 'ContrastiveLoss'"),
        ("ContrastiveLoss(margin=1)", "unknown argument 'margin'"),
        ("ContrastiveLoss(1, 2, 3)", "no further argument 3"),
        ("ContrastiveLoss(reducer=ThresholdReducer(low=0.1))", "only Mean, AvgNonZero, Sum and Divisor"),
        ("ContrastiveLoss(reducer=DivisorReducer())", "has a divisor only for"),
        ("ContrastiveLoss(distance=Lp sideways)", "'Lp sideways' is no distance"),
        ("ContrastiveLoss(distance=LpDistanc())", "unknown distance"),
        ("TripletMarginLoss(triplets_per_anchor=3)", "random"),
        ("TripletMarginLoss()+DistanceWeightedMiner()", "random"),
        ("TripletMarginLoss()+BatchHardMinr()", "did you mean 'BatchHardMiner'"),
        ("TripletMarginLoss()+BatchHardMiner()+HDCMiner()", "more than one miner"),
        ("TripletMarginLoss(embedding_regularizer=LpRegularizer())", "networks.regularized"),
        ("NCALoss()+BatchHardMiner()", "weighs this loss"),
        ("CircleLoss(distance=LpDistance())", "no other distance"),
        ("AngularLoss(raw)", "no other distance"),
        ("SphereFaceLoss(4,4)", "multiples of an angle"),
        ("LpDistance", "unknown loss"),
        ("Loss)(", "is not read"),
        (" ", "an empty name"),
    ],
)
def test_what_is_not_mapped_has_a_reason(name, reason):
    found, explanation = from_reference(name)
    assert found is None
    assert reason in explanation


def test_a_miner_has_its_own_distance(z):
    normalised, raw = (miner_from_reference(f"BatchHardMiner({word})").found(z, LABELS) for word in ("", "raw"))
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    for found, points in ((normalised, unit), (raw, z)):
        expected = miners.batch_hard(pairwise.l2(points, points)[0], LABELS)
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_miner_that_finds_nothing_leaves_the_value_0():
    far = np.array([[1.0, 0], [1, 0.01], [-1, 0], [-1, 0.01]])
    value, pullback = from_reference("ContrastiveLoss()+PairMarginMiner(0.2,0.8)").found(far, np.array([0, 0, 1, 1]))
    assert value == 0
    assert not pullback(1.0)[0].any()
