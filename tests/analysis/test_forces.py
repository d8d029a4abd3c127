"""What a loss does to each point: the forces add up to the gradient, and obey the laws of their distance."""

import io
import json
from functools import partial

import numpy as np
import pytest

from minisiam import losses, miners, pairwise, plots
from minisiam.analysis import forces
from minisiam.op import op
from minisiam.plots.xray import _projection as projection

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


def rayed(name, loss="soft", seed=0):
    distance, params = DISTANCES[name]
    return forces.of(LOSSES[loss], *batch(seed), distance, params)


@op
def everything(D, labels, /):
    """A loss that moves every pair, in both directions differently, and each point's distance to itself."""
    weights = np.sin(1 + np.arange(D.size)).reshape(D.shape)
    return (weights * D).sum(), lambda dl: (dl * weights,)


@every_distance
@every_loss
@pytest.mark.parametrize("seed", range(5))
def test_the_laws_of_every_distance_hold(name, loss, seed):
    x = rayed(name, loss, seed)
    np.testing.assert_array_equal(x.F, x.F.T)
    for law, check in x.conservation.items():
        if check.applies:
            assert check.holds and check.residue < 1e-13, law


def gap(z):
    return z[:, None] - z


@pytest.mark.parametrize("loss", [*LOSSES.values(), everything])
@pytest.mark.parametrize("seed", range(5))
def test_the_forces_are_the_printed_sum(loss, seed):
    """∂ℓ/∂eᵢ = Σⱼ Fᵢⱼ (eᵢ − eⱼ), written out for each distance."""
    z, labels = batch(seed)
    ray = partial(forces.of, loss, z, labels)
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


def test_forces_sum_to_zero_only_where_distances_see_differences():
    for name in DISTANCES:
        sums_to_zero = np.allclose(rayed(name).net.sum(axis=0), 0, atol=1e-14)
        assert sums_to_zero == rayed(name).conservation["translation"].applies == (name not in ("cosine", "dot"))


def test_forces_are_tangent_only_for_the_cosine():
    for name in DISTANCES:
        x = rayed(name)
        tangent = np.allclose((x.net * x.z).sum(axis=1), 0, atol=1e-14)
        assert tangent == x.conservation["radial"].applies == (name == "cosine")


@every_distance
def test_a_contrastive_loss_pulls_the_same_and_pushes_the_different(name):
    x = rayed(name, "contrastive")
    same = x.labels[:, None] == x.labels
    if name not in ("weighted_l1", "dot", "calibrated_l2"):  # scores of either sign
        assert (x.F[same] >= 0).all()
    assert (x.F[~same] <= 0).all()


def test_two_points_by_hand():
    """A pair of one class at distance 2: ℓ = ½ d² of one pair of three, so dℓ/dD = 2/3 and F = 1/3."""
    z = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 9.0]])
    x = forces.of(LOSSES["contrastive"], z, np.array([1, 1, 2]))
    assert x.value == pytest.approx(2 / 3)
    np.testing.assert_allclose(x.F, [[0, 1 / 3, 0], [1 / 3, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(x.net, [[2 / 3, 0], [-2 / 3, 0], [0, 0]])
    np.testing.assert_allclose(x.strength, 2 * x.F)
    np.testing.assert_array_equal(x.pulls.who, [1, 0, -1])
    np.testing.assert_array_equal(x.pushes.who, [-1, -1, -1])
    assert x.counts == (1, 1, 2, 0, 2, 0, 0)


def test_who_pulls_and_pushes_hardest():
    x = rayed("l2")
    for i, (pull, push) in enumerate(zip(x.pulls.who, x.pushes.who, strict=True)):
        assert x.labels[pull] == x.labels[i] != x.labels[push]
        assert x.pulls.strength[i] == max(x.strength[i, x.F[i] > 0])
        assert x.pushes.strength[i] == max(x.strength[i, x.F[i] < 0])
        assert x.strength[i, pull] == pytest.approx(x.F[i, pull] * np.linalg.norm(x.z[i] - x.z[pull]))


def test_a_step_along_the_net_force_lowers_the_loss():
    for name, (distance, params) in DISTANCES.items():
        x = rayed(name)
        moved = x.z + 1e-4 * x.net
        value, _ = LOSSES["soft"](distance(moved, moved, *params)[0], x.labels)
        assert value < x.value


def test_an_easy_batch_has_no_force_at_all():
    z = np.repeat(100 * np.eye(3), 3, axis=0)
    z += np.random.default_rng(0).normal(size=z.shape)
    x = forces.of(LOSSES["hard"], z, np.repeat([0, 1, 2], 3))
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
    x = forces.of(LOSSES[loss], z, labels, distance, tuple(p.astype(dtype) for p in params))
    for array in (x.F, x.net, x.strength):
        assert np.isfinite(array).all()
    assert all(check.holds for check in x.conservation.values() if check.applies)


def test_a_wrong_gradient_is_seen():
    def half(a, b, /):
        D, pull = pairwise.l2(a, b)
        return D, lambda dD: (pull(dD)[0], np.zeros_like(b))  # forgets the second branch

    half.__name__ = "l2"
    checks = forces.of(LOSSES["contrastive"], *batch(0), half).conservation
    assert not checks["translation"].holds and not checks["reconstruction"].holds
    assert "BROKEN" in str(forces.of(LOSSES["contrastive"], *batch(0), half))


def test_the_table_fits_a_terminal():
    z, labels = forces.example(np.random.default_rng(0), classes=16, per_class=4, dimensions=16)
    lines = str(forces.of(LOSSES["contrastive"], z, labels)).splitlines()
    assert len(lines) <= 25 and max(map(len, lines)) <= 100
    assert "96 of 96 positive" in lines[1]
    assert "no law of l2" in next(line for line in lines if line.startswith("radial"))
    assert lines[-1].startswith("and 52 more points")
    sizes = [float(line.split()[2]) for line in lines[-13:-1]]
    assert sizes == sorted(sizes, reverse=True)


def test_as_dict_survives_json():
    x = rayed("cosine", "hard")
    again = json.loads(json.dumps(x.as_dict(), allow_nan=False))
    np.testing.assert_array_equal(again["F"], x.F)
    assert again["conservation"]["radial"]["holds"] is True
    assert again["counts"]["positive"] == 9


def test_summary_is_of_the_same_batch():
    x = rayed("l2", "soft")
    short = forces.summary(x)
    assert set(short) >= {"forces", "pull", "push", "active_positive", "active_negative", "drift"}
    assert short["easy"] + short["semi_hard"] + short["hard"] == pytest.approx(1)
    assert short["active_positive"] == short["active_negative"] == 1
    assert short["forces"] == pytest.approx(np.linalg.norm(x.net, axis=1).mean())
    assert short["forces"] <= short["pull"] + short["push"]
    assert all(type(number) is float for number in short.values())


def test_the_example_has_triplets_of_every_kind(rng):
    z, labels = forces.example(rng)
    assert z.shape == (12, 2) and labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert min(forces.of(LOSSES["contrastive"], z, labels).counts) > 0
    assert forces.example(rng, 4, 3, 7).z.shape == (12, 7)


def test_constants_and_learned_losses_are_handed_on():
    z, labels = batch(0)
    wide = forces.of(partial(LOSSES["contrastive"], margin=50.0), z, labels)
    assert wide.counts.active_negative == wide.counts.negative
    assert str(wide).startswith("contrastive_over_all_pairs on l2: ")

    def scaled(D, scale, labels):
        value, pull = LOSSES["soft"](scale * D, labels)
        return value, lambda dl: (scale * pull(dl)[0], (pull(dl)[0] * D).sum())

    x = forces.of(scaled, z, labels, loss_params=(np.array(3.0),))
    assert x.conservation["reconstruction"].holds


def drawn(figure):
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure.axes


@every_distance
def test_the_figure(name):
    x = rayed(name, "hard")
    plane, matrix, profile, bar = drawn(plots.xray(x, "hard"))
    assert (len(matrix.images), plane.get_legend() is None, profile.get_legend() is None) == (1, False, False)
    np.testing.assert_array_equal(matrix.get_yticks(), [1, 4, 7])
    assert sum(len(line.get_xdata()) for line in profile.lines[1:]) == 36
    assert "apart" in bar.get_ylabel()


def test_the_figure_of_many_points_and_of_a_collapsed_batch():
    z, labels = forces.example(np.random.default_rng(0), classes=16, per_class=4, dimensions=16)
    plane, *_ = drawn(plots.xray(forces.of(LOSSES["soft"], z.astype(np.float32), labels)))
    assert len(plane.lines) <= 60 and "60 strongest" in plane.get_title()
    drawn(plots.xray(forces.of(LOSSES["soft"], np.ones((6, 3)), np.array([0, 0, 1, 1, 2, 2]))))


def test_the_plane_carries_the_forces_along():
    """Turned into 5 dimensions a picture of the plane shows the same arrows, up to a turn of the page."""
    z, labels = forces.example(np.random.default_rng(1))
    Q, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(5, 5)))
    flat = forces.of(LOSSES["soft"], z, labels)
    x = forces.of(LOSSES["soft"], z @ Q[:2], labels)
    points, _ = plots.plane_of(x.z)
    arrows = x.net @ projection(x.z, points)
    np.testing.assert_allclose(arrows @ points.T, flat.net @ (z - z.mean(axis=0)).T, atol=1e-12)


def test_mistakes():
    z, labels = batch(0)
    ray = partial(forces.of, LOSSES["soft"])
    with pytest.raises(ValueError, match=r"labels must have the shape \(9,\)"):
        ray(z, labels[:-1])
    with pytest.raises(TypeError, match="integers"):
        ray(z, labels.astype(float))
    with pytest.raises(ValueError, match=r"z holds nan at \(2, 1\)"):
        ray(np.where(np.arange(27).reshape(9, 3) == 7, np.nan, z), labels)
    with pytest.raises(TypeError, match="floating"):
        ray(np.ones((9, 3), int), labels)
    with pytest.raises(ValueError, match="unknown distance 'l3': choose one of cosine"):
        ray(z, labels, named("l3"))
    with pytest.raises(ValueError, match="unknown distance 'partial'"):
        ray(z, labels, partial(pairwise.l2))
    with pytest.raises(ValueError, match="margin must be"):
        ray(z, labels, margin=-1)
    with pytest.raises(ValueError, match="dD holds nan"):
        forces.of(lambda D, labels: (0.0, lambda dl: (np.full_like(D, np.nan),)), z, labels)
    with pytest.raises(ValueError, match="no plane"):
        plots.xray(ray(z[:, :1], labels))
    with pytest.raises(TypeError, match="Generator"):
        forces.example(0)
    with pytest.raises(ValueError, match="dimensions must be"):
        forces.example(np.random.default_rng(0), dimensions=1)


def named(name):
    def distance(a, b, /):
        return pairwise.l2(a, b)

    distance.__name__ = name
    return distance
