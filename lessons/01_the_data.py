# %% [markdown]
# # 01 · The data
#
# - *You will see:* an alphabet you have never read, one example of each letter, and the question that the whole course
#   is about; then how far one gets without any training.
# - *Time:* 10 minutes.
# - *Needs:* `python -m pip install -e '.[figures]'`. Nothing is downloaded: the data ships with the package.

# %%
import numpy as np

from minisiam import datasets, evaluate, pairwise, plots, samplers
from minisiam.course.lesson import show

data = datasets.pen_glyphs()
print(data)  # 27,540 images of 1,377 classes in 31 alphabets
assert data.images.shape == (27540, 28, 28, 1)  # white ink on black, float32 in [0, 1]
assert len(data.labels) == 1377 * 20  # every letter drawn once by each of twenty drawers

# %% [markdown]
# ## Letters without training examples
#
# A classifier learns the classes it will be asked about. Here it is different: the training letters and the test
# letters come from different alphabets. What can be learned is not what an *A* looks like but what it takes for two
# drawings to be the *same letter*, whatever letter that is.
#
# `split` holds out every third alphabet. No class is on both sides. The networks of this course are tested on these
# alphabets, not on a random tenth of the images.

# %%
train, test = datasets.split(data)
assert not set(train.labels) & set(test.labels)
assert (len(np.unique(train.groups)), len(np.unique(test.groups))) == (21, 10)
print("held out:", ", ".join(test.names[g] for g in np.unique(test.groups)))

# %% [markdown]
# The letters are skeletons one pixel wide, thinned from two free fonts, and the twenty drawers are simulated. A drawer
# has a style for each alphabet, with its own turn, slant, size and thickness, and every single drawing bends and shifts
# a little besides. Below are eight letters of Nuskhuri, a Georgian script; each column is a drawer.
#
# Later lessons train an *encoder*, a function that maps an image to a few numbers, its *embedding*: near each other for
# drawings of one letter. Read along a row: this is what it must learn to ignore. Read down a column: this is what it
# must learn to see.

# %%
georgian = test.where(test.groups == test.names.index("nuskhuri"))
letters = np.unique(georgian.labels)[:8]
table = np.stack([georgian.images[georgian.labels == letter][:12] for letter in letters])  # (8, 12, 28, 28, 1)
show(
    plots.glyph_sheet(table, [f"letter {i}" for i in range(1, 9)], "One letter a row, one drawer a column"),
    "01_letters",
)

# %% [markdown]
# ## The question
#
# *One-shot, 20-way, within an alphabet*: take one held-out alphabet and twenty of its letters. One drawer shows each
# of them once, the *support*. Another drawer draws each of them once, the *queries*. For each query, which of the
# twenty is it? This is the protocol that Lake, Salakhutdinov and Tenenbaum gave Omniglot in 2015. People are right
# 95.5 % of the time there.
#
# An episode is twenty such questions. It is rows of the data set, and nothing else.

# %%
rng = np.random.default_rng(0)
episode = next(samplers.episode_indices(test.labels, rng, groups=test.groups, drawers=test.drawers))
assert episode.support.shape == episode.query.shape == (20,)
assert len(np.unique(test.groups[episode.support])) == 1  # one alphabet
assert len(np.unique(test.drawers[episode.support])) == 1  # one drawer for the support
assert set(test.drawers[episode.query]).isdisjoint(test.drawers[episode.support])  # others for the queries

# %% [markdown]
# ## How far pixels get
#
# Guessing is right one time in twenty, 5 %. The simplest thing better than guessing is to answer with the nearest
# support image, by the distance of the pixels, $d(x, x') = \sqrt{\sum_p (x_p - x'_p)^2}$. This needs no training. We do
# the same with *centred* images, each moved so that its ink is in the middle, and with images that are blurred as well.
#
# Over 400 episodes the accuracies $s_1 \dots s_{400}$ have a mean and a standard deviation $\sigma$, and the mean is
# known to about $\pm 1.96\,\sigma / \sqrt{400}$: that is the interval printed here. All three answer the same
# questions, since they start from the same seed.


# %%
def one_shot(images):
    questions = np.random.default_rng(1)
    pixels = evaluate.pixels(images)  # (n, 784)
    return evaluate.few_shot(pixels, test.labels, questions, way=20, groups=test.groups, drawers=test.drawers)


centred = datasets.centred(test.images)
scores = {"raw pixels": one_shot(test.images), "centred": one_shot(centred)}
scores["centred and blurred"] = one_shot(datasets.blurred(centred))
for name, score in scores.items():
    print(f"{name:20} {score}")

raw, middle, soft = scores.values()
assert 0.05 < 0.36 < raw.accuracy < 0.43
assert raw.high < middle.low  # the intervals do not touch
assert middle.high < soft.low
assert 0.60 < soft.accuracy < 0.66

# %% [markdown]
# ## Why so little?
#
# Pen lines are thin. For images $x$ and $y$ scaled to $\|x\| = \|y\| = 1$ the distance says how little they overlap:
#
# $$\|x - y\|^2 = \|x\|^2 + \|y\|^2 - 2\, x \cdot y = 2 (1 - x \cdot y).$$
#
# The overlap $x \cdot y$ is all that this distance measures. One letter by two drawers overlaps by 0.57 on average,
# two neighbours in an alphabet by one drawer by 0.38. Now move a drawing sideways, without changing a stroke. After
# three pixels it overlaps with itself, on average, less than with its neighbour in the alphabet. Blurring makes lines
# wider, so that near misses count; it is a first invariance, and it needs no training.

# %%
x = centred / np.linalg.norm(centred, axis=(1, 2), keepdims=True)  # image 20·letter + drawer
one_letter = (x[:-1] * x[1:]).sum(axis=(1, 2, 3))[test.labels[:-1] == test.labels[1:]].mean()
two_letters = (x[:-20] * x[20:]).sum(axis=(1, 2, 3))[test.groups[:-20] == test.groups[20:]].mean()
wide = datasets.blurred(centred, 1.5)
wide /= np.linalg.norm(wide, axis=(1, 2), keepdims=True)
shifted = [(x * np.roll(x, t, axis=2)).sum(axis=(1, 2, 3)).mean() for t in range(5)]
blurred_shifted = [(wide * np.roll(wide, t, axis=2)).sum(axis=(1, 2, 3)).mean() for t in range(5)]

print(f"overlap of one letter by two drawers {one_letter:.2f}, of two letters {two_letters:.2f}")
print("shifted by 0 to 4 pixels:", np.round(shifted, 2), "and blurred:", np.round(blurred_shifted, 2))
assert 0.5 < one_letter < 0.6
assert 0.35 < two_letters < 0.4
assert shifted[3] < two_letters
assert blurred_shifted[3] > 0.6

# %% [markdown]
# ## Two protocols that look alike
#
# Twenty letters of *one* alphabet resemble each other more than twenty letters of any alphabets, and asking for the
# latter is an easier test. The same pixels then score higher without any training. So a number without its protocol
# means nothing, and numbers of two protocols must not be compared.

# %%
anywhere = evaluate.few_shot(evaluate.pixels(test.images), test.labels, np.random.default_rng(1), drawers=test.drawers)
print("raw pixels, letters of any alphabet:", anywhere)
assert anywhere.low > raw.high

# %% [markdown]
# Here are three episodes as the centred and blurred pixels answer them. Framed answers are wrong. Look at which
# letters are confused: pixels compare where the ink is, and not how the line runs.

# %%
z = evaluate.pixels(datasets.blurred(centred))
drawn = samplers.episode_indices(test.labels, np.random.default_rng(3), groups=test.groups, drawers=test.drawers)
episodes = [next(drawn) for _ in range(3)]
answers = [evaluate.answer(z, e, pairwise.l2) for e in episodes]
names = [test.names[test.groups[e.support[0]]] for e in episodes]
show(plots.few_shot_sheet(test.images, episodes, answers, names), "01_questions")

# %% [markdown]
# ## Your turn
#
# This lesson has no derivation, so no exercise of `minisiam learn` belongs to it. Two questions to answer by changing
# a line above:
#
# 1. `way=5` instead of 20: what is chance, and what do raw pixels score?
# 2. Blur with a standard deviation of 3 pixels instead of 1. Why is that worse than centring alone?
