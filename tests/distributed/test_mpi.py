"""Ranks that are processes, under a real mpiexec: `make test-mpi` installs one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from minisiam import checkpoint, tree

BESIDE = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")
MISSING = [name for name, found in (("mpi4py", find_spec("mpi4py")), ("mpiexec", MPIEXEC)) if not found]
pytestmark = [
    pytest.mark.mpi,
    pytest.mark.skipif(bool(MISSING), reason=f"without {' and '.join(MISSING)}: make test-mpi installs it"),
]
ROOT = Path(__file__).parents[2]
SMALL = ["--encoder", "mlp", "--steps", "12", "--log-every", "3", "--batch", "64"]
LONGEST = 300  # seconds, after which a test fails: a rank waits for another
# runs in the process of a rank before minisiam does
AT_START = """
import os, signal, sys
from minisiam.app import guardian
from minisiam.fast.launcher import rank
if guardian.LINK in os.environ:
    from minisiam import train
    real = train.fit_from

    def fit_from(*arguments):
        for made, *rest in real(*arguments):
            if made == 8 and rank() == {rank}:
                {act}
            yield made, *rest

    train.fit_from = fit_from
    {first}
"""


def mpiexec(*words, folder, at_start=None, options=("-n", "2")):
    """Run a command on processes, in a folder; `at_start` is code that each of them runs first."""
    path = [str(folder / "start")] * (at_start is not None) + [str(ROOT)]
    if at_start is not None:
        (folder / "start").mkdir(exist_ok=True)
        (folder / "start" / "sitecustomize.py").write_text(at_start)
    return subprocess.run(
        [MPIEXEC, *options, sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        timeout=LONGEST,
    )


def train(*words, folder, **more):
    return mpiexec("-m", "minisiam", "train", *words, folder=folder, **more)


def parameters(run):
    saved = checkpoint.load(run / "model.npz")
    return [np.asarray(leaf).tobytes() for leaf in tree.leaves(saved)]


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("size", [2, 3])
def test_the_law_holds_for_processes(tmp_path, size):
    ran = mpiexec(str(ROOT / "tests/distributed/law_under_mpi.py"), folder=tmp_path, options=("-n", str(size)))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("networks obey the law") == size


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two ranks that nothing has interrupted, and what was printed."""
    folder = tmp_path_factory.mktemp("whole")
    ran = train(*SMALL, "--out", "run", folder=folder)
    assert ran.returncode == 0, ran.stderr
    return folder / "run", ran.stdout


def test_rank_0_alone_prints_and_writes(whole, tmp_path):
    run, printed = whole
    assert "; 2 ranks" in printed
    assert printed.count("trained 12 steps") == printed.count("20-way 1-shot") == 1
    assert json.loads((run / "report.json").read_text())["machine"]["ranks"] == 2
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_two_ranks_train_the_network_of_one_process(whole, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "minisiam", "train", *SMALL, "--out", "run"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=LONGEST,
    )  # fmt: skip
    assert ran.returncode == 0
    np.testing.assert_allclose(losses(whole[0]), losses(tmp_path / "run"), rtol=1e-3)


DEATHS = {
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", "minisiam: rank {rank} was killed by SIGKILL: all ranks end"),
    "left with success": ("os._exit(0)", "minisiam: rank {rank} ended suddenly with exit code 0: all ranks end"),
    "left with an error": ("os._exit(5)", "minisiam: rank {rank} ended suddenly with exit code 5: all ranks end"),
    "an error for the user": ("raise ValueError('a bad image')", "a bad image"),
    "an unexpected error": ("raise KeyError('a bad key')", "KeyError: 'a bad key'"),
}


WRITE_PID = "open(f'pid{rank()}', 'w').write(str(os.getpid()))"


def has_ended(process):
    """Whether a process ends within ten seconds; one that nobody has waited for is still listed."""
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        listed = Path(f"/proc/{process}/stat")
        if listed.exists() and listed.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("death", DEATHS)
def test_a_rank_that_dies_ends_the_run_and_the_checkpoint_is_intact(death, rank, whole, tmp_path):
    act, message = DEATHS[death]
    ran = train(
        *SMALL, "--out", "run", folder=tmp_path, at_start=AT_START.format(rank=rank, act=act, first=WRITE_PID),
        options=("-n", "3"),
    )  # fmt: skip
    assert ran.returncode != 0
    assert message.format(rank=rank) in ran.stderr
    assert (f"rank {rank}" in ran.stderr) == (rank == 1 or "{rank}" in message)
    assert ran.stderr.count("minisiam: ") == 1
    assert checkpoint.header(tmp_path / "run" / "model.npz")["progress"]["step"] == 6
    assert all(has_ended(int((tmp_path / f"pid{number}").read_text())) for number in range(3))
    if death == "killed":
        assert train("--resume", "run", folder=tmp_path, options=("-n", "2")).returncode == 0
        np.testing.assert_allclose(losses(tmp_path / "run"), losses(whole[0]), rtol=1e-3)


def test_a_killed_and_resumed_run_has_the_same_bits(whole, tmp_path):
    act = DEATHS["killed"][0]
    train(*SMALL, "--out", "run", folder=tmp_path, at_start=AT_START.format(rank=1, act=act, first=""))
    ran = train("--resume", "run", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert parameters(tmp_path / "run") == parameters(whole[0])
    assert losses(tmp_path / "run") == losses(whole[0])
    again = train("--resume", "run", folder=tmp_path)
    assert again.returncode == 0 and again.stdout.count("nothing to do") == 1


def test_ctrl_c_finishes_the_step_and_saves(tmp_path):
    words = [sys.executable, "-m", "minisiam", "train", "--encoder", "mlp", "--steps", "1000000", "--out", "run"]
    process = subprocess.Popen(
        [MPIEXEC, "-n", "2", *words], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    while not (tmp_path / "run" / "log.jsonl").exists():
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    printed = process.communicate(timeout=LONGEST)[0]
    assert printed.count("interrupted: the checkpoint is saved, and --resume run continues here") == 1
    step = checkpoint.header(tmp_path / "run" / "model.npz")["progress"]["step"]
    assert f"trained {step:,} steps" in printed


FIRST = "rank() == 1 and {act}"
DIFFERENCES = {
    "NumPy": ("__import__('numpy').__dict__.update(__version__='0.1')", "the ranks differ in the version of NumPy: "),
    "minisiam": (
        "__import__('minisiam.app.ranks').app.ranks.__dict__.update(VERSION='0.0.1')",
        "the ranks differ in the version of minisiam: ",
    ),
    "sources": (
        "__import__('minisiam.app.ranks').app.ranks.__dict__.update(_sources=lambda: 'other')",
        "the ranks differ in the source files of minisiam: ",
    ),
    "data": (
        "__import__('minisiam.app.trainer').app.trainer.__dict__.update(fingerprint=lambda data: 7)",
        "the ranks differ in the training data, by their checksum: ",
    ),
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_a_difference_between_ranks_is_found_at_the_start(tmp_path, what):
    act, message = DIFFERENCES[what]
    start = AT_START.format(rank=-1, act="pass", first=FIRST.format(act=act))
    ran = train(*SMALL, "--out", "run", folder=tmp_path, at_start=start)
    assert ran.returncode != 0
    assert f"minisiam: {message}" in ran.stderr and " on rank 1. Start all ranks with the same command" in ran.stderr
    assert ran.stderr.count("minisiam: the ranks differ") == 1
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_different_options_are_found_at_the_start(tmp_path):
    one = [sys.executable, "-m", "minisiam", "train", *SMALL, "--out", "run"]
    ran = train(*SMALL, "--out", "run", "--seed", "1", folder=tmp_path, options=("-n", "1", *one, ":", "-n", "1"))
    assert ran.returncode != 0
    assert "minisiam: the ranks differ in the options: " in ran.stderr
    assert not (tmp_path / "run").exists()


def test_an_error_of_all_ranks_is_printed_once(tmp_path):
    for words in (["--batch", "7"], ["--data", "folder:nowhere"], ["--stepps", "3"]):
        ran = train(*words, folder=tmp_path)
        assert ran.returncode != 0
        assert len([line for line in ran.stderr.splitlines() if line.startswith("minisiam")]) == 1, ran.stderr


def test_without_mpi4py_the_remedy_is_printed(tmp_path):
    start = AT_START.format(rank=-1, act="pass", first="sys.modules['mpi4py'] = None")
    ran = train(*SMALL, folder=tmp_path, at_start=start)
    assert ran.returncode != 0
    assert "pip install -e '.[mpi]'" in ran.stderr


def test_an_mpiexec_of_another_mpi_is_found(tmp_path):
    start = AT_START.format(rank=-1, act="pass", first="os.environ['PMI_SIZE'] = '3'")
    code = "import os; os.environ['OMPI_COMM_WORLD_SIZE'] = '4'; from minisiam import distributed; distributed.mpi()"
    ran = mpiexec("-c", code, folder=tmp_path, at_start=start)
    assert ran.returncode != 0
    assert (
        "mpiexec started 4 processes, but each of them finds 2: this mpiexec does not belong to the MPI" in ran.stderr
    )


def test_bad_input_of_one_rank_is_an_error_of_all(tmp_path):
    code = """
import sys
import numpy as np
from minisiam import distributed, encoders
ranks = distributed.mpi()
encoder = distributed.encoder(encoders.mlp(5, 3), ranks)
x = np.ones((3, 4), np.float32)
for seed, images in ((0, x[: 3 * ranks.rank]), (0, x[:, : 4 - ranks.rank]), (ranks.rank, x)):
    params, _ = encoder.init(np.random.default_rng(seed), (4,))
    try:
        encoder(params, images)
    except ValueError as error:
        sys.stdout.write(f"{error}\\n")
"""
    ran = mpiexec("-c", code, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert len(lines) == 6 and len(set(lines)) == 3
