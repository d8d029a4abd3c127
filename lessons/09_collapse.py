# %% [markdown]
# # 09 · Collapse
#
# - *You will see:* a network that maps every image to one point, why nothing moves it from there, and how one number,
#   known before the first step, says whether a loss pulls it that way.
# - *Time:* 25 minutes.
# - *Needs:* lesson 05 (triplet loss) and lesson 08 (the batch).

# %%
from functools import partial
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from minisiam import (
    datasets,
    encoders,
    evaluate,
    losses,
    miners,
    networks,
    optimizers,
    pairwise,
    plots,
    samplers,
    train,
)
from minisiam.analysis import diagnosis
from minisiam.course.lesson import show

MARGIN = 1.0
hinge = partial(losses.triplet_hinge, margin=MARGIN)
batch_hard = losses.with_miner(hinge, miners.batch_hard)

# %% [markdown]
# ## The symptom
#
# "The loss is exactly the margin and does not move." People report it of triplet code (for instance in
# omoindrot/tensorflow-triplet-loss#38 and xiaolonw/caffe-video_triplet#8). Here it is on purpose.
#
# The data are small pen glyphs; a network of one hidden layer learns them in a second. Batches hold 24 letters, four
# drawings each, and we look at letters of held-out alphabets: at *recall@1*, the share of images whose nearest
# neighbour is of their letter.

# %%
seen, unseen = datasets.split(datasets.pen_glyphs(drawers=6, size=14))
mlp = encoders.mlp(128, 32)  # 196 pixels → 128 → 32 numbers


def run(loss, pairwise=pairwise.l2, rate=0.01, steps=160):
    """Losses and mean distances, step by step, and recall@1 on unseen letters."""
    rng = np.random.default_rng(0)
    network = networks.batch(mlp, pairwise, loss)
    params = network.init(rng, (14, 14, 1))
    batches = islice(samplers.pk(seen.images, seen.labels, rng, classes=24, per_class=4), steps)
    values, spread = [], []
    training = train.fit(network, params, optimizers.adam(rate), batches)
    for step, value, params in training:
        values.append(value)
        if step % 10 == 1 or step == steps:
            some = evaluate.embed(mlp, params["encoder"], unseen.images[::31])
            spread.append(pairwise(some, some)[0].mean())
    z = evaluate.embed(mlp, params["encoder"], unseen.images)
    return values, spread, evaluate.recall_at_k(z, unseen.labels), z


values, spread, recall, z = run(batch_hard)
pixels = evaluate.recall_at_k(evaluate.pixels(unseen.images), unseen.labels)
print(f"loss {values[0]:.2f} → {values[-1]:.4f}, recall@1 on unseen letters {recall:.3f}, of the pixels {pixels:.3f}")
assert abs(values[-1] - MARGIN) < 0.01  # the loss is the margin
assert spread[-1] < 0.01 * spread[0] and recall < 0.1 * pixels  # all images in one place

# %% [markdown]
# ## A place without a gradient
#
# At one point all distances are 0, so every triplet has $d_{ap} - d_{an} = 0$, and the loss is what its formula gives
# for 0: the hinge $\max(0, 0 + m) = m$, the soft margin $\log(1 + e^0) = \ln 2 = 0.693$, Hoffer and Ailon's ratio
# $2 \cdot (\tfrac12)^2 = \tfrac12$, and a softmax over $n - 1$ equal distances (supcon, lesson 10) $\log(n - 1)$.
#
# And the gradient? In lesson 08 it was $\partial \ell / \partial z_i = \sum_j F_{ij} (z_i - z_j)$. Every bracket is 0
# (and $F$, which divides by $D$, is 0 there by the convention of lesson 02). So collapse is no slow phase: it is a
# resting point, exactly, of *every* loss of these distances, since the brackets are 0 whatever $G = \partial \ell /
# \partial D$ is: below $G$ is random. (A dot product is no distance: its gradient there need not be 0.)

# %%
labels = np.repeat(np.arange(24), 4)
point = np.full((96, 32), 0.3)
for name, loss, at_rest in (
    ("hinge", batch_hard, MARGIN),
    ("soft margin", losses.with_miner(losses.triplet_soft_margin, miners.batch_hard), np.log(2)),
    ("ratio", losses.with_miner(losses.triplet_ratio, miners.batch_hard), 1 / 2),
    ("supcon", losses.supcon, np.log(95)),
):
    assert np.isclose(loss(pairwise.l2(point, point)[0], labels)[0], at_rest), name
G = np.random.default_rng(0).normal(size=(96, 96))  # any loss at all
for distance in (pairwise.l2, pairwise.squared_l2, pairwise.l1, pairwise.cosine):
    assert not sum(distance(point, point)[1](G)).any()
assert sum(pairwise.dot(point, point)[1](G)).any()

# %% [markdown]
# ## Which losses collapse
#
# If all of them rest there, why do some fall in and others not? Shrink an embedding by a factor $s$. Distances shrink
# with it, and with the triplets held fixed the mean loss becomes
#
# $$f(s) = \operatorname{mean} \max(0,\; s\,(d_{ap} - d_{an}) + m), \qquad f(0) = m.$$
#
# A hinge of a straight line is convex, so is a mean of them, and a convex curve lies below its chords: $f'(1) \ge f(1)
# - f(0)$. So **if the loss is above the margin, shrinking a little lowers it**. For batch-hard that is so here from the
# first step: on average the farthest of three positives is farther than the nearest of 92 negatives. Nearly all its
# triplets are active, $f$ is nearly straight, and it leads down to the margin. For the soft margin read $\ln 2$.
#
# Semi-hard triplets have $d_{ap} < d_{an}$ by definition, so every term of $f'(1) = \operatorname{mean}\,(d_{ap} -
# d_{an})$ is negative: a larger embedding has a smaller loss. The slope is one line, since $\partial D / \partial s =
# D$ at $s = 1$: $\;f'(1) = \sum_{ij} \frac{\partial \ell}{\partial D_{ij}} D_{ij}$.

# %%
semi_hard = losses.with_miner(hinge, partial(miners.semi_hard_facenet, margin=MARGIN))
batch_all = losses.all_triplets(hinge)
theta, _ = mlp.init(np.random.default_rng(0), (14, 14, 1))
x, y = next(samplers.pk(seen.images, seen.labels, np.random.default_rng(1), classes=24, per_class=4))
first, _ = mlp(theta, x)  # (96, 32), before the first step
D, _ = pairwise.l2(first, first)
slope = {}
for name, loss in (("batch-hard", batch_hard), ("semi-hard", semi_hard), ("batch-all", batch_all)):
    value, pull = loss(D, y)
    slope[name] = (pull(1.0)[0] * D).sum()
    print(f"{name:11} loss {value:.3f}   slope in the scale {slope[name]:+.3f}")
    assert slope[name] >= value - MARGIN - 1e-5  # the chord
assert slope["batch-hard"] > 0.5  # shrink
assert max(slope["semi-hard"], slope["batch-all"]) < 0  # grow

# %% [markdown]
# ## Four repairs, at the same rate and in as many steps
#
# 1. **Other triplets.** Semi-hard, whose slope is negative.
# 2. **More triplets.** Batch-all: on average over all of them, positives are nearer than negatives from the start.
# 3. **A distance without a scale.** Supcon on the cosine: its forces are at right angles to $z$ (lesson
#    02), and each anchor depends on all negatives and not only on the hardest.
# 4. **A loss with a length in it.** Contrastive, over all pairs: a pair of two classes at distance $d$ is pushed with
#    force $m - d$, strongest at the point, and a pair of one class is pulled with force $d$, which vanishes there. So
#    near the point the push wins, and the point is the top of a hill.
#
# A smaller learning rate helps where the steps were too large. Here the slope has the wrong sign, and at a tenth of the
# rate the same fall takes longer.

# %%
results = {
    "batch-hard": (values, spread, recall, z),
    "batch-hard, rate / 10": run(batch_hard, rate=0.001),
    "1 semi-hard": run(semi_hard),
    "2 batch-all": run(batch_all),
    "3 supcon, cosine": run(losses.supcon, pairwise.cosine),
    "4 contrastive, margin 3": run(partial(losses.all_pairs(losses.contrastive), margin=3.0)),
}
for name, (values, spread, recall, _) in results.items():
    print(f"{name:24} loss {values[-1]:6.3f}   distance {spread[0]:5.2f} → {spread[-1]:6.3f}   recall {recall:.3f}")
    if name[0] in "1234":
        assert spread[-1] > spread[0]
        assert recall > 0.8 * pixels
    else:
        assert spread[-1] < 0.6 * spread[0]

# %%
left, right = (figure := Figure(figsize=(10, 3.7), layout="constrained")).subplots(1, 2)
left.plot(results["batch-hard"][0], color="black")
left.axhline(MARGIN, color="0.5", linestyle="--")
left.set(xlabel="step", title="Batch-hard: the loss falls to the margin", ylim=(0.9, None))
at = np.arange(0, 161, 10)
for number, (name, (_, spread, _, _)) in enumerate(results.items()):
    style = {"color": plots.style.COLOURS[number], "marker": plots.style.MARKERS[number], "markersize": 4}
    right.semilogy(at, np.divide(spread, spread[0]), label=name, **style)
right.set(xlabel="step", title="Mean distance of held-out letters, start = 1")
figure.legend(frameon=False, fontsize="small", loc="outside right center")
plots.style.plain(left)
plots.style.plain(right)
show(figure, "09_collapse")

# %% [markdown]
# ## What the trainer prints
#
# `minisiam train` looks for this and for similar problems, and prints a message. It needs the distances of some pairs,
# the loss, its name and its margin. Its first remedies are repairs 1 and 3.

# %%
D, _ = pairwise.l2(z[:240], z[:240])
i, j, same = miners.all_pairs(D, unseen.labels[:240])
found = diagnosis.diagnose(D[i, j], same, loss=results["batch-hard"][0][-1], kind="hinge", margin=MARGIN)
print("\n".join(diagnosis.MESSAGES[name] for name in found))
assert found == ["loss-is-margin"]
message = diagnosis.MESSAGES["loss-is-margin"]
assert message.index("semi-hard-facenet") < message.index("supcon") < message.index("smaller --learning-rate")

# %% [markdown]
# ## Your turn
#
# Repair a run without looking above: it should neither collapse nor do worse than the pixels.
#
#     minisiam learn start collapse         # settings of a run that collapses; change what is needed
