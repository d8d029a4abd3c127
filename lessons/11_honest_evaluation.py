# %% [markdown]
# # 11 · Honest evaluation
#
# - *You will see:* a constant embedding that scores 100 %; how a tie, a split and a metric each make a number
#   larger without making anything better; and how wide a result is.
# - *Time:* 25 minutes.
# - *Needs:* lesson 01 (the data) and lesson 09 (collapse).

# %%
from itertools import islice
from math import comb

import numpy as np
from matplotlib.figure import Figure

from minisiam import datasets, encoders, evaluate, losses, networks, optimizers, pairwise, samplers, train
from minisiam.course.lesson import show
from minisiam.plots import style

seen, unseen = datasets.split(datasets.pen_glyphs(drawers=6, size=14))
assert not set(seen.labels) & set(unseen.labels)

# %% [markdown]
# ## One hundred per cent
#
# A repository reported a one-shot accuracy of 1.0 on each of twenty alphabets, after training
# (tensorfreitas/Siamese-Networks-for-One-Shot-Learning#1). The author's guess: the steps were too large and the network
# gave one output for all images. How can all its answers be right?
#
# The questions were built with the right pair first, and the answer was taken by `argmax`. Where all are equal,
# `argmax` and `argmin` return the first. So a constant embedding is always right in such a test.

# %%
constant = np.zeros((len(unseen.images), 32), np.float32)
question = samplers.episode_indices(unseen.labels, np.random.default_rng(0), way=20)
right = []
for episode in islice(question, 50):
    for k in range(20):
        order = [k, *(j for j in range(20) if j != k)]  # the right one first
        D, _ = pairwise.l2(constant[episode.query[[k]]], constant[episode.support[order]])
        right.append(D.argmin() == 0)
assert np.mean(right) == 1.0

# %% [markdown]
# Two repairs. Put the right answer anywhere, and a constant is right one time in twenty. And let a tie count against
# the model: an answer is right only if it is *strictly* nearer than every other. Then a constant is never right.

# %%
assert evaluate.few_shot(constant, unseen.labels, np.random.default_rng(0)).accuracy == 0
assert evaluate.recall_at_k(constant[::2], unseen.labels[::2], k=5) == 0

# %% [markdown]
# ## Seen and unseen
#
# Train a small network on four of the six drawers. Then test it on the other two drawers, once with the letters it was
# trained on, once with letters of other alphabets. Both are new images. Only the second tests whether it has learned
# what makes two drawings one letter.

# %%
encoder = encoders.mlp(256, 64)
network = networks.batch(encoder, pairwise.cosine, losses.supcon)
shown = seen.where(seen.drawers < 4)
rng = np.random.default_rng(0)
params = network.init(rng, (14, 14, 1))
batches = samplers.pk(shown.images, shown.labels, rng, classes=24, per_class=4)
*_, (_step, _value, params) = train.fit(network, params, optimizers.adam(3e-3), islice(batches, 300))


def learned(images):
    return evaluate.embed(encoder, params["encoder"], images)


def one_shot(embed, data, **protocol):
    asked = np.random.default_rng(0)  # one seed, one list of questions
    return evaluate.few_shot(embed(data.images), data.labels, asked, pairwise.cosine, episodes=200, **protocol)


gain = {}
for name, data in (("trained letters", seen), ("unseen alphabets", unseen)):
    new_drawers = data.where(data.drawers >= 4)
    flat, deep = (one_shot(embed, new_drawers, groups=new_drawers.groups) for embed in (evaluate.pixels, learned))
    print(f"{name:16}  pixels {flat}   network {deep}")
    gain[name] = deep.accuracy - flat.accuracy
assert gain["trained letters"] > gain["unseen alphabets"] > 0.1  # not all that it learned carries over

# %% [markdown]
# ## How wide is a number?
#
# If $n$ answers are independent and right with probability $p$, their share has the standard error
# $\sqrt{p(1-p)/n}$. For the 400 questions of Omniglot at 92 % that is 1.4 points, a 95 % interval of $\pm 2.7$ points.
#
# Are two papers at 92.0 and 93.5 % different, then? The intervals overlap, but both papers answered the *same* 400
# questions, one with 32 errors and the other with 26. Only the questions on which they disagree count. If in each of
# these either is as likely to be wrong, $b$ against $c \ge b$ errors have the two-sided probability
# $2 \sum_{k \le b} \binom{b+c}{k} / 2^{b+c}$ (McNemar's exact test). If the 26 errors are among the 32, $b = 0$ and
# $c = 6$: $p = 0.031$. If only 20 are common to both, 6 against 12: $p = 0.24$. Two percentages do not say which.
#
# The twenty questions of an episode share an alphabet and a drawer, so they are not independent. So the episode is the
# unit: `few_shot` returns the mean of $E$ episode scores $\pm 1.96\, s / \sqrt E$. Does that interval contain the true
# mean in 95 of 100 cases? Take 1,000 episodes for the truth, and many samples of 50. All are drawn from *these* ten
# alphabets: the interval holds for them, and other alphabets would vary more.

# %%
assert round(100 * np.sqrt(0.92 * 0.08 / 400), 1) == 1.4
mcnemar = lambda b, c: 2 * sum(comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
assert round(mcnemar(26 - 26, 32 - 26), 3) == 0.031
assert round(mcnemar(26 - 20, 32 - 20), 2) == 0.24
z = {"pixels": evaluate.pixels(unseen.images), "network": learned(unseen.images)}
drawn = samplers.episode_indices(unseen.labels, np.random.default_rng(2), 20, 1, 1, unseen.groups, unseen.drawers)
scores = {name: [] for name in z}
for episode in islice(drawn, 1000):
    for name, e in z.items():
        scores[name].append((evaluate.answer(e, episode, pairwise.cosine) == episode.labels).mean())
scores = {name: np.array(values) for name, values in scores.items()}  # (1000,) each
intervals = [evaluate.mean_score(sample) for sample in rng.choice(scores["network"], size=(1000, 50))]
covered = np.mean([score.low <= scores["network"].mean() <= score.high for score in intervals])
print(f"an interval of 50 episodes contains the mean of all 1,000 in {100 * covered:.0f} % of cases")
assert 0.92 < covered < 0.97

# %% [markdown]
# Comparing two models, ask both *the same* questions. If hard questions are hard for both, their scores rise and fall
# together, and $\operatorname{var}(x - y) = \operatorname{var} x + \operatorname{var} y - 2 \operatorname{cov}(x, y)$
# is less than the sum, as it is here. An interval over episodes says how well *this* network is known. Another seed
# gives another network: report several seeds (Musgrave, Belongie & Lim 2020 take ten), and choose margins and rates on
# validation classes, never on these.

# %%
x, y = scores["network"], scores["pixels"]
paired, apart = (x - y).std(), np.sqrt(x.var() + y.var())
print(f"standard deviation of the difference: same questions {paired:.3f}, separate questions {apart:.3f}")
assert paired < apart

# %% [markdown]
# ## Other metrics
#
# Few-shot asks about 20 candidates. Retrieval asks about all images at once. Let a query have $R$ others of its class.
#
# - *Recall@k*: is one of its own among the $k$ nearest? One good neighbour is enough.
# - *R-precision*: which share of the $R$ nearest is of its class?
# - *MAP@R* (Musgrave et al. 2020): the same, with places that count,
#   $\frac1R \sum_{i \le R} [\,i\text{-th is right}\,] \cdot P(i)$, where $P(i)$ is the share of right ones among the
#   first $i$.
#
# A query at 0, three of its class at 1.0, 3.1 and 4.3, two strangers at 2.2 and 5.6: right, wrong, right. Recall@1 is
# 1, R-precision $\tfrac23$, MAP@R $\tfrac13(1 + \tfrac23) = \tfrac59$.

# %%
line, of = np.array([[0.0], [1], [3.1], [4.3], [2.2], [5.6]]), np.array([0, 0, 0, 0, 1, 2])


def of_query(q):
    order = np.argsort(np.abs(line - line[q])[:, 0])[1:4]  # the first is the query itself
    hit = of[order] == 0
    return hit.mean(), (hit * np.cumsum(hit) / [1, 2, 3]).sum() / 3


assert np.allclose(of_query(0), (2 / 3, 5 / 9))
assert np.allclose(np.mean([of_query(q) for q in range(4)], axis=0), evaluate.retrieval.scores(line, of)[1:])
assert evaluate.retrieval.scores(constant[::2], unseen.labels[::2]) == (0, 0, 0)

# %% [markdown]
# The same three embeddings under five metrics. Here all five agree on the order, but every metric has its own scale, so
# a number without its protocol means nothing. A published 96 % of *any letters* and a 92 % *within an alphabet* are not
# four points apart; they are not on one axis.

# %%
gallery = unseen.where(unseen.drawers < 3)  # 1,368 images, three of each letter
rulers = {
    "5-way,\nany letters": lambda e: one_shot(e, unseen, way=5),
    "20-way,\nany letters": lambda e: one_shot(e, unseen),
    "20-way, within\nan alphabet": lambda e: one_shot(e, unseen, groups=unseen.groups, drawers=unseen.drawers),
    "recall@1": lambda e: evaluate.recall_at_k(e(gallery.images), gallery.labels, 1, pairwise.cosine),
    "MAP@R": lambda e: evaluate.retrieval.scores(e(gallery.images), gallery.labels, pairwise.cosine).map_at_r,
}
figure = Figure(figsize=(7.6, 4), layout="constrained")
axes = figure.add_subplot()
embeddings = {"network": learned, "pixels": evaluate.pixels, "a constant": lambda images: np.ones((len(images), 2))}
means = {}
for number, (name, embed) in enumerate(embeddings.items()):
    found = [ruler(embed) for ruler in rulers.values()]
    found = [s if isinstance(s, evaluate.Score) else evaluate.Score(s, s, s) for s in found]
    means[name], low, high = (100 * np.array(part) for part in zip(*found, strict=True))
    bars = means[name] - low, high - means[name]
    look = {"color": style.COLOURS[number], "marker": style.MARKERS[number], "capsize": 3, "linestyle": "none"}
    axes.errorbar(np.arange(5), means[name], bars, label=name, **look)
axes.set(ylabel="score, %", ylim=(-3, 100), title="Three embeddings, five metrics: held-out alphabets")
axes.set_xticks(np.arange(5), rulers)
axes.legend(frameon=False)
style.plain(axes)
show(figure, "11_rulers")
assert (means["network"] > means["pixels"]).all()
assert not means["a constant"].any()
assert means["network"][0] > means["network"][1] > means["network"][2] > means["network"][4]

# %% [markdown]
# ## Your turn
#
#     minisiam learn start recall              # recall@k, ties against the model
#     minisiam learn start average-precision   # P@1, R-precision and MAP@R, from the ranks
#     minisiam learn start sampler             # P×K batches (lesson 08), dealt like cards
