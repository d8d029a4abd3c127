"""Values, gradients and choices of a reference implementation, in files that it wrote: does minisiam agree?

    pytest tests -k oracle --oracle FILE.json          another file; the option may come several times

A file holds embeddings and labels, under "losses" for each name a value and the gradient of the embeddings, under
"miners" for each name lists of indices. A loss may have its own "labels", "proxies" (one a row), "grad_proxies", and
"ref_emb", the second view of VICReg. `oracle/make_oracle.py` writes such files. What has no counterpart is skipped with
the reason, and listed at the end.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import ORACLE_SAID
from pml_names import from_reference, miner_from_reference

from minisiam.miners import Pairs

FILES = sorted(Path(__file__).parent.glob("oracle/*.json"))
CLOSE = 1e-9  # relative to the largest number of the reference, or to 1
SOFTPLUS = 1e-8  # torch's softplus is a straight line above 20, where the slope is 1 − 2·10⁻⁹


def pytest_generate_tests(metafunc):
    given = metafunc.config.getoption("oracle")
    files = [Path(name) for name in given] if given else FILES
    for kind in ("loss", "miner"):
        if f"{kind}_name" in metafunc.fixturenames:
            plural = {"loss": "losses", "miner": "miners"}[kind]
            cases = [
                pytest.param(path, name, id=f"{path.stem}-{name}") for path in files for name in stored(path)[plural]
            ]
            metafunc.parametrize(("path", f"{kind}_name"), cases)
    if "every_path" in metafunc.fixturenames:
        metafunc.parametrize("every_path", files, ids=lambda path: path.stem)


@cache
def stored(path):
    return {"losses": {}, "miners": {}} | json.loads(path.read_text())


def found_or_skipped(found):
    if found.found is None:
        pytest.skip(found.reason)
    return found.found


def test_loss(path, loss_name):
    preset = found_or_skipped(from_reference(loss_name))
    oracle = stored(path)
    entry = oracle["losses"][loss_name]
    attempts = [differences(preset, *arguments, entry) for arguments in ways(preset, oracle, entry)]
    tolerance = SOFTPLUS if "Circle" in loss_name or "smooth" in loss_name else CLOSE
    assert min(max(attempt.values()) for attempt in attempts) <= tolerance, attempts


def ways(preset, oracle, entry):
    """The arguments of a loss, as variables and labels; two ways where a file does not say which of them it took."""
    given = oracle | entry
    z, labels = np.array(given["embeddings"], float), np.array(given["labels"])
    if preset.variables == ("z",):
        return [([z], [labels])]
    if preset.variables == ("z1", "z2"):
        return [([z, np.array(given["ref_emb"], float) if "ref_emb" in given else z], [])]
    if "proxies" not in given:
        pytest.skip("the file has no proxies for it")
    proxies = np.array(given["proxies"], float)
    rows = [one for one in (proxies, proxies.T) if one.shape[1] == z.shape[1]]
    numbered = np.unique(labels, return_inverse=True)[1]
    fits = labels.min() >= 0 and labels.max() < max(proxies.shape)
    return [([z, one], [some]) for one in rows for some in ([labels] if fits else [numbered, labels])]


def differences(preset, variables, labels, entry):
    """How far the value and each gradient are from the reference's, relatively."""
    try:
        value, pullback = preset(*variables, *labels)
    except ValueError as error:
        return {str(error): np.inf}
    grads = pullback(value.dtype.type(1))
    if variables[-1] is variables[0]:
        grads = (sum(grads),)
    given = {"value": value, "grad": grads[0], "grad_proxies": grads[-1]}
    return {key: apart(ours, entry[key]) for key, ours in given.items() if key in entry}


def apart(ours, theirs):
    theirs = np.array(theirs, float)
    ours = ours.T if ours.shape != theirs.shape else ours
    difference = np.abs(ours - theirs).max() / max(1, np.abs(theirs).max())
    return difference if np.isfinite(difference) else np.inf


def test_miner(path, miner_name):
    mine = found_or_skipped(miner_from_reference(miner_name))
    oracle = stored(path)
    found = mine(np.array(oracle["embeddings"], float), np.array(oracle["labels"]))
    theirs = oracle["miners"][miner_name]
    if len(theirs) == 3:
        ours = [found.triplets if isinstance(found, Pairs) else found]
        theirs = [theirs]
    else:
        pairs = found if isinstance(found, Pairs) else found.pairs
        ours = [(pairs.rows[kind], pairs.columns[kind]) for kind in (pairs.same, ~pairs.same)]
        theirs = [theirs[:2], theirs[2:]]
    as_tuples = either_way if miner_name.startswith("HDC") else tuples
    assert [as_tuples(lists) for lists in ours] == [as_tuples(lists) for lists in theirs]


def tuples(lists):
    return set(zip(*(np.asarray(one, int).tolist() for one in lists), strict=True))


def either_way(lists):
    """Pairs with the smaller index first: where half of an odd number is taken, (i, j) and (j, i) are equally hard."""
    return sorted(tuple(sorted(pair)) for pair in tuples(lists))


def test_what_is_mapped(every_path, request):
    """Says what of a file was checked, and what could not be."""
    oracle = stored(every_path)
    losses = {name: from_reference(name) for name in oracle["losses"]}
    miners = {name: miner_from_reference(name) for name in oracle["miners"]}
    missing = {name: found.reason for name, found in (losses | miners).items() if found.found is None}
    counts = [sum(found.found is not None for found in known.values()) for known in (losses, miners)]
    line = f"{counts[0]} losses and {counts[1]} miners of {every_path} checked, not mapped: "
    line += "; ".join(f"{name} ({reason})" for name, reason in missing.items()) or "nothing"
    request.config.stash.setdefault(ORACLE_SAID, []).append(line)
    assert all(missing.values())
    assert sum(counts) > 0
