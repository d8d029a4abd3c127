# %% [markdown]
# # Exhibit 7 · A sampler that forgets part of the data
#
# Every batch draws its classes and images afresh. After as many images as there are, 37 % have never been shown.
# Found in KevinMusgrave/pytorch-metric-learning#684.

# %%
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, encoders, losses, networks, optimizers, pairwise, plots, samplers, train
from minisiam.course.lesson import show

# %% [markdown]
# ## The code


# %%
def wrong(labels, rng, classes, per_class):
    """P×K batches: P random classes, K random images of each."""
    while True:
        chosen = rng.choice(np.unique(labels), classes, replace=False)
        yield np.concatenate([rng.choice(np.flatnonzero(labels == c), per_class, replace=False) for c in chosen])


# %% [markdown]
# ## What it looks like
#
# Nothing at all: the two loss curves end at about the same value. With classes of one size an image is drawn with the
# probability $PK/n$ in each batch, so after $t$ batches $(1 - PK/n)^t \approx e^{-t\,PK/n}$ of the images have not been
# seen: 37 % after one epoch, 14 % after two. On large data, where one trains for few epochs, those images are not used.

# %%
points, labels = datasets.plane(np.random.default_rng(0), classes=10, per_class=48)  # 480 points, 12 batches of 40
left, right = (figure := Figure(figsize=(7, 2.8), layout="constrained")).subplots(1, 2)
shown, last = {}, {}
for number, (name, sampler) in enumerate((("dealt", samplers.pk_indices), ("drawn afresh", wrong))):
    rng = np.random.default_rng(1)
    network = networks.batch(encoders.mlp(32, 16), pairwise.cosine, losses.supcon)
    params = network.init(rng, (2,))
    rows = list(islice(sampler(labels, rng, classes=5, per_class=8), 60))
    batches = ((points[some], labels[some]) for some in rows)
    values = [value for _, value, _ in train.fit(network, params, optimizers.adam(0.003), batches)]
    last[name] = np.mean(values[-12:])
    shown[name] = [len(np.unique(np.concatenate(rows[:t]))) / 480 for t in range(1, 61)]
    style = {"color": plots.style.COLOURS[number], "linestyle": "-" if number == 0 else "--", "label": name}
    left.plot(values, **style)
    right.plot(np.arange(1, 61), shown[name], **style)
left.set(xlabel="batch", title="loss")
right.set(xlabel="batch", title="share of the images seen", ylim=(0, 1.05))
right.axvline(12, color="0.7", linewidth=1)
for axes in (left, right):
    plots.style.plain(axes)
right.legend(frameon=False)
show(figure, "museum_7_sampler")
assert abs(last["dealt"] - last["drawn afresh"]) < 0.15 * last["drawn afresh"]

# %% [markdown]
# ## The property that would have caught it
#
# *Of each class, every image comes before any comes again.* That holds for classes of any sizes. If all have one size,
# a multiple of $K$, it follows that n images show the whole data set; if not, the small classes come again before the
# large ones are used up.


# %%
def deals_every_class(sampler, sizes=(4, 40, 40, 9)):
    of = np.repeat(np.arange(len(sizes)), sizes)
    seen = np.zeros(len(of), int)
    for rows in islice(sampler(of, np.random.default_rng(0), classes=2, per_class=4), 50):
        seen[rows] += 1
        if any(np.ptp(seen[of == c]) > 1 for c in of):
            return False
    return True


assert not deals_every_class(wrong)
assert deals_every_class(samplers.pk_indices)
assert shown["dealt"][11] == 1  # after 480 images
assert abs(1 - shown["drawn afresh"][11] - np.exp(-1)) < 0.06
