"""Distortions beside scipy.ndimage and PyTorch's grid_sample: images a second on one core, and whether all agree.

OPENBLAS_NUM_THREADS=1 python benchmarks/augment.py     float32, one thread each; a library that is absent has no column

`warp` and the others are given the same places, those of affine distortions, and make of them the same images. They
take turns, and the least time of several calls counts; a ratio is the other's time over ours, so above 1 we are faster.
In the columns `affine` and `elastic` the drawing of chance is included.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from minisiam.analysis import _markdown
from minisiam.datasets import augment

try:
    import torch
    from torch.nn.functional import grid_sample
except ImportError:
    torch = None
try:
    from scipy import ndimage
except ImportError:
    ndimage = None


def places(parameters: augment.AffineParameters, size: int) -> Any:
    """The position at which each pixel of the result is read, (n, 2, size, size): A⁻¹ (p − m − t) + m."""
    middle = (size - 1) / 2
    shift = size * np.stack([parameters.shift_x, parameters.shift_y], axis=1)
    p = np.indices((size, size))[::-1] - middle - shift[:, :, None, None]
    back = np.linalg.inv(augment.affine_matrices(parameters))
    return (np.einsum("nij,njyx->niyx", back, p) + middle)[:, ::-1].astype(np.float32)


def by_scipy(images: Any, maps: Any) -> Any:
    """`map_coordinates` image by image; grid-constant means black outside."""
    out = np.empty_like(images)
    for image, at, one in zip(images, maps, out, strict=True):
        for channel in range(image.shape[2]):
            ndimage.map_coordinates(image[..., channel], at, one[..., channel], order=1, mode="grid-constant")
    return out


def by_torch(images: Any, maps: Any) -> Any:
    """`grid_sample` wants (x, y) from −1 to 1, here between the centres of the outer pixels, and channels first."""
    height, width = images.shape[1:3]
    last = np.array([width - 1, height - 1], np.float32)
    at = torch.from_numpy(maps).flip(1).permute(0, 2, 3, 1) * torch.from_numpy(2 / last) - 1
    planes = torch.from_numpy(images).permute(0, 3, 1, 2)
    return grid_sample(planes, at, "bilinear", "zeros", align_corners=True).permute(0, 2, 3, 1).numpy()


def least(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds of each, the least of several calls in turn."""
    found = dict.fromkeys(calls, np.inf)
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            found[name] = min(found[name], time.perf_counter() - began)
    return found


def main() -> None:
    """A row for each size of image: speed, ratios, and the largest difference from each of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=(14, 28, 105), metavar="PIXELS")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    arguments = parser.parse_args()
    others = ({"scipy": by_scipy} if ndimage else {}) | ({"PyTorch": by_torch} if torch else {})
    if torch:
        torch.set_num_threads(1)
    heads = [head for name in others for head in (name, "difference")]
    print(_markdown.heading(["pixels", "channels", "affine", "elastic", "warp", *heads]))
    for size, channels in [(size, c) for size in arguments.sizes for c in (1, 3)]:
        count = max(16, 2**20 // (size * size * channels))
        images = np.random.default_rng(0).random((count, size, size, channels), dtype=np.float32)
        maps = places(augment.draw_affine(count, np.random.default_rng(1), probability=1.0), size)
        rng = np.random.default_rng(2)
        calls: dict[str, Callable[[], Any]] = {
            "affine": lambda images=images, rng=rng: augment.affine(images, rng),
            "elastic": lambda images=images, rng=rng: augment.elastic(images, rng),
            "warp": lambda images=images, maps=maps: augment.warp(images, maps),
            **{name: lambda f=f, images=images, maps=maps: f(images, maps) for name, f in others.items()},
        }
        seconds, ours = least(calls, arguments.rounds), augment.warp(images, maps)
        cells = [f"{count / seconds[name]:,.0f}/s" for name in ("affine", "elastic", "warp")]
        for name, f in others.items():
            cells += [f"{seconds[name] / seconds['warp']:.1f}×", f"{np.abs(f(images, maps) - ours).max():.0e}"]
        print(_markdown.row([size, channels, *cells]), flush=True)


if __name__ == "__main__":
    main()
