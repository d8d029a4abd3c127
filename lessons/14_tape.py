# %% [markdown]
# # 14 · Let a tape do it
#
# - *You will see:* that reverse-mode automatic differentiation is a list of pullbacks read backwards, in a dozen lines;
#   and our pullbacks, unchanged, at work inside autograd and PyTorch, with the same weights and the same numbers.
# - *Time:* 20 minutes.
# - *Needs:* lesson 03 (two branches), `python -m pip install -e '.[figures,check]'`; PyTorch for the last cells.

# %%
from importlib.util import find_spec
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd import grad
from autograd.extend import defvjp_argnums, primitive
from matplotlib.figure import Figure
from matplotlib.patches import Arc

from minisiam import distances, encoders, losses, networks, ops, plots, tree
from minisiam.course.lesson import show

# %% [markdown]
# ## What we have been doing by hand
#
# In lesson 03 a siamese network was some lines forward and as many back, and the lines back were never a decision: the
# last pullback first, its result into the one before, and where a value was used twice the gradients add. What is
# mechanical can be left to a machine. It must remember, for each value, which operation made it and from what.

# %%
rng = np.random.default_rng(0)
objective = networks.siamese(encoders.mlp(16, 4), distances.l2, losses.contrastive)  # Flatten, Dense, Relu, Dense
params = tree.map(lambda array: array.astype(float), objective.init(rng, (5,)))
x1, x2 = rng.normal(size=(2, 8, 5))  # eight pairs of five numbers
same = np.arange(8) < 4
value, pullback = objective(params, x1, x2, same)
(by_hand,) = pullback(1.0)
(dW1, db1), (dW2, db2) = (layer for layer in by_hand["encoder"] if layer)

# %% [markdown]
# ## A tape in a dozen lines
#
# `run` computes a value with one of our ops and notes down three things: the value, the pullback, and the places on the
# tape of its inputs. `backward` goes through the list from the end. An input stands before whatever is made of it, so
# when we arrive at a place, everything that uses its value has been dealt with and its gradient is complete. The `+` is
# the rule that a siamese network lives on: $\theta$ is used twice, so two gradients arrive and add.


# %%
class Record(NamedTuple):
    value: object
    parents: tuple = ()
    pullback: object = None
    name: str = ""


def run(tape, op, *parents, **constants):
    value, pullback = op(*(tape[p].value for p in parents), **constants)
    tape.append(Record(value, parents, pullback, op.__name__))
    return len(tape) - 1


def backward(tape):
    gradient = {len(tape) - 1: 1.0}
    for place in reversed(range(len(tape))):
        if tape[place].pullback:
            for parent, g in zip(tape[place].parents, tape[place].pullback(gradient[place]), strict=True):
                gradient[parent] = gradient.get(parent, 0) + g
    return gradient


(W1, b1), (W2, b2) = (layer for layer in params["encoder"] if layer)
inputs = {"x1": x1, "x2": x2, "W1": W1, "b1": b1, "W2": W2, "b2": b2}
tape = [Record(leaf, name=name) for name, leaf in inputs.items()]
z = []
for x in (0, 1):  # places on the tape
    hidden = run(tape, ops.relu, run(tape, ops.dense, x, 2, 3))
    z.append(run(tape, ops.dense, hidden, 4, 5))
run(tape, losses.contrastive, run(tape, distances.l2, *z), same=same)

assert tape[-1].value == value
for place, g in zip((2, 3, 4, 5), (dW1, db1, dW2, db2), strict=True):
    assert np.allclose(backward(tape)[place], g, rtol=1e-12, atol=1e-15)

# %% [markdown]
# Here is the tape. Each arc leads from a value to what was made of it; two leave each weight. It was written from left
# to right. Backward it is read from right to left, and gradients go along the arcs.

# %%
axes = (figure := Figure(figsize=(9, 3), layout="constrained")).add_subplot()
for place, record in enumerate(tape):
    for parent in record.parents:
        shared = 2 <= parent <= 5
        line = {"linewidth": 1.8, "color": plots.style.COLOURS[2]} if shared else {"linewidth": 1, "color": "0.4"}
        axes.add_patch(Arc(((place + parent) / 2, 0), place - parent, 0.6 * (place - parent), theta2=180, **line))
axes.plot(range(len(tape)), np.zeros(len(tape)), "o", color="black", clip_on=False)
axes.set_xticks(range(len(tape)), [record.name for record in tape], rotation=40, ha="right")
axes.set(ylim=(0, 2.6), yticks=[], title="The tape of a siamese network; orange: shared weights")
axes.spines[["top", "right", "left"]].set_visible(False)
show(figure, "14_tape")

# %% [markdown]
# ## autograd
#
# autograd (Maclaurin, Duvenaud & Adams) keeps such a tape without your seeing it: `autograd.numpy` has NumPy's
# functions, each with its pullback. An op of ours becomes one of them by handing over its value and its pullback.


# %%
def taped(op, **constants):
    """One of our ops as a function that autograd can differentiate."""
    function = primitive(lambda *variables: op(*variables, **constants)[0])

    def pullbacks(argnums, value, variables, _):
        _, pullback = op(*variables, **constants)
        return lambda g: [pullback(g)[k] for k in argnums]

    defvjp_argnums(function, pullbacks)
    return function


l2 = taped(distances.l2)
new_loss = lambda d: anp.sum(anp.log(1 + d**3))  # whatever you have just thought of
ours = lambda a, b: new_loss(l2(a, b))
theirs = lambda a, b: new_loss(anp.sqrt(anp.sum((a - b) ** 2, axis=1)))

a, b = rng.normal(size=(2, 6, 3))
assert np.allclose(grad(ours)(a, b), grad(theirs)(a, b), rtol=1e-12)
b[0] = a[0]
assert np.isfinite(grad(ours)(a, b)).all()  # our op knows what to do at distance 0 (lesson 12)
with np.errstate(all="ignore"):
    assert np.isnan(grad(theirs)(a, b)[0]).all()
twice = lambda op: grad(lambda a: anp.sum(grad(lambda a: anp.sum(taped(op)(a, b)))(a) ** 2))(a)
assert np.allclose(twice(distances.squared_l2), 8 * (a - b))  # the derivative of the sum of (2u)²

# %% [markdown]
# One limit: second derivatives. The pullback is plain NumPy, and autograd has to trace it: that of `squared_l2` it can,
# but that of `l2`, which calls `np.divide(…, out=…)`, ends in a `TypeError`.
#
# ## PyTorch
#
# PyTorch records a graph of the same kind, in C++. `torch.autograd.Function` takes the two halves: `forward` computes,
# and leaves in `ctx` what `backward` will need. Ours is the pullback itself.

# %%
if find_spec("torch"):
    import torch
    from torch.autograd.function import once_differentiable

    class Taped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, op, *tensors):
            value, ctx.pullback = op(*(tensor.detach().numpy() for tensor in tensors))
            return torch.as_tensor(value)

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return None, *(torch.as_tensor(d) for d in ctx.pullback(g.numpy()))

    tensors = [torch.tensor(array, requires_grad=True) for array in (a, b)]
    Taped.apply(distances.l2, *tensors).sum().backward()
    gradients = distances.l2(a, b)[1](np.ones(6))
    assert all(np.allclose(g, tensor.grad, rtol=1e-12) for g, tensor in zip(gradients, tensors, strict=True))
else:
    print("PyTorch is not installed: this cell and the next have been skipped.")

# %% [markdown]
# ## The same weights, the same numbers
#
# `interop.torch.to_state_dict` gives the parameters the names and axes of PyTorch, where a dense layer keeps $W^\top$.
# Loaded into the same layers there, the same eight pairs give the same loss, and PyTorch's own tape the same gradients.
# `interop.safetensors.save_safetensors` writes the same names to a file. (One trap: `F.pairwise_distance` adds
# $10^{-6}$ to every difference before the root, against the NaN of lesson 12. It is not the L2 distance.)

# %%
if find_spec("torch"):
    from minisiam.interop.torch import to_state_dict

    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(5, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
    network.double().load_state_dict(to_state_dict(params["encoder"]))
    there1, there2 = network(torch.tensor(x1)), network(torch.tensor(x2))
    d = (there1 - there2).norm(dim=1)
    loss = torch.where(torch.tensor(same), d**2, (1 - d).clamp(min=0) ** 2).mean() / 2
    loss.backward()
    assert np.isclose(loss.item(), value, rtol=1e-12)
    assert np.allclose(network[1].weight.grad.numpy().T, dW1, rtol=1e-9, atol=1e-14)
    print(f"loss here {value:.15f}, there {loss.item():.15f}")

# %% [markdown]
# ## Then why by hand?
#
# To know what the tape does for you and what it cannot do: at a kink it follows the formula, not the meaning (lesson
# 12); it keeps every term of a sum over triplets (lesson 08); it does not explain why a collapsed network does not move
# (lesson 09).

# %% [markdown]
# ## Your turn
#
# No new exercise: you have done them. `minisiam learn list` says which are left.
