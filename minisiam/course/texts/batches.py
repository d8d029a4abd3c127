"""The texts of lessons 08 to 10: whole batches, collapse, and losses on a softmax."""

TEXTS: dict[str, str] = {
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
    "supcon": """
Each row of D is an anchor, and its candidates are all other images: the anchor itself is left out. Average over the
positives of an anchor outside the logarithm, and then over the anchors that have a positive. At least one
always has. Avoid overflow and the logarithm of 0: distances of 10000 are possible.

Take one row. Its loss is a log-sum-exp over the candidates minus the mean of the logits of the positives.

With x = −D / τ, the slope in xⱼ is softmaxⱼ − 1[j is positive] / |P|. Each row sums to 0: what pulls equals what
pushes.

positive = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
""",
    "proxy-anchor": """
Each column of D is a proxy. In the formula below α is `scale`. For the proxy k the first inner sum is over the images
of class k, the second over all others. K₊ has the proxies with an image in the batch, K all of them. log(1 + Σ eˣ) is a
log-sum-exp with one more entry, 0: `from minisiam.losses.per_anchor import log_sum_exp`. `value, slope =
log_sum_exp(x, one=True)` works on each row of x, as in the exercise log-sum-exp, leaves entries of −∞ out, and writes
the slope into x. Avoid overflow.

The proxy is the anchor: its softmax is over a column of D, the images of the batch, and the 1 is a rival with logit 0.

∂ log(1 + Σ e^xᵢ)/∂xᵢ = e^xᵢ / (1 + Σ eˣ). For its own images x = α (m − 1 + D), so ∂x/∂D = α; for the others −α.

own = targets[:, None] == np.arange(D.shape[1])  # (n, m): is this the proxy of the image?
""",
    "arcface": """
Only the logit of the target is new: s cos(θ + m) instead of s cos θ, where cos θ = 1 − D and margin is m in degrees.
The rest is a softmax cross-entropy: `from minisiam.losses import softmax_cross_entropy`, with the temperature
1 / scale, on a D that you have changed. Read the notes below for θ > π − m, for θ = 0 and π, and for D outside [0, 2].
In formulas m is in radians, also in m sin m: np.radians(margin).

Turn the target's distance into a cosine, add the margin to its angle, and turn it back into a distance. The gradient
takes the same way back: only the target's entry gets another factor.

cos(θ + m) = cos θ cos m − sin θ sin m, with sin θ = √(1 − cos² θ). Its slope in D is −(cos m + sin m · cos θ / sin θ).

cos = np.clip(1 - D[np.arange(len(D)), targets], -1, 1)
""",
}
