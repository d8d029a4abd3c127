# %% [markdown]
# # 06 · Verification
#
# - *You will see:* a distance read as a probability; the cross-entropy that trains it; what a threshold buys and what
#   it costs, on held-out letters; and a verifier used to answer one-shot questions.
# - *Time:* 20 minutes.
# - *Needs:* lessons 01 to 03.

# %%
from itertools import islice

import numpy as np

import minisiam as ms
from minisiam.course.lesson import show

# %% [markdown]
# ## A distance that is an answer
#
# "Are these two drawings the same letter?" needs a yes or a no, or better, a probability. Koch, Zemel and Salakhutdinov
# (2015) compute it from a weighted L1 distance of the two embeddings, with weights that are learned:
#
# $$d = \sum_j w_j |z_{1j} - z_{2j}| + \beta, \qquad p(\text{same}) = \sigma(-d) = \frac{1}{1 + e^{d}}.$$
#
# The bias $\beta$, which the paper does not have, puts the threshold at 0: below, more likely the same than not. So
# $d$ may be negative. It is a score and no longer a metric.
#
# ## The loss of a probability
#
# Write $l = -d$ for the logit. The loss is $-\log p$ of what turned out to be true. If it was *same*, with
# $p = \sigma(l)$,
#
# $$\ell = -\log \frac{1}{1 + e^{-l}} = \log(1 + e^{-l}), \qquad
#   \frac{d\ell}{dl} = \frac{-e^{-l}}{1 + e^{-l}} = -\frac{1}{1 + e^{l}} = \sigma(l) - 1.$$
#
# If it was *different*, $1 - \sigma(l) = \sigma(-l)$, so $\ell = \log(1 + e^{l})$ with the slope $\sigma(l)$. Both in
# one line: the slope is $\sigma(l) - t$, with $t = 1$ for same. It is the predicted probability minus the true one,
# and nothing simpler can be asked of a gradient. (The paper prints the loss without its minus sign. With it, it
# shrinks as the network learns.)

# %%
logits, same = np.array([2.0, -1.0, 0.5, 0.0]), np.array([True, True, False, False])
value, pullback = ms.losses.binary_cross_entropy(logits, same)
p = 1 / (1 + np.exp(-logits))
assert np.isclose(value, -np.log(np.where(same, p, 1 - p)).mean())
assert np.allclose(pullback(1.0)[0], (p - same) / 4)
assert np.isclose(
    ms.losses.binary_cross_entropy(np.zeros(4), same)[0], np.log(2)
)  # knowing nothing costs log 2 = 0.693

# %% [markdown]
# Why hand over the logit and not $p$? Because a network that is sure and wrong has $l = 40$ for a different pair. Then
# $p$ rounds to 1, $1 - p$ to 0, and the loss, which is 40, becomes infinite. From the logit it is computed as
# $\max(0, l) + \log(1 + e^{-|l|})$, where nothing can overflow (lesson 12).

# %%
sure, wrong = np.array([40.0]), np.array([False])
assert 1 - 1 / (1 + np.exp(-sure)) == 0
assert ms.losses.binary_cross_entropy(sure, wrong)[0] == 40

# %% [markdown]
# ## Training
#
# Three sets of alphabets: fourteen for training, seven to choose a threshold, ten for the test. The images are centred
# and blurred, as in lesson 01. Different pairs are drawn within one alphabet, as in the test.
#
# The gradient that reaches the embedding is multiplied by $w$. With 64 features on the unit sphere,
# $|z_{1j} - z_{2j}|$ is 0.08 on average, so with $w_j = \frac12$ the sum starts near $64 \cdot 0.04 \approx 2.5$, and
# with $\beta = -2.5$ the network starts undecided, at a loss a little below $\log 2 = 0.69$.

# %%
drawings = ms.datasets.pen_glyphs(drawers=10)
drawings = drawings._replace(images=ms.datasets.blurred(ms.datasets.centred(drawings.images)))
rest, test = ms.datasets.split(drawings)
known, validation = ms.datasets.split(rest)

rng = np.random.default_rng(0)
encoder = ms.encoders.mlp(128, 64, normalize=True)
objective = ms.networks.verification(encoder, ms.distances.weighted_l1, ms.losses.binary_cross_entropy)
start = objective.init(rng, (28, 28, 1))
start["distance"] = np.full(64, 0.5, np.float32), np.asarray(-2.5, np.float32)  # parameters are a plain tree
pairs = islice(ms.samplers.pairs(known.images, known.labels, rng, size=64, groups=known.groups), 700)
history = list(ms.train.fit(objective, start, ms.optimizers.adam(1e-3), pairs))
values, (_, _, params) = [value for _, value, _ in history], history[-1]
print(f"loss {values[0]:.2f} → {np.mean(values[-20:]):.2f}")
assert 0.5 < values[0] < np.log(2)
w, bias = params["distance"]

# %% [markdown]
# ## The trade-off
#
# Now 4,000 pairs of *held-out* letters, half of them the same, the others two letters of one alphabet. Accept a pair
# as the same if $d \le \tau$. Two things can go wrong: a different pair is accepted, a same pair is rejected. As
# $\tau$ rises the first becomes more frequent and the second less. The curve of the two is called ROC. Where they are
# equal one reads the **equal error rate**. The area under the curve is the probability that a same pair is nearer than
# a different one, which can be checked by comparing all with all.


# %%
def distances_of(data, seed):
    z = ms.evaluate.embed(encoder, params["encoder"], data.images)
    i, j, same = next(ms.samplers.pair_indices(data.labels, np.random.default_rng(seed), 4000, groups=data.groups))
    return ms.distances.weighted_l1(z[i], z[j], w, bias)[0], same


d, same = distances_of(test, seed=1)
curve = ms.evaluate.roc(d, same)
area = ms.evaluate.auc(d, same)
equal = ms.evaluate.equal_error(d, same)
print(f"area under the curve {area:.3f}, equal error rate {100 * equal.rate:.1f} % at d = {equal.threshold:.2f}")

nearer = d[same][:, None] < d[~same]
assert abs(area - nearer.mean()) < 1e-3
assert abs((d[~same] <= equal.threshold).mean() - (d[same] > equal.threshold).mean()) < 2e-3
assert equal.rate < 0.15

# %% [markdown]
# ## Choosing a threshold
#
# $d = 0$ is not the threshold you want, for three reasons.
#
# 1. It is where the two kinds are equally likely if the model is *calibrated*, that is, if of the pairs with
#    $p(\text{same}) = q$ a share $q$ is the same. Training aims at that on the training alphabets, and nothing ensures
#    it on others. Here the held-out pairs with $|d| < \tfrac12$ are the same letter in about 70 % of cases, and the
#    equal error rate lies above 0.
# 2. Even a calibrated model is calibrated for half of all pairs being the same, as in training. If one pair in twenty
#    is the same, Bayes' rule adds the logarithm of the odds, $\log \frac{1}{19} = -2.9$, to every logit, and the
#    threshold for "more likely than not" moves from 0 to $-2.9$.
# 3. It does not depend on what your errors cost.
#
# Decide instead how many different pairs may be accepted, 1 % for instance, and take the largest threshold that keeps
# to it. Take it on alphabets that are used neither for training nor for the test. A threshold chosen on the test set
# keeps to the limit by construction; one that was chosen elsewhere shows how well it carries over. Here it accepts more
# than the limit, because the test has other alphabets.

# %%
undecided = same[np.abs(d) < 0.5]
print(f"{undecided.mean():.0%} of {len(undecided)} held-out pairs with |d| < 0.5 are the same letter, not about 50 %")
assert undecided.mean() - 0.5 > 4 * np.sqrt(0.25 / len(undecided))  # four standard errors
assert equal.threshold > 0.1

tau = ms.evaluate.threshold_at(*distances_of(validation, seed=2), false_accept=0.01)
false_accept, true_accept = (d[~same] <= tau).mean(), (d[same] <= tau).mean()
print(f"different pairs accepted: promised 1.0 %, got {false_accept:.1%}; same pairs: {true_accept:.0%}")
assert tau < 0
assert 0.01 < false_accept < 0.04
assert (d[~same] <= ms.evaluate.threshold_at(d, same, 0.01)).mean() <= 0.01  # on its own data it holds

show(
    ms.plots.distances(d, same, tau, "for 1 % false accepts on validation: τ", "d of held-out pairs; p(same) = σ(−d)"),
    "06_pairs",
)
marks = {"equal error": (equal.rate, 1 - equal.rate), "threshold from validation": (false_accept, true_accept)}
show(ms.plots.roc({"held-out letters": curve}, marks), "06_trade_off")

# %% [markdown]
# ## One-shot by verification
#
# The verifier was not trained on 20-way questions, but it can answer them: compare the query with each of the twenty,
# and take the most probable. No threshold is needed for that, only the order of the distances.

# %%
z = ms.evaluate.embed(encoder, params["encoder"], test.images)
soft = ms.evaluate.pixels(test.images)
questions = {"groups": test.groups, "drawers": test.drawers, "episodes": 200}


def score(x, distance):
    return ms.evaluate.few_shot(x, test.labels, np.random.default_rng(3), distance, **questions)


learned, unlearned = score(z, lambda a, b: ms.pairwise.weighted_l1(a, b, w, bias)), score(soft, ms.pairwise.l2)
print("20-way one-shot: verifier", learned, " the same images as pixels", unlearned)
assert learned.accuracy > unlearned.accuracy + 0.02  # on the same questions

# %% [markdown]
# The threshold is for another question: "is it any of these?" There a small rate adds up. Of nineteen wrong letters,
# each accepted with probability $\alpha$, at least one is accepted with probability at most $19 \alpha$: 19 % for
# $\alpha = 1\,\%$. That bound holds whatever the events have in common. If they were independent it would be
# $1 - (1 - \alpha)^{19}$, 17 %; but the nineteen share one query, so one bad drawing may be accepted several times, and
# the count below is lower than that.

# %%
drawn = ms.samplers.episode_indices(test.labels, np.random.default_rng(4), groups=test.groups, drawers=test.drawers)
accepted = []
for episode in islice(drawn, 200):
    matrix, _ = ms.pairwise.weighted_l1(z[episode.query], z[episode.support], w, bias)  # (20, 20)
    accepted.append((matrix <= tau) & (test.labels[episode.query][:, None] != test.labels[episode.support]))
each, any_of_them = np.sum(accepted) / (4000 * 19), np.any(accepted, axis=2).mean()
bound, independent = 19 * each, 1 - (1 - each) ** 19
print(f"wrong letter {each:.1%}; any of 19: {any_of_them:.0%}, independent {independent:.0%}, bound {bound:.0%}")
assert any_of_them < independent < bound
assert np.isclose(1 - 0.99**19, 0.17, atol=0.005)

# %% [markdown]
# ## Your turn
#
#     minisiam learn start cross-entropy
#     minisiam learn start threshold
