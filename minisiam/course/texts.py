"""What is said of each exercise: the task; then three hints, an idea, an identity and a first line of code."""

# paragraphs, in this order; the lines of a task are kept, those of a hint are one
TEXTS: dict[str, str] = {
    "squared-distance": """
Return the value alone; its gradient is the next exercise.

One number a row: subtract, square, add up along the features. No loop is needed.

‖u‖² = Σⱼ uⱼ² with u = a − b, and a row is axis 0, so the sum is over axis 1.

u = a - b
""",
    "squared-distance-gradient": """
Return the value and a pullback. The pullback receives dd, one number a row: how much the loss changes with d.
It returns how much the loss changes with a, and with b: a tuple of two arrays.

Take one row and one feature: d = (a − b)². How does it change with a? And with b? Then multiply by dd.

∂(a − b)²/∂a = 2 (a − b), and ∂/∂b is the same with the other sign. dd has a number a row: dd[:, None].

da = 2 * dd[:, None] * u  # with u = a - b
""",
    "l2": """
A pair of equal points has no direction: where d = 0 the gradient is 0, and not a division by zero.

d is the root of what you had. By the chain rule the slope of the root comes first, then what you had.

∂√s/∂s = 1 / (2 √s), so ∂d/∂a = (a − b) / d: the unit vector from b to a. At d = 0 it is 0 by convention.

slope = np.divide(dd, d, out=np.zeros_like(d), where=d > 0)
""",
    "contrastive": """
`same` says which spring each pair has. Derive dd, one number a pair, for both kinds.

Each pair alone: where same the loss is ½ d², elsewhere ½ max(0, margin − d)². The hinge is flat beyond its end.

∂ ½ s²/∂d = s · ∂s/∂d, and ∂(margin − d)/∂d = −1. The value is a mean, so every slope is divided by n.

slack = np.maximum(margin - d, 0)
""",
    "triplet": """
Derive what the loss does to d₊ and to d₋. A triplet that just keeps its margin counts as satisfied.

The loss sees one number, x = d₊ − d₋ + margin. It has the slope 1 above 0, and none from 0 down.

∂x/∂d₊ = 1 and ∂x/∂d₋ = −1, so the two gradients are each other's negative. A mean divides both by n.

violation = np.maximum(positive - negative + margin, 0)
""",
    "soft-margin": """
Let it not overflow: a triplet that is wrong by 1000 has a loss of 1000, not infinity.

The loss sees one number, x = d₊ − d₋ + margin. Its slope goes from 0 to 1 as x grows.

∂ log(1 + eˣ)/∂x = σ(x) = 1 / (1 + e⁻ˣ), and log(1 + eˣ) = max(0, x) + log(1 + e^−|x|).

x = positive - negative + margin
""",
    "two-branches": """
Write the objective inside: encode both images with the same params, and compare.
Everything is an op: z, pull_z = encoder(params["encoder"], x, input_grad=False); pull_z(dz) gives
(dtheta, None). `distance` and `loss` are as in their exercises. The pullback returns one tree:
({"encoder": dtheta, "distance": ddistance, "loss": dloss},), and `tree.add` adds two trees.

The weights are used twice, so a small change of them changes the loss twice over.

θ enters through z₁ and through z₂: dℓ/dθ = (∂z₁/∂θ)ᵀ dz₁ + (∂z₂/∂θ)ᵀ dz₂. Shared weights: gradients add.

z1, pull_z1 = encoder(params["encoder"], x1, input_grad=False)
""",
    "dense": """
Three gradients from dz, an (n, o) array, each in the shape of its variable.

Write one entry: zₙₒ = Σᵢ xₙᵢ Wᵢₒ + bₒ. Which entries of z does Wᵢₒ reach? Sum dz over them.

dW = xᵀ dz, dx = dz Wᵀ, and b reaches every row, so db is the sum of the rows of dz. Shapes leave no other way.

dx = dz @ W.T
""",
    "relu": """
Any shape, entry by entry. At x = 0 the slope is 0.

Where the entry passes, the gradient passes; where it is cut off, nothing gets through.

∂max(0, x)/∂x is 1 for x > 0 and 0 for x ≤ 0. A pullback returns a tuple, of one variable too.

y = np.maximum(x, 0)
""",
    "normalize": """
A row of zeros has no direction: it stays 0 and gets no gradient.

Making x longer changes nothing, so no gradient may point along x: the part along y has to be removed.

With y = x / r and r = ‖x‖, ∂r/∂x = y, so dx = (dy − y (y·dy)) / r: the product rule, row by row.

norm = np.sqrt((x * x).sum(axis=1, keepdims=True))
""",
    "cosine": """
Of a row of zeros the cosine is 0, so d = 1, and there is no gradient.

The cosine is the dot product of two unit vectors: you have the gradient of a unit vector already.

∂cos/∂a = (b̂ − cos · â) / ‖a‖, and d = 1 − cos turns the sign.

cos = (unit_a * unit_b).sum(axis=1, keepdims=True)
""",
    "cross-entropy": """
The input is a logit, not a probability, so that nothing overflows: 1000 is a possible logit.

Turn the sign where same: then both kinds have the same loss, log(1 + eˣ), of how wrong the logit is.

∂ log(1 + eˣ)/∂x = σ(x). Together: dlogits = (σ(logit) − same) / n.

wrongness = np.where(same, -logits, logits)
""",
    "pairwise": """
(n, d) against (m, d) gives (n, m). Where two embeddings are equal the slope is 0.

Each aᵢ is in a whole row of D, so it receives a sum over the row; each bⱼ one over a column.

daᵢ = Σⱼ dDᵢⱼ (aᵢ − bⱼ) / Dᵢⱼ and dbⱼ = −Σᵢ of the same. a[:, None] - b has the shape (n, m, d).

u = a[:, None] - b
""",
    "all-pairs": """
Return Pairs(rows, columns, same): each pair once, with the smaller number first, and whether the two are of one
class. A batch may have any size.
D is not read here; the miners of the next exercises read it.

The pairs i < j are the entries above the diagonal of an n × n matrix.

np.triu_indices(n, k=1) gives the places above the diagonal; k = 0 would take the diagonal too.

i, j = np.triu_indices(len(labels), k=1)
""",
    "batch-hard": """
Return Triplets(anchor, positive, negative), one an anchor. A row of D is an anchor's; the anchor itself is no
positive; of equals the first counts.

Two masks from the labels: who is a positive of whom, who is a negative. Then a maximum and a minimum a row.

argmax of np.where(positive, D, -np.inf) is the farthest positive; argmin with np.inf the nearest negative.

positive = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
""",
    "semi-hard": """
Return Triplets(anchor, positive, negative). For every ordered positive pair (a, p) one negative at most: farther
than p, but not by more than the margin.

Hide every negative that is not farther than the positive, take the nearest of the rest, and look at the margin.

0 < D[a, n] − D[a, p] ≤ margin: strictly farther on the left, and the margin itself still counts on the right.

a, p = np.nonzero((labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool))
""",
    "log-sum-exp": """
Row by row, the logarithm and its slope, which is the softmax: return both, of shapes (n,) and (n, m).
1000 is a possible entry. So is −∞, which leaves an entry out; a row of nothing else has the value 0, slope 0.

e^1000 is not a number that can be held. Take something out of the sum first, and put it back after the
logarithm.

log Σ e^xⱼ = t + log Σ e^(xⱼ − t) for every t. With t the largest entry no term is larger than 1.

top = x.max(axis=1)
""",
    "softmax-cross-entropy": """
Every distance is a logit, −D / temperature: the nearest candidate is the most probable. There is no margin here.
Let it not overflow: a distance of 10000 is possible.

The loss of a row is log Σⱼ e^xⱼ − x_target: the last exercise, minus one entry.

∂/∂x = softmax − 1[target]. And x = −D / τ turns the sign and divides by τ; the mean divides by n.

x = D / -temperature
""",
    "convolution": """
Windows inside the image only, one step at a time, so s = 1: (n, h, w, c) gives (n, h − k + 1, w − k + 1, o).

Two loops, over the k × k places of the kernel, are enough: each place is a dense layer on a shifted image.

z = b + Σᵢⱼ x[:, i:i+p, j:j+q] @ W[i, j]. So dW[i, j] = Σ of that slice with dz, and dz @ W[i, j].T goes back to
it.

p, q = x.shape[1] - len(W) + 1, x.shape[2] - len(W) + 1
""",
    "max-pool": """
Of equals the first, in reading order, receives all of the gradient. Rows and columns that fill no block are
left out, and get none.

Only the largest entry of a block reaches y, so only it receives the block's gradient. Remember who won.

x[:, i:h:size, j:w:size] is the entry (i, j) of every block at once; `waiting` ones have not met their winner
yet.

places = [np.s_[:, i:h:size, j:w:size] for i in range(size) for j in range(size)]
""",
    "recall": """
Distances are L2. An image is not its own neighbour, one that is alone in its class is not asked, and of two
that are equally near the one of another class counts as nearer.

Of each image only its nearest own one matters: how many of another class are as near, or nearer?

It is found if fewer than k of another class have D ≤ that distance. With < a collapsed network scores 100 %.

D = np.sqrt(((z[:, None] - z) ** 2).sum(axis=2))
""",
    "sampler": """
A generator without an end. Each batch is an array of classes · per_class rows of the data set, class by class:
different classes, different images of each. Every class comes before any comes again, and of each class every
image. All chance comes from rng, so that a seed repeats the batches. P and K: see `minisiam.samplers.pk`.

Deal like cards: shuffle the classes, deal P at a time; for each class shuffle its images, deal K at a time.

What is left of a shuffled pile when fewer than P remain comes first in the next batch, and not twice in it.

images = {c: [] for c in np.unique(labels)}  # what is left of each pile
""",
    "threshold": """
A pair is accepted where d ≤ threshold. Of equal distances all are accepted, or none.

Only the distances that occur can be the answer, or −∞, which accepts nothing. How many strangers does each let
in?

For each candidate t the share is (d[~same] <= t).mean(): it grows with t, so the largest t that keeps it is
asked.

candidates = np.concatenate([[-np.inf], np.unique(d)])
""",
    "collapse": """
With these settings the network maps every letter to one point: its loss is the margin, its gradient 0.
Change what you like, and as little as you can. Passed is a network whose embeddings are apart and which
recognises letters of unseen alphabets better than their pixels do.

The hardest triplets of an untrained network pull all images together: nearer is better for every positive.

A semi-hard negative is farther than the positive, so a collapsed batch has none, and no force that holds it
there.

return {"miner": "semi-hard", "margin": 0.2, "learning_rate": 0.003, ...}  # smaller steps as well
""",
    "find-the-bug": """
Five gradients of this library, each with a mistake: `from minisiam.course.bugs import WRONG`, and
WRONG[name](...) against the right one shows what it does. Write down for each the smallest input on which the
two gradients differ: as few numbers as possible.

Begin with one row. If one row cannot show it, think of what the mistake confuses, and make the two differ.

A sum is not a mean of two rows; active is not valid if one of two is at rest; one row has no other axis.

"contrastive without its hinge": {"d": [2.0], "same": [False]},
""",
}
