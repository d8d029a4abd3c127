"""The texts of lessons 11 and later: evaluation, and using what was trained."""

TEXTS: dict[str, str] = {
    "recall": """
Distances are L2. An image is not its own neighbour; an image that is alone in its class does not count; of two
equally near images, one of another class counts as nearer. All distances are finite here, and the notes below on tiles
and rounding are about the library's speed.

Only the nearest image of the same class matters: how many images of other classes are as near or nearer?

The image is found if fewer than k images of other classes have D ≤ that distance. With < a collapsed network
scores 100 %.

D = np.sqrt(((z[:, None] - z) ** 2).sum(axis=2))
""",
    "average-precision": """
Return Scores(precision_at_1, r_precision, map_at_r), each a mean over the queries. Distances are L2. Each image is a
query against all others. R is the number of others of its class; an image that is alone in its class is no query. At
equal distances an image of another class is nearer. All distances are finite here, and the last note below is about
the library's speed.

For one query, only the ranks of the images of its class matter: the k-th nearest of them has the rank k plus the
number of images of other classes that are as near or nearer.

With these ranks r₁ < r₂ < …: P@1 = [r₁ = 1], R-precision = #{k : rₖ ≤ R} / R and MAP@R = Σ k / rₖ over rₖ ≤ R,
divided by R.

own = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
""",
    "sampler": """
Write a generator that does not end. Each batch is an array of classes · per_class rows of the data set, ordered by
class: `classes` different classes, and `per_class` different images of each. There are always enough of both. Use
every class before you repeat one, and every image of a class before you repeat one. Draw all random numbers from rng,
so that a seed repeats the batches.

As with cards: shuffle the classes and take P at a time; for each class shuffle its images and take K at a time.

If fewer than P remain, they come first in the next batch, followed by newly shuffled ones without a repetition.

images = {c: [] for c in np.unique(labels)}  # the images of each class that are left
""",
    "find-the-bug": """
Five gradients of this library have a mistake each: `from minisiam.course.bugs import CORRECT, WRONG`, and compare
WRONG[name](...) with CORRECT[name](...). Write for each the smallest input on which the two gradients differ, with
as few numbers as possible.

Start with one row. If one row is not enough, consider which two quantities the mistake confuses, and make them differ.

Sum and mean differ for two rows; the counts differ if one of two triplets is inactive; rows and columns differ for two
numbers.

"contrastive, hinge missing": {"d": [2.0], "same": [False]},
""",
    "threshold-interval": """
There is one target, "false-accept", and one new group is to come: unseen = 1. Choose the threshold on all pairs, as
in the exercise threshold, and measure both error rates there: false accepts are the pairs of two classes with d ≤ the
threshold, as a share of all pairs of two classes; false rejects the pairs of one class with d above it, likewise.
Then leave out each group in turn: choose a threshold on the pairs of all others, and measure both error rates on the
group. These rates give the intervals. `from minisiam.evaluate.thresholds import Rate, t_975, threshold_at` has what
you need: threshold_at(d, same, rate) is the exercise threshold, and t_975(G − 1) is Student's t. `groups` is always
given, at least three of them. Return Threshold(value, Rate(rate, low, high), Rate(rate, low, high)), false accepts
first, with low ≥ 0 and high ≤ 1.

A threshold looks better on the pairs that chose it than on others. A group that is left out is one that is new.

G rates with mean x̄ and standard deviation s (n − 1 below the root): x̄ ± t s √(1/G + 1). The 1/G is for the mean,
the 1 for the new group, which varies as these do.

left_out = [errors(groups == g, threshold_at(d[groups != g], same[groups != g], rate)) for g in np.unique(groups)]
""",
    "open-set": """
gallery.embeddings is an (n, d) array and gallery.names has n names, one for each row; several rows may have one name.
Return a list with one answer for each row of z. The distance is L2. A query at exactly the threshold is known. If
entries of two names are nearest, at the same distance, the query is unknown: None.

Look at the nearest distance first. Which entries have it, and how many different names do these have?

Known means: the smallest distance is ≤ threshold, and all entries at this distance have the same name.

D = np.sqrt(((z[:, None] - gallery.embeddings) ** 2).sum(axis=2))  # (m, n)
""",
    "all-gather": """
Each rank is a process, or a thread, that runs this function with its own rows z. `ranks` connects them:
ranks.rank and ranks.size; ranks.gather(array) returns a list, the arrays of all ranks in their order;
ranks.exchange(arrays) sends arrays[k] to rank k, and returns a list, what the ranks have sent to this one.
Every rank must call these in the same order. The ranks may have different numbers of rows.
The objective is the sum of what all ranks compute, L = ℓ₀ + ℓ₁ + …, and dZ on rank r is the gradient of ℓᵣ alone.
`pullback` returns the gradient of L with respect to z. A wrong case shows the rows of each rank as z0, z1, …, and as g
the dZ of rank 0, below it that of rank 1, and so on.

Take one row of z. Where is it after the call? How many of the ℓᵣ can it change?

∂L/∂z = Σᵣ ∂ℓᵣ/∂z: the pullback of a copy is a sum. Rank r knows the term of ℓᵣ, for the rows of all ranks, so it must
send each rank the rows of dZ that belong to it.

ends = np.cumsum([0, *map(len, parts)])  # with parts = ranks.gather(z): rank k has rows ends[k] to ends[k + 1] of Z
""",
    "sigmoid": """
D has a row for each image and a column for each text; the pairs are on its diagonal. −D[i, j] is the logit of "image i
and text j are a pair". Avoid overflow: 1000 is a possible logit.

Each entry of D is a verification of its own, as in cross-entropy. Which entries are "same"? How many terms does the sum
have, and by what is it divided?

A term is log(1 + eˣ) with x = D on the diagonal and x = −D elsewhere, and its slope in x is σ(x). Together:
dD = dl · (I − σ(−D)) / n, with n images, not n² entries.

x = np.where(np.eye(len(D), dtype=bool), D, -D)
""",
}
