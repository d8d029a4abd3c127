"""A checkpoint is written whole or not at all, and a damaged checkpoint raises an error without using memory."""

import io
import json
import os
import subprocess
import sys
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from minisiam import checkpoint, optimizers, tree
from minisiam.checkpoint import CheckpointError

OPTIMIZER = optimizers.adam()


def params_of(number):
    return {"encoder": [(np.full((3, 4), number, np.float32), np.full(4, number, np.float32)), ()], "loss": ()}


def save(path, number):
    params = params_of(number)
    checkpoint.save(path, params, {"number": number}, OPTIMIZER.init(params), {"step": number})


def loaded(path):
    """Load everything, check that it was saved together, and return its number."""
    template = params_of(0)
    params, state, progress = checkpoint.resume(path, template, OPTIMIZER.init(template))
    number = progress["step"]
    tree.map(np.testing.assert_array_equal, params, params_of(number))
    tree.map(np.testing.assert_array_equal, state, OPTIMIZER.init(template))
    assert checkpoint.header(path)["settings"] == {"number": number}
    return number


@pytest.fixture
def model(tmp_path):
    save(tmp_path / "model.npz", 1)
    return tmp_path / "model.npz"


def test_load_returns_what_was_saved(model):
    assert loaded(model) == 1
    params = [np.arange(6.0).reshape(2, 3).T, np.float32(3), np.zeros((0, 2)), np.array([True]), np.array(7)]
    state = {"step": 2**40, "velocity": params}
    checkpoint.save(model, params, {}, state, {"rng": np.random.default_rng(0).bit_generator.state})
    again, state_again, progress = checkpoint.resume(model, params, state)
    tree.map(np.testing.assert_array_equal, params, again)
    tree.map(np.testing.assert_array_equal, state, state_again)
    assert [leaf.dtype for leaf in again] == [leaf.dtype for leaf in params]
    assert type(state_again["step"]) is int  # a np.int64 would turn the float32 steps of Adam into float64 ones
    assert progress["rng"] == np.random.default_rng(0).bit_generator.state
    found = checkpoint.header(model)
    assert (found["format"], found["numpy"]) == (checkpoint.FORMAT, np.__version__)


def test_no_template_is_needed_to_load_the_same_tree(model):
    """Dicts in their order, lists, tuples, empty ones among them, and ints."""
    params = {"b": [(np.ones(2, np.float32), 7), (), {}, []], "a": np.float64(3), "loss": ()}
    checkpoint.save(model, params, {}, OPTIMIZER.init({"b": np.ones(2)}), {"step": 1})
    state_before = OPTIMIZER.init({"b": np.ones(2)})
    again, state, _ = checkpoint.resume(model)
    assert (
        str(again)
        == str(checkpoint.load(model))
        == str(tree.map(lambda x: x if isinstance(x, int) else np.array(x), params))
    )
    assert list(again) == ["b", "a", "loss"]
    assert (type(again["b"][0]), type(again["b"][0][1])) == (tuple, int)
    assert str(state) == str(state_before)


@pytest.mark.parametrize(
    "what", ["missing", "one more", "claims", "objects", "no header", "no trees", "a tree", "settings"]
)
def test_damage_is_found_without_a_template(model, what):
    rewritten(model, WRONG[what][0])
    with pytest.raises(CheckpointError):
        checkpoint.resume(model)


def test_a_checkpoint_with_only_parameters_cannot_be_resumed(model):
    checkpoint.save(model, params_of(3), {})
    tree.map(np.testing.assert_array_equal, checkpoint.load(model, params_of(0)), params_of(3))
    with pytest.raises(CheckpointError, match="holds only parameters, so training cannot be resumed: train a new run"):
        checkpoint.resume(model, params_of(0), OPTIMIZER.init(params_of(0)))


class Killed(BaseException):
    pass


class Machine:
    """A simulated kill: after `moments` bytes and system calls, every further one raises `Killed`."""

    def __init__(self, patch, moments):
        self.left = moments
        real_open = Path.open

        def opened(path, mode="r", *rest):
            file = real_open(path, mode, *rest)
            return self.failing(file) if mode == "wb" else file

        patch.setattr(Path, "open", opened)
        for owner, name in ((os, "fsync"), (os, "open"), (Path, "replace"), (Path, "unlink")):
            patch.setattr(owner, name, self.counted(getattr(owner, name)))

    def spend(self, moments=1):
        """Use up some moments, and return how many were left of them."""
        had, self.left = self.left, self.left - moments
        return max(0, min(had, moments))

    def counted(self, call):
        def counting(*arguments, **named):
            if not self.spend():
                raise Killed
            return call(*arguments, **named)

        return counting

    def failing(self, file):
        machine, raw = self, file.detach()

        class Failing(io.RawIOBase):
            def writable(self):
                return True

            def seekable(self):
                return True

            def seek(self, *arguments):
                return raw.seek(*arguments)

            def tell(self):
                return raw.tell()

            def fileno(self):
                return raw.fileno()

            def write(self, data):
                whole = bytes(data)
                some = machine.spend(len(whole))
                raw.write(whole[:some])
                if some < len(whole):
                    raise Killed
                return some

            def close(self):
                raw.close()

        return Failing()


@pytest.mark.slow
def test_a_kill_during_a_write_leaves_the_old_or_the_new_file(model, monkeypatch, rng):
    size = model.stat().st_size
    outcomes = []
    for number, moment in enumerate(rng.integers(0, size + 200, 1000), start=2):
        old = loaded(model)
        with monkeypatch.context() as patch:
            machine = Machine(patch, int(moment))
            with suppress(Killed):
                save(model, number)
        outcomes.append((loaded(model), machine.left < 0))
        assert outcomes[-1][0] in (old, number)
    assert sum(killed for _, killed in outcomes) > 500
    checkpoint.sweep(model)
    assert [path.name for path in model.parent.iterdir()] == ["model.npz"]


def test_a_kill_at_any_system_call_leaves_the_old_or_the_new_file(model, monkeypatch):
    """The calls after the last byte: synchronise, rename, clean up, open the folder and synchronise it."""
    with monkeypatch.context() as patch:
        machine = Machine(patch, 10**9)
        save(model, 1)
    used = 10**9 - machine.left
    found = []
    for moment in range(used - 8, used + 1):
        save(model, 1)
        with monkeypatch.context() as patch:
            Machine(patch, moment)
            try:
                save(model, 2)
                found.append((loaded(model), "survived"))
            except Killed:
                found.append((loaded(model), "killed"))
    assert found[0] == (1, "killed")
    assert (2, "killed") in found
    assert found[-1] == (2, "survived")
    assert found == sorted(found)


SAVER = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_checkpoint import checkpoint, loaded, save
path, rng = Path(sys.argv[1]), random.Random(0)
save(path, 1)
ready, begun = os.pipe()
for kill in range(100):
    child = os.fork()
    if not child:
        number = loaded(path)
        os.write(begun, b".")
        while True:
            number += 1
            save(path, number)
    os.read(ready, 1)
    time.sleep(rng.uniform(0.0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    loaded(path)
checkpoint.sweep(path)
print(loaded(path), [entry.name for entry in path.parent.iterdir()])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_killed_process_leaves_a_complete_file(tmp_path):
    words = [sys.executable, "-c", SAVER, tmp_path / "model.npz", Path(__file__).parent]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    number, names = done.stdout.split(maxsplit=1)
    assert int(number) > 2  # they were writing when they were killed
    assert names == "['model.npz']\n"


@pytest.mark.slow
def test_a_truncated_file_or_a_flipped_bit_raises_an_error_or_is_harmless(model, rng):
    whole = model.read_bytes()
    for length in {*rng.integers(0, len(whole), 300).tolist(), *range(len(whole) - 40, len(whole))}:
        model.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"model.npz is damaged or not a checkpoint .*: restore a copy"):
            loaded(model)
    detected = 0
    places = rng.permutation(len(whole))[:1500]
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        model.write_bytes(flipped)
        try:
            assert loaded(model) == 1
        except CheckpointError as error:
            assert "model.npz" in str(error)
            detected += 1
    assert detected > 0.6 * len(places)  # the others change time stamps and similar fields


def rewritten(path, change, **how):
    """Write the archive with other entries: change(entries) → entries, each of them bytes."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, content in change(entries).items():
            archive.writestr(name, content)


def npy(array, **how):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **how)
    return file.getvalue()


def header(**changes):
    found = {"format": checkpoint.FORMAT, "minisiam": "9", "numpy": "9", "settings": {}, "progress": {}} | changes
    return {"header.npy": npy(np.frombuffer(json.dumps(found).encode(), np.uint8))}


def deep(levels):
    """A tree of this many lists, one in the other."""
    return ["list", deep(levels - 1)] if levels else "array"


def claiming(shape):
    """A .npy file whose header gives this shape."""
    return npy(np.zeros(12, np.float32)).replace(b"(12,), ", shape.ljust(7))


WRONG = {
    "missing": (lambda e: {k: v for k, v in e.items() if k != "params1.npy"}, "1 arrays of params instead of 2"),
    "one more": (lambda e: e | {"params2.npy": e["params1.npy"]}, "3 arrays of params instead of 2"),
    "no optimizer": (lambda e: {k: v for k, v in e.items() if k[0] != "o"}, "0 arrays of optimizer instead of 5"),
    "no header": (lambda e: {k: v for k, v in e.items() if k != "header.npy"}, "damaged"),
    "shape": (lambda e: e | {"params1.npy": npy(np.zeros(5, np.float32))}, r"the shape \(5,\) instead of \(4,\)"),
    "axes": (lambda e: e | {"params0.npy": npy(np.zeros(12, np.float32))}, r"the shape \(12,\) instead of \(3, 4\)"),
    "claims": (lambda e: e | {"params0.npy": claiming(b"(9**9,)")}, "damaged"),
    "huge": (lambda e: e | {"params0.npy": claiming(b"(10000000000000,)")}, "damaged"),
    "negative": (lambda e: e | {"params0.npy": claiming(b"(-3,-4)")}, "damaged"),
    "large": (lambda e: e | {"params0.npy": npy(np.zeros(10**6))}, "params0 is larger than expected"),
    "long header": (lambda e: e | {"header.npy": npy(np.zeros(10**7, np.uint8))}, "header is larger than expected"),
    "npy 2.0": (lambda e: e | {"params0.npy": npy(np.zeros((3, 4)), version=(2, 0))}, "damaged"),
    "columns": (lambda e: e | {"params0.npy": npy(np.zeros((4, 3)).T)}, "damaged"),
    "objects": (lambda e: e | {"params0.npy": npy(np.array([print]), allow_pickle=True)}, "damaged"),
    "text": (lambda e: e | {"params1.npy": npy(np.array(list("text")))}, "damaged"),
    "no npy": (lambda e: e | {"params0.npy": b"text"}, "damaged"),
    "no JSON": (lambda e: e | {"header.npy": npy(np.zeros(9, np.uint8))}, "damaged"),
    "deep JSON": (lambda e: e | {"header.npy": npy(np.full(10**5, ord("["), np.uint8))}, "damaged"),
    "a list": (lambda e: e | {"header.npy": npy(np.frombuffer(b"[]", np.uint8))}, "damaged"),
    "settings": (lambda e: e | header(settings=[]), "damaged"),
    "no trees": (lambda e: e | header(), "damaged"),
    "a tree": (lambda e: e | header(trees={"params": ["set", "array"], "optimizer": []}), "damaged"),
    "deep trees": (lambda e: e | header(trees={"params": deep(900), "optimizer": []}), "damaged|instead of"),
    "later": (lambda e: e | header(format=5), r"format 5 \(of minisiam 9\), this version reads format 4: use the"),
}


@pytest.mark.parametrize("what", WRONG)
def test_every_kind_of_damage_raises_an_error_that_names_it(model, what):
    change, message = WRONG[what]
    rewritten(model, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        loaded(model)
    assert str(model) in str(caught.value)


def test_a_small_malicious_file_uses_little_memory(model):
    """100 MB of zeros, compressed, and headers that give larger sizes than the file has."""
    rewritten(model, lambda e: e | {"params0.npy": npy(np.zeros(10**8, np.uint8))}, compression=zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="damaged"):
        loaded(model)
    whole = model.read_bytes()
    sizes = [i for i in range(len(whole) - 46) if whole[i : i + 4] == b"PK\x01\x02"]
    for place in sizes:  # the archive's own table says that an entry is four gigabytes, less one
        lying = bytearray(whole)
        lying[place + 20 : place + 28] = b"\xfe\xff\xff\xff" * 2
        model.write_bytes(lying)
        with pytest.raises(CheckpointError):
            loaded(model)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6
