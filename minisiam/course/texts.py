"""The texts of each exercise: the task, and three hints: an idea, an identity and a first line of code."""

# one paragraph each, in this order; the line breaks of a task are kept, those of a hint are not
TEXTS: dict[str, str] = {
    "squared-distance": """
Return only the value; its gradient is the next exercise.

One number per row: subtract, square, sum over the features. You need no loop.

‖u‖² = Σⱼ uⱼ² with u = a − b, and a row is axis 0, so the sum is over axis 1.

u = a - b
""",
    "squared-distance-gradient": """
Return the value and a pullback. The pullback receives dd, one number per row: the derivative of the loss with
respect to d. It returns the derivatives with respect to a and to b: a tuple of two arrays.

Take one row and one feature: d = (a − b)². How does it change with a? And with b? Then multiply by dd.

∂(a − b)²/∂a = 2 (a − b), and ∂/∂b is the same with the opposite sign. dd has one number per row: dd[:, None].

da = 2 * dd[:, None] * u  # with u = a - b
""",
    "l2": """
A pair of equal points has no direction: where d = 0, set the gradient to 0 instead of dividing by zero.

d is the square root of the squared distance. Chain rule: the slope of the root times the gradient of that.

∂√s/∂s = 1 / (2 √s), so ∂d/∂a = (a − b) / d: the unit vector from b to a. At d = 0 it is 0 by convention.

slope = np.divide(dd, d, out=np.zeros_like(d), where=d > 0)
""",
    "contrastive": """
The loss joins each pair by a spring; `same` says which of two kinds. Derive dd, one number per pair, for both.

Take each pair alone: where same the loss is ½ d², elsewhere ½ max(0, margin − d)². Beyond the margin it is flat.

∂ ½ s²/∂d = s · ∂s/∂d, and ∂(margin − d)/∂d = −1. The value is a mean, so divide every slope by n.

slack = np.maximum(margin - d, 0)
""",
    "triplet": """
Derive the gradients with respect to d₊ and d₋. A triplet exactly at its margin is satisfied: slope 0.

The loss depends on one number, x = d₊ − d₋ + margin. Its slope is 1 for x > 0 and 0 for x ≤ 0.

∂x/∂d₊ = 1 and ∂x/∂d₋ = −1, so one gradient is minus the other. The mean divides both by n.

violation = np.maximum(positive - negative + margin, 0)
""",
    "soft-margin": """
Avoid overflow: for d₊ − d₋ = 1000 the loss is 1000, not infinity.

The loss depends on one number, x = d₊ − d₋ + margin. Its slope rises from 0 to 1 as x grows.

∂ log(1 + eˣ)/∂x = σ(x) = 1 / (1 + e⁻ˣ), and log(1 + eˣ) = max(0, x) + log(1 + e^−|x|).

x = positive - negative + margin
""",
    "two-branches": """
Write the inner function: encode both images with the same params, and compare the embeddings.
Everything is an op: z, pull_z = encoder(params["encoder"], x, input_grad=False); pull_z(dz) gives
(dtheta, None), where dtheta is a tree of the shape of params["encoder"]; `tree.add` adds two trees.
A distance or a loss may be learned. Its parameters are a tuple, () for most: distance(z1, z2, *params["distance"])
and loss(d, *params["loss"], same), and their pullbacks give the gradients of the parameters after the others.
The pullback returns one tree: ({"encoder": dtheta, "distance": ddistance, "loss": dloss},).

The weights are used twice, so a small change of them changes the loss in two ways.

θ enters through z₁ and through z₂: dℓ/dθ = (∂z₁/∂θ)ᵀ dz₁ + (∂z₂/∂θ)ᵀ dz₂. Shared weights: gradients add.

z1, pull_z1 = encoder(params["encoder"], x1, input_grad=False)
""",
    "dense": """
Compute three gradients from dz, an (n, o) array, each in the shape of its variable.

Write one entry: zₙₒ = Σᵢ xₙᵢ Wᵢₒ + bₒ. In which entries of z does Wᵢₒ occur? Sum the products over them.

dW = xᵀ dz, dx = dz Wᵀ, and b occurs in every row, so db is the sum of the rows of dz. The shapes allow nothing else.

dx = dz @ W.T
""",
    "relu": """
x may have any shape. At x = 0 the slope is 0.

Where x > 0 the gradient passes unchanged; elsewhere it is 0.

∂max(0, x)/∂x is 1 for x > 0 and 0 for x ≤ 0. A pullback returns a tuple, even for one variable.

y = np.maximum(x, 0)
""",
    "normalize": """
A row of zeros has no direction: it stays 0 and its gradient is 0.

Making x longer does not change y, so the gradient has no component along x: subtract the component along y.

With y = x / r and r = ‖x‖, ∂r/∂x = y, so dx = (dy − y (y·dy)) / r: the product rule, row by row.

norm = np.sqrt((x * x).sum(axis=1, keepdims=True))
""",
    "cosine": """
For a row of zeros the cosine is 0, so d = 1 and the gradient is 0.

The cosine is the dot product of two unit vectors; the last exercise has the gradient of a unit vector.

∂cos/∂a = (b̂ − cos · â) / ‖a‖, and d = 1 − cos changes the sign.

cos = (unit_a * unit_b).sum(axis=1, keepdims=True)
""",
    "cross-entropy": """
The input is a logit, not a probability. Avoid overflow: 1000 is a possible logit.

Change the sign of the logit where same. Then the loss of both kinds is log(1 + eˣ), and x says how wrong it is.

∂ log(1 + eˣ)/∂x = σ(x). Together: dlogits = (σ(logit) − same) / n.

wrongness = np.where(same, -logits, logits)
""",
    "pairwise": """
From (n, d) and (m, d) compute (n, m) distances. Where two embeddings are equal, the slope is 0.

Each aᵢ occurs in a whole row of D, so its gradient is a sum over the row; that of bⱼ a sum over a column.

daᵢ = Σⱼ dDᵢⱼ (aᵢ − bⱼ) / Dᵢⱼ and dbⱼ = −Σᵢ dDᵢⱼ (aᵢ − bⱼ) / Dᵢⱼ. a[:, None] - b has the shape (n, m, d).

u = a[:, None] - b
""",
    "all-pairs": """
Return Pairs(rows, columns, same): each pair once, with the smaller index first, and whether its two images have
the same class. A batch may have any size, and its labels may be any integers. This miner does not use D; those of
the next exercises do.

The pairs i < j are the entries above the diagonal of an n × n matrix.

np.triu_indices(n, k=1) gives the indices above the diagonal; k = 0 includes the diagonal.

i, j = np.triu_indices(len(labels), k=1)
""",
    "batch-hard": """
Return Triplets(anchor, positive, negative): for each anchor its farthest positive and its nearest negative.
Each row of D belongs to an anchor. The anchor is not its own positive; an anchor without a
positive has no triplet. Of equal distances take the first.

Make two masks from the labels, for positives and negatives. Then take a maximum and a minimum in each row.

argmax of np.where(positive, D, -np.inf) is the farthest positive; argmin with np.inf is the nearest negative.

positive = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
""",
    "semi-hard": """
Return Triplets(anchor, positive, negative). For every ordered positive pair (a, p) take the nearest negative that
is farther than p, and keep the triplet if it is farther by at most the margin.

Mask every negative that is not farther than the positive, take the nearest of the rest, and compare with the
margin.

0 < D[a, n] − D[a, p] ≤ margin: strictly greater than 0, and less than or equal to the margin.

a, p = np.nonzero((labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool))
""",
    "log-sum-exp": """
Return for each row the logarithm and its slope, which is the softmax, of shapes (n,) and (n, m).
1000 is a possible entry. So is −∞, an entry that does not count; a row with no other entries has value 0, slope 0.

e^1000 overflows. Factor something out of the sum first, and add it back after the logarithm.

log Σ e^xⱼ = t + log Σ e^(xⱼ − t) for every t. If t is the largest entry, no term is larger than 1.

top = x.max(axis=1)
""",
    "softmax-cross-entropy": """
The logits are −D / temperature: the nearest candidate is the most probable. There is no margin here.
Avoid overflow and the logarithm of 0: distances of 10000 are possible.

The loss of a row is log Σⱼ e^xⱼ − x_target: the last exercise minus one entry.

∂/∂x = softmax − 1[target]. And x = −D / τ changes the sign and divides by τ; the mean divides by n.

x = D / -temperature
""",
    "convolution": """
Windows lie inside the image, one pixel apart (s = 1): (n, h, w, c) gives (n, h − k + 1, w − k + 1, o).

Two loops over the k × k positions of the kernel are enough: each position is a dense layer on a shifted image.

z = b + Σᵢⱼ x[:, i:i+p, j:j+q] @ W[i, j]. So dW[i, j] sums slice × dz over images
and pixels, and dz @ W[i, j].T is added to the gradient of the slice.

p, q = x.shape[1] - len(W) + 1, x.shape[2] - len(W) + 1
""",
    "max-pool": """
Of equal entries the first, in reading order, receives all of the gradient. Rows and columns that do not fill a
block are ignored, and their gradient is 0.

Only the largest entry of a block occurs in y, so only it receives the gradient of the block. Remember its position.

x[:, i:h:size, j:w:size] is entry (i, j) of every block at once. Go through the entries in order, and remember
for which blocks the maximum is already found.

places = [np.s_[:, i:h:size, j:w:size] for i in range(size) for j in range(size)]
""",
    "recall": """
Distances are L2. An image is not its own neighbour; an image that is alone in its class does not count; of two
equally near images, one of another class counts as nearer.

Only the nearest image of the same class matters: how many images of other classes are as near or nearer?

The image is found if fewer than k images of other classes have D ≤ that distance. With < a collapsed network
scores 100 %.

D = np.sqrt(((z[:, None] - z) ** 2).sum(axis=2))
""",
    "sampler": """
Write a generator that does not end. Each batch is an array of classes · per_class rows of the data set, ordered by
class: different classes, different images of each. Use every class before you repeat one, and every image of a class
before you repeat one. Draw all random numbers from rng, so that a seed repeats the batches.

As with cards: shuffle the classes and take P at a time; for each class shuffle its images and take K at a time.

If fewer than P remain, they come first in the next batch, followed by newly shuffled ones without a repetition.

images = {c: [] for c in np.unique(labels)}  # the images of each class that are left
""",
    "threshold": """
Return the largest threshold whose false-accept rate is at most false_accept. A pair is accepted if d ≤ threshold.

The threshold is one of the distances, or −∞, which accepts no pair. What is the false-accept rate of each?

For each candidate t the rate is (d[~same] <= t).mean(). It grows with t, so take the largest t that is allowed.

candidates = np.concatenate([[-np.inf], np.unique(d)])
""",
    "collapse": """
With these settings the network maps every letter to one point: its loss is the margin, its gradient 0.
Change the settings, as few as you can. You pass if the embeddings differ and recall@1 on letters of held-out
alphabets is better than that of pixels.

The hardest triplets of an untrained network pull all images together: if all distances shrink to 0, each of
these losses falls to the margin.

A semi-hard negative is farther than the positive, so a collapsed batch has no such negatives and no
force that keeps it collapsed.

return {"miner": "semi-hard", "margin": 0.2, "learning_rate": 0.003, ...}  # a smaller learning rate as well
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
There is one target, "false-accept", and one new group is to come: unseen = 1. Choose the threshold on all pairs, as in
exercise 23, and measure both error rates there. Then leave out each group in turn: choose a threshold on the pairs of
all others, and measure both error rates on the group. These rates give the intervals.
`from minisiam.evaluate.thresholds import Rate, t_975, threshold_at` has what you need: t_975(G − 1) is Student's t.
Return Threshold(value, Rate(rate, low, high), Rate(rate, low, high)), with low ≥ 0 and high ≤ 1.

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
    "cached": """
Write the inner function. A loss on a batch needs all embeddings before it sends a gradient back, but not all
activations. A pullback of the encoder keeps the activations of its images in memory as long as it is used. So embed
chunk by chunk, keep only the embeddings, and let `pullback` encode each chunk again.
z, pull = encoder(params, part, input_grad=...) and pull(dz of the part) gives (dparams, dx of the part), or
(dparams, None) without input_grad. `tree.add` adds two trees of parameters.

Two passes over the chunks. The first needs no pullback. In the second, use the pullback of a chunk before you make the
next one.

All chunks share the weights, so dparams is the sum over the chunks; each image has its own row of dx, so dx is a
concatenation.

chunks = [x[start : start + chunk] for start in range(0, len(x), chunk)]
""",
}
