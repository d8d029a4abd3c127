# %% [markdown]
# # 15 · Using it
#
# - *You will see:* a network at work on an alphabet that it has never seen, with one example of each letter; how a
#   threshold rejects strangers; and what a threshold promises, and what it cannot.
# - *Time:* 25 minutes.
# - *Needs:* lesson 06 (verification) and lesson 11 (honest evaluation).

# %%
from itertools import islice

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, encoders, evaluate, gallery, losses, networks, optimizers, pairwise, samplers, train
from minisiam.course.lesson import show
from minisiam.plots import style

# %% [markdown]
# Three sets of alphabets: the first trains the network, the second chooses the threshold, and a user brings the third.

# %%
raw = datasets.pen_glyphs(drawers=6, size=14)
glyphs = raw._replace(images=datasets.blurred(datasets.centred(raw.images)))
rest, unseen = datasets.split(glyphs)
seen, validation = datasets.split(rest, every=2)
encoder = encoders.mlp(256, 64)
network = networks.batch(encoder, pairwise.cosine, losses.supcon)
rng = np.random.default_rng(0)
params = network.init(rng, (14, 14, 1))
batches = samplers.pk(seen.images, seen.labels, rng, classes=32, per_class=4, groups=seen.groups)
*_, (_step, _value, params) = train.fit(network, params, optimizers.adam(3e-3), islice(batches, 500))


def embed(images):
    return evaluate.embed(encoder, params["encoder"], images)


# %% [markdown]
# ## Enrol, and recognise
#
# A *gallery* is a list of embeddings with names. Enrol one drawing of each letter of an unseen alphabet, without any
# training, and let five other drawers write them. The name of the nearest entry is right far more often than a guess.

# %%
alphabets = np.unique(unseen.groups)
ours, theirs = (unseen.where(unseen.groups == alphabets[k]) for k in (2, 0))
first, others = ours.where(ours.drawers == 0), ours.where(ours.drawers > 0)
letters = gallery.enrol([f"letter {label}" for label in first.labels], embed(first.images))
names = [f"letter {label}" for label in others.labels]
nearest = gallery.identify(letters, embed(others.images), 2.0, pairwise.cosine)  # 2 is the largest cosine distance
right = np.mean([found == name for found, name in zip(nearest, names, strict=True)])
print(f"{letters}: of {len(names)} new drawings {100 * right:.0f} % get the right name")
assert right > 10 / len(first.labels)

# %% [markdown]
# ## Strangers
#
# Now show it letters of another alphabet, none of them enrolled. Some entry is still the nearest, so each gets a name.
# With a threshold of the distance the answer can be *unknown*.

# %%
strangers = embed(theirs.images)
assert None not in gallery.identify(letters, strangers, 2.0, pairwise.cosine)

# %% [markdown]
# ## A threshold, and its promise
#
# Take all pairs of drawings within each validation alphabet, and the largest threshold that accepts at most 2 % of the
# pairs of different letters. On these pairs the rate is 2 % *because it was chosen so*. What will it be on others?
#
# What counts is the number of alphabets, not of pairs: if two letters look alike, all pairs of their drawings are
# accepted together. So `choose_threshold` leaves out each alphabet in turn, chooses on the others, and measures the
# rate on the one left out. These $G$ rates have the mean $\bar x$ and the standard deviation $s$. The variance of their
# mean is $s^2/G$ and that of the mean of $k$ new alphabets $s^2/k$, so the latter has the 95 % interval
# $\bar x \pm t\, s \sqrt{1/G + 1/k}$. Student's $t$ is 2.26 here, not 1.96, since $s$ comes from ten rates only.


# %%
def pairs_of(data):
    D, _ = pairwise.cosine(z := embed(data.images), z)
    i, j = np.nonzero(np.triu(data.groups[:, None] == data.groups, k=1))
    return D[i, j], data.labels[i] == data.labels[j], data.groups[i]


d, same, groups = pairs_of(validation)
promised = evaluate.choose_threshold(d, same, groups, rate=0.02, unseen=len(alphabets))
d, same, groups = pairs_of(unseen)
false_accept, false_reject = (d[~same] <= promised.value).mean(), (d[same] > promised.value).mean()
print(f"false accepts: promised {promised.false_accept}, on ten unseen alphabets {100 * false_accept:.2f} %")
print(f"false rejects: promised {promised.false_reject}, on ten unseen alphabets {100 * false_reject:.2f} %")
assert promised.false_accept.low <= false_accept <= promised.false_accept.high
assert promised.false_reject.low <= false_reject <= promised.false_reject.high

each = np.array([(d[own & ~same] <= promised.value).mean() for own in alphabets[:, None] == groups])
independent = 1.96 * np.sqrt(0.02 * 0.98 / (~same).sum())
print("of each:", *(f"{100 * rate:.1f}" for rate in each), f"%; independent pairs: 2.00 ± {100 * independent:.2f} %")
assert each.std(ddof=1) > 10 * independent

# %% [markdown]
# Now most strangers are rejected, and so are some drawings of enrolled letters (lesson 06).

# %%
known = gallery.identify(letters, embed(others.images), promised.value, pairwise.cosine)
unknown = gallery.identify(letters, strangers, promised.value, pairwise.cosine)
wrong = np.mean([found not in (name, None) for found, name in zip(known, names, strict=True)])
named = np.mean([found is not None for found in unknown])
print(f"enrolled: {100 * np.mean([found is None for found in known]):.0f} % unknown, {100 * wrong:.0f} % a wrong name")
print(f"strangers: {100 * named:.0f} % get a name")
assert named < 0.5 and wrong < 1 - right

# %% [markdown]
# ## What it does not promise: another base rate
#
# 2 % is a share of the *different* pairs. It is not the probability that an accepted pair is wrong. That depends on how
# many pairs are the same, $\pi$: of the accepted ones the share
# $\pi (1 - r) / (\pi (1 - r) + (1 - \pi) a)$ is right, with the false-accept rate $a$ and the false-reject rate $r$.

# %%
share_right = lambda prior: 1 / (1 + (1 - prior) * false_accept / (prior * (1 - false_reject)))
assert np.isclose(same[d <= promised.value].mean(), share_right(same.mean()))  # here 2 % of the pairs are the same
print(f"accepted pairs are right: {share_right(0.5):.0%} if half are the same, {share_right(0.001):.0%} if 1 in 1,000")
assert share_right(0.5) > 0.95 and share_right(0.001) < 0.05

# %% [markdown]
# ## Other data
#
# The interval assumes that new alphabets are drawn and prepared as these were. Forget one step of the preparation,
# here the blur, and the threshold is a number without a meaning: the promised range of false rejects is far away.

# %%
_, sharp = datasets.split(raw._replace(images=datasets.centred(raw.images)))
d_sharp, same_sharp, _ = pairs_of(sharp)
print(f"without the blur {100 * (d_sharp[same_sharp] > promised.value).mean():.0f} % false rejects")
assert (d_sharp[same_sharp] > promised.value).mean() > promised.false_reject.high

# %% [markdown]
# ## A gallery of n names
#
# To identify is to verify $n$ times. If a comparison accepts a stranger with probability $f$, and the comparisons are
# independent, at least one of $n$ does with probability $1 - (1 - f)^n$. With 1 % and 100 names that is 63 %.
#
# Enrol one drawing of each letter of nine unseen alphabets, and let the tenth be the strangers. Strangers differ: one
# looks like many letters and has a large $f_i$, another like none. Since $1 - (1 - f)^n$ is concave in $f$, the mean
# over strangers is at most the formula of the mean (Jensen's inequality). For one name they are equal.

# %%
entries = unseen.where((unseen.drawers == 0) & (unseen.groups != alphabets[0]))
d_names, _ = pairwise.cosine(strangers, embed(entries.images))  # (strangers, names)
orders = [rng.permuted(d_names, axis=1) for _ in range(20)]  # for each stranger, the entries in another order
measured = np.mean([np.minimum.accumulate(order, axis=1) <= promised.value for order in orders], axis=(0, 1))
f, n = (d_names <= promised.value).mean(), np.arange(1, len(entries.labels) + 1)
formula = 1 - (1 - f) ** n
print(f"f = {f:.1%}: {measured[-1]:.0%} of strangers get one of {n[-1]} names, {formula[-1]:.0%} by the formula")
assert abs(measured[0] - f) < 0.002
assert 100 * f < measured[-1] < formula[-1] - 0.1
assert (measured <= formula + 0.01).all()

# %% [markdown]
# So for $n$ names choose $f = 1 - (1 - F)^{1/n}$, about $F / n$, if a search may name a stranger with probability $F$.
# To choose such a threshold takes at least $1/f$ different pairs, and it rejects more drawings of enrolled letters.

# %%
stricter = evaluate.choose_threshold(*pairs_of(validation), rate=1 - 0.9 ** (1 / len(letters.names)))
still = np.mean([name is not None for name in gallery.identify(letters, strangers, stricter.value, pairwise.cosine)])
print(f"F = 10 %: threshold {stricter.value:.3f} instead of {promised.value:.3f}, {still:.0%} of strangers get a name")
assert still < 0.1 < named
assert stricter.false_reject.rate > promised.false_reject.rate

# %% [markdown]
# Drawings, below each the nearest enrolled letter, blue if nearer than the threshold; and the price of many names.

# %%
figure = Figure(figsize=(8.4, 5.4), layout="constrained")
grid = figure.add_gridspec(3, 12, height_ratios=(1, 1, 3.2))
looks = [sharp.images[sharp.groups == group, ..., 0] for group in (alphabets[2], alphabets[0])]
for column in range(12):
    data, pictures = ((others, looks[0][ours.drawers > 0]), (theirs, looks[1]))[column // 6]
    row = 3 + column % 6 * (len(data.labels) // 6)
    match = gallery.search(letters, embed(data.images[[row]]), 1, pairwise.cosine)
    entry, distance = match.entries[0, 0], match.distances[0, 0]
    accepted, correct = distance <= promised.value, data.labels[row] == first.labels[entry]
    for place, picture in enumerate((pictures[row], looks[0][ours.drawers == 0][entry])):
        axes = figure.add_subplot(grid[place, column], xticks=[], yticks=[])
        axes.imshow(picture, cmap="gray_r")
        axes.spines[:].set(color=style.COLOURS[1 if accepted else 5], linewidth=2.5)
    axes.set_xlabel(f"{distance:.2f}\n{('wrong', 'right')[int(correct)] if accepted else 'unknown'}", fontsize=9)
axes = figure.add_subplot(grid[2, :], xlabel="names in the gallery, n", ylabel="strangers that get a name, %")
axes.plot(n, 100 * formula, color=style.COLOURS[2], label="1 − (1 − f)ⁿ")
axes.plot(n, 100 * measured, color=style.COLOURS[1], label="measured")
axes.legend(frameon=False)
style.plain(axes)
figure.suptitle("Left six: letters that are enrolled; right six: strangers")
show(figure, "15_using_it")

# %% [markdown]
# ## Your turn
#
#     minisiam learn start threshold-interval   # a threshold, and what it promises for a new alphabet
#     minisiam learn start open-set             # the name, or unknown
