"""The code of the page about other tools runs, block by block, with the packages that it imports."""

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "interop.md").read_text()
FIRST, *BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.S | re.M)
MODULES = {"interop.onnx": "onnx", "interop.safetensors": "safetensors"}  # what a block needs without importing it
pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("ignore"),  # of the packages
]


def packages(block):
    imported = re.findall(r"^(?:import|from) (\w+)", block, flags=re.M)
    return imported + [package for name, package in MODULES.items() if name in block]


def heading(block):
    """The last heading above a block."""
    return re.findall(r"^#+ (.*)$", PAGE[: PAGE.index(block)], flags=re.M)[-1]


def nearest(ran):
    D = 1 - ran["z"] @ ran["z"][:5].T
    np.testing.assert_allclose(np.sort(D, axis=0)[:3].T, ran["distance"], atol=1e-5)


def logged(ran):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator("logs").Reload()
    assert [event.step for event in events.Scalars("loss")] == list(range(1, 21))


def separated(ran):
    """Neighbours on the map have one class more often than by chance."""
    labels = ran["test"].labels[ran["some"]]
    gap = np.linalg.norm(ran["places"][:, None] - ran["places"], axis=2) + np.where(np.eye(300), np.inf, 0)
    assert np.mean(labels[gap.argmin(axis=1)] == labels) > 10 * np.mean(labels[:, None] == labels)


# what a block computes, by heading
RESULTS = {
    "scikit-learn": lambda ran: ran["search"].best_score_ > 0.8,
    "A loss as a module": lambda ran: float(ran["model"][1].weight.grad.abs().sum()) > 0,
    "Weights in and out": lambda ran: True,  # the first block asserts, the second is compared here
    "JAX": lambda ran: ran["dW"].shape == (784, 64) and float(abs(ran["dW"]).sum()) > 0,
    "ONNX": lambda ran: len(ran["found"]) == 100,
    "Metadata in pandas": lambda ran: ran["table"]["right"].mean() > 0.3,
    "An index in faiss": nearest,
    "Logging to TensorBoard": logged,
    "A map by UMAP or t-SNE": separated,
    "Batches from a PyTorch DataLoader": lambda ran: ran["step"] == 20 and ran["value"] < 5,
}


@pytest.fixture(scope="module")
def trained():
    names = {}
    exec(compile(FIRST, "the first block", "exec"), names)
    return names


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{heading(block)}: {' '.join(packages(block))}")
def test_a_block_runs_and_computes_what_it_says(block, trained, tmp_path, monkeypatch):
    for package in packages(block):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    ran = dict(trained)
    exec(compile(block, heading(block), "exec"), ran)
    assert RESULTS[heading(block)](ran) in (True, None)


def test_every_bridge_is_on_the_page():
    for module in ("sklearn", "torch", "jax", "onnx", "safetensors"):
        assert f"interop.{module}." in PAGE
