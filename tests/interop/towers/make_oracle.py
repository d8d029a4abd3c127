"""Values and gradients of open_clip and sentence-transformers, as JSON for tests/interop/test_towers_oracle.py.

Needs open_clip_torch 3.3.0 and sentence-transformers 6.2.0, which neither the package nor its tests do; the tests read
the JSON only.

    cd tests/interop/towers
    python make_oracle.py --seed 1 --out towers.json

The embeddings of open_clip are unit vectors, as its models return them; those of sentence-transformers have any length.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import open_clip
import sentence_transformers
import torch
from open_clip.loss import ClipLoss, SigLipLoss
from open_clip.model import CLIP
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

SIZES, WEIGHTS = (2, 4, 8), (0.5, 1.0, 2.0)
BOTH_WAYS = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}


class Identity(torch.nn.Module):
    """A model of sentence-transformers whose sentences are embeddings."""

    def forward(self, features):
        """The embedding of each row, in a new dict, as a model makes it."""
        return {"sentence_embedding": features["rows"]}

    def get_embedding_dimension(self):
        """The number of features."""
        return SIZES[-1]


def short(tensor):
    """A tensor as lists of numbers of twelve digits."""
    return np.vectorize(lambda x: float(f"{x:.12g}"))(tensor.detach().numpy()).tolist()


def entry(value, **variables):
    """The value and the gradient of each variable."""
    value.backward()
    return {"value": value.item()} | {f"grad_{name}": short(x.grad) for name, x in variables.items()}


def numbers(array):
    """A variable."""
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


def of_open_clip(images, texts, loss, log_scale, bias):
    """One of its losses, with the scale and the bias as a model passes them on: exp(logit_scale), logit_bias."""
    z1, z2, s = numbers(images), numbers(texts), numbers(log_scale)
    if bias is None:
        return {"log_scale": log_scale} | entry(loss(z1, z2, s.exp()), z1=z1, z2=z2, log_scale=s)
    b = numbers(bias)
    found = entry(loss(z1, z2, s.exp(), b), z1=z1, z2=z2, log_scale=s, bias=b)
    return {"log_scale": log_scale, "bias": bias} | found


def of_sentence_transformers(sentences, nested=None, **options):
    """The ranking loss of anchors, positives and, as a third column, hard negatives; with or without nested sizes."""
    columns, model = [numbers(rows) for rows in sentences], Identity()
    loss = MultipleNegativesRankingLoss(model, **options)
    if nested:
        loss = MatryoshkaLoss(model, loss, SIZES, *nested)
    value = loss([{"rows": rows} for rows in columns], torch.zeros(1))
    return entry(value, **dict(zip(("z1", "z2", "z3"), columns, strict=False)))


def defaults():
    """What a model of open_clip and the losses of sentence-transformers begin with."""
    vision, text = {"image_size": 8, "patch_size": 4, "width": 8, "layers": 1, "head_width": 4}, {"layers": 1}
    model = CLIP(8, vision, text | {"width": 8, "heads": 2, "context_length": 4, "vocab_size": 8})
    loss = MultipleNegativesRankingLoss(Identity())
    return {
        "open_clip logit_scale": model.logit_scale.item(),
        "open_clip logit_bias": model.logit_bias,
        "sentence_transformers scale": loss.scale,
        "sentence_transformers weights": MatryoshkaLoss(Identity(), loss, SIZES).matryoshka_weights,
    }


def main():
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    sentences = np.random.default_rng(given.seed).normal(size=(3, 5, SIZES[-1])).round(3)
    images, texts = sentences[:2] / np.linalg.norm(sentences[:2], axis=2, keepdims=True)
    clip, siglip = np.log(1 / 0.07), np.log(10)
    found = {
        "versions": {
            "open_clip": open_clip.__version__,
            "sentence_transformers": sentence_transformers.__version__,
            "torch": torch.__version__,
        },
        "defaults": defaults(),
        "sizes": SIZES,
        "weights": WEIGHTS,
        "embeddings": sentences.tolist(),
        "losses": {
            "ClipLoss": of_open_clip(images, texts, ClipLoss(), clip, None),
            "ClipLoss, scale 1": of_open_clip(images, texts, ClipLoss(), 0.0, None),
            "ClipLoss, bias": of_open_clip(images, texts, ClipLoss(), clip, 2.0),
            "SigLipLoss": of_open_clip(images, texts, SigLipLoss(), siglip, -10.0),
            "SigLipLoss, bias 1": of_open_clip(images, texts, SigLipLoss(), clip, 1.0),
            "ranking": of_sentence_transformers(sentences[:2]),
            "ranking, scale 5": of_sentence_transformers(sentences[:2], scale=5.0),
            "ranking, both ways": of_sentence_transformers(sentences[:2], **BOTH_WAYS),
            "ranking, hard negatives": of_sentence_transformers(sentences),
            "nested": of_sentence_transformers(sentences[:2], nested=(None,)),
            "nested, weights": of_sentence_transformers(sentences[:2], nested=(WEIGHTS,)),
        },
    }
    given.out.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
