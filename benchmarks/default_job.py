"""The whole default job, `minisiam train` without its figures, beside the same recipe in PyTorch.

python benchmarks/default_job.py
python benchmarks/default_job.py --rounds 5 --peers torch torch-compiled

The job: draw the pen glyphs, 2,500 steps on batches of 64 letters × 4 drawings in random poses, and every 250 steps the
one-shot accuracy on the validation alphabets; at the end that on the test alphabets. Everybody draws with
`minisiam.datasets`, prepares the images with minisiam, and has the plan of its batches: the same images in the same
order. Loading a batch, the network, the loss, the gradient, Adam and the embeddings are each library's own, in float32.

    minisiam          what the command line trains: fast ops in chunks on all cores
    torch             eager, NHWC in memory; its poses are made in advance
    torch-compiled    the same through torch.compile, whose time is reported separately

Each run is a process of its own, in turns. A number is the median of the rounds, and a ratio that of the medians. The
accuracies agree within their intervals, or it is not the same recipe.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from minisiam import fast, train
from minisiam.analysis import _markdown
from minisiam.app import build, data_spec, report, trainer
from minisiam.app.config import Config
from minisiam.app.run import first_params, stream
from minisiam.datasets import rotated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Array = np.ndarray
    Stepper = Callable[[Iterator[Any], int], Any]

PARTS = ("draw", "compile", "steps", "validation")
BETWEEN = 250  # steps between two validations
TEMPERATURE = 1 / 20  # of SupCon on the command line
PEERS = ("torch", "torch-compiled")


class Clock:
    """Seconds by part."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self.last = time.perf_counter()

    def stop(self, part: str) -> None:
        """The time since the last call belongs to `part`."""
        now = time.perf_counter()
        self.seconds[part] += now - self.last
        self.last = now


def job(name: str, steps: int) -> dict[str, Any]:
    """Seconds by part, and the accuracy on the test alphabets. Imports are not counted."""
    if name != "minisiam":
        import_module("torch")
    if name == "torch-compiled":
        import_module("torch._dynamo")
    clock = Clock()
    config = Config(steps=steps)
    data = data_spec.load(config.data, config.pixels, config.holdout)
    config = trainer.completed(config, data)
    method = build.build(config)
    sets = {part: method.prepared(getattr(data, part)) for part in ("train", "validation", "test")}
    if name == "minisiam":
        run, embed = _minisiam(config, method, sets["train"])
        clock.stop("draw")
    else:
        run, embed = _torch(config, method, sets["train"], name == "torch-compiled", clock)
    for _ in range(0, steps, BETWEEN):
        run(BETWEEN)
        clock.stop("steps")
        _accuracy(embed(sets["validation"].images), sets["validation"], method, 60)
        clock.stop("validation")
    score = _accuracy(embed(sets["test"].images), sets["test"], method, report.EPISODES)
    clock.stop("validation")
    return {"seconds": clock.seconds, "accuracy": score.accuracy, "interval": [score.low, score.high]}


def _accuracy(z: Array, data: Any, method: Any, episodes: int) -> Any:
    return report.few_shot(z, data, episodes, method.pairwise)


def _minisiam(config: Config, method: Any, data: Any) -> tuple[Any, Any]:
    params = first_params(config, method)
    batches = method.batches(data, stream(config.seed, "batches"))
    steps = train.fit(method.network, params, method.optimizer, batches)

    def run(count: int) -> None:
        nonlocal params
        with fast.threads.one_blas_thread:
            for _, _, params in islice(steps, count):  # noqa: B007
                pass

    return run, lambda images: method.embed(params, images)


def _torch(config: Config, method: Any, data: Any, compiled: bool, clock: Clock) -> tuple[Any, Any]:
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.manual_seed(config.seed)
    model: Any = nn.Sequential(
        *(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(1, 32, 5, stride=2), nn.ReLU()),
        *(nn.Conv2d(32, 64, 2), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 6 * 6, config.embedding_size)),
    )
    for layer in (model[1], model[3]):
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    nn.init.xavier_normal_(model[6].weight)
    nn.init.zeros_(model[6].bias)
    model = model.to(memory_format=torch.channels_last)
    weights = [p for p in model.parameters() if p.ndim > 1]
    biases = [p for p in model.parameters() if p.ndim == 1]
    rate = config.learning_rate
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": biases, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate)
    warmup = min(100, config.steps // 10)
    rise = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / warmup, total_iters=warmup)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps - warmup)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, fall], [warmup])
    posed = np.stack([rotated(data.images, np.full(len(data.images), pose)) for pose in range(8)])
    images = torch.tensor(posed).permute(0, 1, 4, 2, 3)
    plan = method.batches.plan(data, stream(config.seed, "batches"))

    def loss(z: Any, labels: Any) -> Any:
        """SupCon on cosine distances."""
        z = F.normalize(z)
        logits = z @ z.T / TEMPERATURE
        itself = torch.eye(len(z), dtype=torch.bool)
        same = (labels[:, None] == labels) & ~itself
        logs = logits - logits.masked_fill(itself, -torch.inf).logsumexp(1, keepdim=True)
        return -((logs * same).sum(1) / same.sum(1)).mean()

    def value_of(x: Any, labels: Any) -> Any:
        return loss(model(x), labels)

    def batch(rows: Array, poses: Array, labels: Array) -> tuple[Any, Any]:
        x = images[torch.from_numpy(poses), torch.from_numpy(rows)]
        return x.contiguous(memory_format=torch.channels_last), torch.from_numpy(labels)

    clock.stop("draw")
    objective = value_of
    if compiled:
        objective = torch.compile(value_of)
        objective(*batch(*next(method.batches.plan(data, stream(config.seed, "batches"))))).backward()
        clock.stop("compile")

    def run(count: int) -> None:
        for plan_of_batch in islice(plan, count):
            optimizer.zero_grad()
            objective(*batch(*plan_of_batch)).backward()
            optimizer.step()
            schedule.step()

    def embed(queries: Array) -> Array:
        with torch.no_grad():
            return model(torch.tensor(queries).permute(0, 3, 1, 2)).numpy()

    return run, embed


def main() -> None:
    """Print a line for each library."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--steps", type=int, default=2500, help="default: 2500")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(job(arguments.one, arguments.steps)))
        return
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ("minisiam", *arguments.peers)}
    for _ in range(arguments.rounds):
        for name in list(found):
            words = [sys.executable, __file__, "--one", name, "--steps", str(arguments.steps)]
            process = subprocess.run(words, capture_output=True, text=True, check=False)
            if process.returncode and name == "minisiam":
                sys.exit(process.stderr)
            if process.returncode:
                print(f"{name} is left out: {process.stderr.strip().splitlines()[-1]}")
                del found[name]
            else:
                found[name].append(json.loads(process.stdout.splitlines()[-1]))
    seconds = {
        name: {part: statistics.median(one["seconds"][part] for one in ones) for part in PARTS}
        for name, ones in found.items()
    }
    ours = sum(seconds["minisiam"].values())
    rows = []
    for name, parts in seconds.items():
        total = sum(parts.values())
        ratio = "" if name == "minisiam" else f"{ours / total:.2f}"
        low, high = found[name][0]["interval"]
        score = f"{100 * found[name][0]['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        rows.append([name, f"{total:.1f}", ratio, *(f"{parts[part]:.1f}" for part in PARTS), score])
    print(_markdown.table(["", "seconds", "minisiam / other", *PARTS, "one-shot accuracy"], rows))


if __name__ == "__main__":
    main()
