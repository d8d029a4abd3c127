"""The X-ray of a loss: the forces add up to the gradient and satisfy the conservation laws of the distance."""

import io
import json
from functools import partial

import numpy as np
import pytest

from minisiam import losses, miners, pairwise, plots
from minisiam.analysis import force_laws, forces
from minisiam.op import op
from minisiam.plots.forces import _projection as projection

LOSSES = {
    "contrastive": losses.with_miner(losses.contrastive, miners.all_pairs),
    "hard": losses.with_miner(losses.triplet_hinge, miners.batch_hard),
    "soft": losses.with_miner(losses.triplet_soft_margin, miners.all_triplets),
}
W, BIAS = np.array([1.5, -0.5, 0.2]), np.array(0.3)
DISTANCES = {
    "l2": (pairwise.l2, ()),
    "squared_l2": (pairwise.squared_l2, ()),
    "l1": (pairwise.l1, ()),
    "weighted_l1": (pairwise.weighted_l1, (W, BIAS)),
    "cosine": (pairwise.cosine, ()),
    "dot": (pairwise.dot, ()),
    "calibrated_l2": (pairwise.calibrated(pairwise.l2), (np.array(2.0), np.array(-1.0))),
}
every_distance = pytest.mark.parametrize("name", DISTANCES)
every_loss = pytest.mark.parametrize("loss", LOSSES)


def batch(seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(9, 3)).astype(dtype), rng.permutation(np.repeat([4, 0, 7], 3))


def xray_of(name, loss="soft", seed=0):
    distance, params = DISTANCES[name]
    return forces.xray(LOSSES[loss], *batch(seed), distance, params)


@op
def all_entries(D, labels, /):
    """A loss with a different gradient for each entry of D, the diagonal included."""
    weights = np.sin(1 + np.arange(D.size)).reshape(D.shape)
    return (weights * D).sum(), lambda dl: (dl * weights,)


@every_distance
@every_loss
@pytest.mark.parametrize("seed", range(5))
def test_the_conservation_laws_of_every_distance_hold(name, loss, seed):
    x = xray_of(name, loss, seed)
    np.testing.assert_array_equal(x.F, x.F.T)
    for law, check in x.conservation.items():
        if check.applies:
            assert check.holds and check.residue < 1e-13, law


def gap(z):
    return z[:, None] - z


@pytest.mark.parametrize("loss", [*LOSSES.values(), all_entries])
@pytest.mark.parametrize("seed", range(5))
def test_the_forces_are_the_sum_in_the_formula(loss, seed):
    """∂ℓ/∂eᵢ = Σⱼ Fᵢⱼ (eᵢ − eⱼ), evaluated for each distance."""
    z, labels = batch(seed)
    ray = partial(forces.xray, loss, z, labels)
    close = partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12)
    for distance in (pairwise.l2, pairwise.squared_l2):
        x = ray(distance)
        close(np.einsum("ij,ijk->ik", x.F, gap(z)), -x.net)
    x = ray(pairwise.l1)
    close(np.einsum("ij,ijk->ik", x.F, np.sign(gap(z))), -x.net)
    x = ray(pairwise.weighted_l1, (W, BIAS))
    close(np.einsum("ij,ijk->ik", x.F, W * np.sign(gap(z))), -x.net)
    x = ray(pairwise.dot)
    close(-x.F @ z, -x.net)
    x = ray(pairwise.cosine)
    length = np.linalg.norm(z, axis=1, keepdims=True)
    free = np.einsum("ij,ijk->ik", x.F, gap(z / length))
    tangent = free - (free * z).sum(axis=1, keepdims=True) * z / length**2
    close(tangent / length, -x.net)


def test_forces_sum_to_zero_only_if_the_distance_depends_on_differences():
    for name in DISTANCES:
        sums_to_zero = np.allclose(xray_of(name).net.sum(axis=0), 0, atol=1e-14)
        assert sums_to_zero == xray_of(name).conservation["translation"].applies == (name not in ("cosine", "dot"))


def test_forces_are_tangents_only_for_the_cosine_distance():
    for name in DISTANCES:
        x = xray_of(name)
        tangent = np.allclose((x.net * x.z).sum(axis=1), 0, atol=1e-14)
        assert tangent == x.conservation["radial"].applies == (name == "cosine")


@every_distance
def test_the_contrastive_loss_pulls_positive_pairs_and_pushes_negative_pairs(name):
    x = xray_of(name, "contrastive")
    same = x.labels[:, None] == x.labels
    if name not in ("weighted_l1", "dot", "calibrated_l2"):  # scores of either sign
        assert (x.F[same] >= 0).all()
    assert (x.F[~same] <= 0).all()


def test_the_forces_of_one_positive_pair_equal_a_calculation_by_hand():
    """A positive pair at distance 2: ℓ = ½ d² for one pair of three, so dℓ/dD = 2/3 and F = 1/3."""
    z = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 9.0]])
    x = forces.xray(LOSSES["contrastive"], z, np.array([1, 1, 2]))
    assert x.value == pytest.approx(2 / 3)
    np.testing.assert_allclose(x.F, [[0, 1 / 3, 0], [1 / 3, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(x.net, [[2 / 3, 0], [-2 / 3, 0], [0, 0]])
    np.testing.assert_allclose(x.strength, 2 * x.F)
    np.testing.assert_array_equal(x.pulls.partner, [1, 0, -1])
    np.testing.assert_array_equal(x.pushes.partner, [-1, -1, -1])
    assert x.counts == (1, 1, 2, 0, 2, 0, 0)


def test_the_strongest_pull_is_positive_and_the_strongest_push_negative():
    x = xray_of("l2")
    for i, (pull, push) in enumerate(zip(x.pulls.partner, x.pushes.partner, strict=True)):
        assert x.labels[pull] == x.labels[i] != x.labels[push]
        assert x.pulls.strength[i] == max(x.strength[i, x.F[i] > 0])
        assert x.pushes.strength[i] == max(x.strength[i, x.F[i] < 0])
        assert x.strength[i, pull] == pytest.approx(x.F[i, pull] * np.linalg.norm(x.z[i] - x.z[pull]))


def test_a_step_along_the_net_force_lowers_the_loss():
    for name, (distance, params) in DISTANCES.items():
        x = xray_of(name)
        moved = x.z + 1e-4 * x.net
        value, _ = LOSSES["soft"](distance(moved, moved, *params)[0], x.labels)
        assert value < x.value


def test_a_batch_of_easy_triplets_has_no_forces():
    z = np.repeat(100 * np.eye(3), 3, axis=0)
    z += np.random.default_rng(0).normal(size=z.shape)
    x = forces.xray(LOSSES["hard"], z, np.repeat([0, 1, 2], 3))
    assert x.value == 0 and not x.F.any() and not x.net.any() and not x.strength.any()
    assert x.counts[4:] == (108, 0, 0)
    assert all(check.residue == 0 for check in x.conservation.values())
    assert forces.summary(x)["forces"] == forces.summary(x)["active_negative"] == 0
    drawn(plots.xray(x))


@every_distance
@every_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_coincident_points_zero_rows_and_float32_stay_finite(name, loss, dtype):
    z, labels = batch(1, dtype)
    z[1], z[4], z[6] = z[0], z[3], 0
    distance, params = DISTANCES[name]
    x = forces.xray(LOSSES[loss], z, labels, distance, tuple(p.astype(dtype) for p in params))
    for array in (x.F, x.net, x.strength):
        assert np.isfinite(array).all()
    assert all(check.holds for check in x.conservation.values() if check.applies)


def test_a_wrong_gradient_breaks_the_conservation_laws():
    def half(a, b, /):
        D, pull = pairwise.l2(a, b)
        return D, lambda dD: (pull(dD)[0], np.zeros_like(b))  # forgets the second branch

    x = forces.xray(LOSSES["contrastive"], *batch(0), half, law=force_laws.law_of(pairwise.l2))
    assert not x.conservation["translation"].holds and not x.conservation["reconstruction"].holds
    assert "BROKEN" in str(x)


def test_the_table_fits_on_a_terminal():
    z, labels = forces.example(np.random.default_rng(0), classes=16, per_class=4, dimensions=16)
    lines = str(forces.xray(LOSSES["contrastive"], z, labels)).splitlines()
    assert len(lines) <= 25 and max(map(len, lines)) <= 100
    assert "96 of 96 positive" in lines[1]
    assert "not a law of l2" in next(line for line in lines if line.startswith("radial"))
    assert lines[-1].startswith("and 52 more points")
    sizes = [float(line.split()[2]) for line in lines[-13:-1]]
    assert sizes == sorted(sizes, reverse=True)


def test_as_dict_can_be_written_as_json():
    x = xray_of("cosine", "hard")
    again = json.loads(json.dumps(x.as_dict(), allow_nan=False))
    np.testing.assert_array_equal(again["F"], x.F)
    assert again["conservation"]["radial"]["holds"] is True
    assert again["counts"]["positive"] == 9


def test_the_summary_agrees_with_the_arrays():
    x = xray_of("l2", "soft")
    short = forces.summary(x)
    assert set(short) >= {"forces", "pull", "push", "active_positive", "active_negative", "drift"}
    assert short["easy"] + short["semi_hard"] + short["hard"] == pytest.approx(1)
    assert short["active_positive"] == short["active_negative"] == 1
    assert short["forces"] == pytest.approx(np.linalg.norm(x.net, axis=1).mean())
    assert short["forces"] <= short["pull"] + short["push"]
    assert all(type(number) is float for number in short.values())


def test_the_example_has_active_pairs_and_triplets_of_every_kind(rng):
    z, labels = forces.example(rng)
    assert z.shape == (12, 2) and labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert min(forces.xray(LOSSES["contrastive"], z, labels).counts) > 0
    assert forces.example(rng, 4, 3, 7).z.shape == (12, 7)


def test_a_loss_may_have_constants_and_parameters():
    z, labels = batch(0)
    wide = forces.xray(partial(LOSSES["contrastive"], margin=50.0), z, labels)
    assert wide.counts.active_negative == wide.counts.negative
    assert str(wide).startswith("contrastive_over_all_pairs on l2: ")

    def scaled(D, scale, labels):
        value, pull = LOSSES["soft"](scale * D, labels)
        return value, lambda dl: (scale * pull(dl)[0], (pull(dl)[0] * D).sum())

    x = forces.xray(scaled, z, labels, loss_params=(np.array(3.0),))
    assert x.conservation["reconstruction"].holds


def drawn(figure):
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure.axes


@every_distance
def test_the_figure_shows_every_pair(name):
    x = xray_of(name, "hard")
    plane, matrix, profile, bar = drawn(plots.xray(x, "hard"))
    assert (len(matrix.images), plane.get_legend() is None, profile.get_legend() is None) == (1, False, False)
    np.testing.assert_array_equal(matrix.get_yticks(), [1, 4, 7])
    assert sum(len(line.get_xdata()) for line in profile.lines[1:]) == 36
    assert "apart" in bar.get_ylabel()


def test_the_figure_draws_at_most_60_forces_and_a_collapsed_batch_without_error():
    z, labels = forces.example(np.random.default_rng(0), classes=16, per_class=4, dimensions=16)
    plane, *_ = drawn(plots.xray(forces.xray(LOSSES["soft"], z.astype(np.float32), labels)))
    assert len(plane.lines) <= 60 and "60 strongest" in plane.get_title()
    drawn(plots.xray(forces.xray(LOSSES["soft"], np.ones((6, 3)), np.array([0, 0, 1, 1, 2, 2]))))


def test_the_projection_of_embeddings_projects_their_forces():
    """Points of a plane, rotated into five dimensions, have the same arrows up to a rotation of the figure."""
    z, labels = forces.example(np.random.default_rng(1))
    Q, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(5, 5)))
    flat = forces.xray(LOSSES["soft"], z, labels)
    x = forces.xray(LOSSES["soft"], z @ Q[:2], labels)
    points, _ = plots.plane_of(x.z)
    arrows = x.net @ projection(x.z, points)
    np.testing.assert_allclose(arrows @ points.T, flat.net @ (z - z.mean(axis=0)).T, atol=1e-12)


def test_wrong_arguments_raise_errors_with_a_remedy():
    z, labels = batch(0)
    ray = partial(forces.xray, LOSSES["soft"])
    with pytest.raises(ValueError, match=r"labels must have the shape \(9,\)"):
        ray(z, labels[:-1])
    with pytest.raises(TypeError, match="integers"):
        ray(z, labels.astype(float))
    with pytest.raises(ValueError, match=r"z holds nan at \(2, 1\)"):
        ray(np.where(np.arange(27).reshape(9, 3) == 7, np.nan, z), labels)
    with pytest.raises(TypeError, match="floating"):
        ray(np.ones((9, 3), int), labels)
    with pytest.raises(ValueError, match=r"no force law for distance 'own': use pairwise\.l2, .*, or pass law="):
        ray(z, labels, own)
    with pytest.raises(ValueError, match="margin must be"):
        ray(z, labels, margin=-1)
    with pytest.raises(ValueError, match="dD holds nan"):
        forces.xray(lambda D, labels: (0.0, lambda dl: (np.full_like(D, np.nan),)), z, labels)
    with pytest.raises(ValueError, match="use --embedding-size 2"):
        plots.xray(ray(z[:, :1], labels))
    with pytest.raises(TypeError, match="Generator"):
        forces.example(0)
    with pytest.raises(ValueError, match="dimensions must be"):
        forces.example(np.random.default_rng(0), dimensions=1)


def own(a, b, /):
    return pairwise.l2(a, b)
