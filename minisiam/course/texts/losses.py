"""The texts of lessons 04 to 07: losses on pairs and triplets, verification, and the layers of a convnet."""

TEXTS: dict[str, str] = {
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
    "cross-entropy": """
The input is a logit, not a probability. Avoid overflow: 1000 is a possible logit.

Change the sign of the logit where same. Then the loss of both kinds is log(1 + eˣ), and x says how wrong it is.

∂ log(1 + eˣ)/∂x = σ(x). Together: dlogits = (σ(logit) − same) / n.

wrongness = np.where(same, -logits, logits)
""",
    "threshold": """
Return the largest threshold whose false-accept rate is at most false_accept. A pair is accepted if d ≤ threshold.

The threshold is one of the distances, or −∞, which accepts no pair. What is the false-accept rate of each?

For each candidate t the rate is (d[~same] <= t).mean(). It grows with t, so take the largest t that is allowed.

candidates = np.concatenate([[-np.inf], np.unique(d)])
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
    "batch-norm": """
x has the shape (n, ..., c): rows (n, c), or images (n, h, w, c). The last axis is the channel. μ and σ² are over all
other axes, and always those of this batch. Derive three gradients, each in the shape of its variable.

Take one channel: n numbers, one mean, one variance. Every x changes μ and σ, and so every y. Which changes of x leave
all y as they are?

With x̂ = (x − μ) / √(σ² + ε) and dx̂ = scale · dy: dx = (dx̂ − mean(dx̂) − x̂ · mean(dx̂ x̂)) / √(σ² + ε). The first mean
comes from μ, the second from σ.

axes = tuple(range(x.ndim - 1))  # those of μ and σ², as in x.mean(axis=axes)
""",
    "group-norm": """
x has the shape (n, ..., c), as in batch-norm. μ and σ² are over all places of one example and the c / groups
adjacent channels of one group. `scale` and `shift` have one number for each channel, not for each group.

A group of one example is what a channel of the whole batch is in batch norm. But here a mean is over several channels,
and each has its own scale.

dx = (dx̂ − mean(dx̂) − x̂ · mean(dx̂ x̂)) / √(σ² + ε) with dx̂ = scale · dy: multiply by scale before you take the means.

parts = x.reshape(len(x), -1, groups, x.shape[-1] // groups)  # its means are over the axes 1 and 3
""",
}
