"""Several ranks train one network: here they are threads; `tests/distributed/test_mpi.py` has processes."""

import os
import signal
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest

from minisiam import checkpoint, datasets, distributed, train, tree
from minisiam.app import build, cli, data_spec, guardian, input_pipeline, ranks, trainer
from minisiam.app import run as run_folder
from minisiam.app.config import Config
from minisiam.fast import launcher, threads

LAUNCHERS = {
    "none": ({}, 1, 0, 1),
    "mpich": ({"PMI_SIZE": "4", "PMI_RANK": "3", "MPI_LOCALNRANKS": "2"}, 4, 3, 2),
    "open mpi": (
        {"OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "5", "OMPI_COMM_WORLD_LOCAL_SIZE": "4"}, 8, 5, 4,
    ),
    "srun": (
        {"SLURM_STEP_NUM_TASKS": "7", "SLURM_PROCID": "6", "SLURM_STEP_TASKS_PER_NODE": "2(x3),1", "SLURM_NODEID": "3"},
        7, 6, 1,
    ),
    "srun, first node": (
        {"SLURM_STEP_NUM_TASKS": "7", "SLURM_PROCID": "1", "SLURM_STEP_TASKS_PER_NODE": "2(x3),1", "SLURM_NODEID": "0"},
        7, 1, 2,
    ),
    "a batch script of Slurm": ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_TASKS_PER_NODE": "4"}, 1, 0, 1),
    "mpiexec in a step of Slurm": (
        {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1", "PMI_SIZE": "6", "PMI_RANK": "4", "MPI_LOCALNRANKS": "3"},
        6, 4, 3,
    ),
}  # fmt: skip
SETTINGS = {
    "pairs": {"network": "siamese"},
    "fixed pairs": {"network": "verification", "distance": "weighted-l1", "pairs": 80},
    "copies": {"network": "verification", "distance": "weighted-l1", "pairs": 80, "copies": 2, "augment": "affine"},
    "neighbours": {"network": "siamese", "pair_by": "neighbours"},
    "neighbours in a batch": {"loss": "contrastive", "pair_by": "neighbours", "batch": 32},
    "triplets": {"network": "triplet", "loss": "hinge"},
    "batch": {},
    "proxies": {"loss": "cosface"},
    "several centres": {"loss": "soft-triple"},
    "episodes": {"loss": "prototypical"},
    "views": {"loss": "info-nce"},
    "covariances": {"loss": "vicreg"},
    "affine": {"augment": "affine"},
    "wide episodes": {"loss": "prototypical", "augment": "wide"},
    "elastic views": {"loss": "info-nce", "augment": "elastic"},
    "elastic": {"augment": "elastic", "batch": 40},
    "random triplets": {"loss": "hinge", "miner": "random-triplets"},
    "batch norm": {"norm": "batch", "encoder": "conv2", "batch": 24},
    "readable batch norm": {"norm": "batch", "encoder": "conv2", "batch": 24, "readable": True},
    "cached": {"cached": True, "encoder": "conv2", "batch": 24},
}


@pytest.fixture
def without_launcher(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("PMI_", "MPI_", "OMPI_", "SLURM_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def small(glyphs):
    rest, test = datasets.split(glyphs)
    train, validation = datasets.split(rest, every=5)
    few = train.where(np.isin(train.labels, np.unique(train.labels)[::6]))  # a graph of neighbours is slow
    return data_spec.Data(few, validation, test)


def chosen(words, **more):
    return Config(**({"encoder": "mlp", "steps": 12, "log_every": 3} | SETTINGS[words] | more))


def quiet(line):
    pass


def on_ranks(size, lead, follow):
    """What rank 0 returns; the others follow."""

    def work(these):
        team = ranks.Team(these)
        return lead(team) if team.leads else follow(team)

    return distributed.run(work, size)[0]


def trained(config, data, folder, size):
    return on_ranks(
        size,
        lambda team: trainer.train(config, data, folder, quiet, team=team),
        lambda team: trainer.follow(config, data, team),
    )


def resumed(config, data, folder, size):
    return on_ranks(
        size,
        lambda team: trainer.resume(folder, data, quiet, team),
        lambda team: trainer.follow(config, data, team),
    )


def numbers(run):
    return np.concatenate([np.ravel(leaf) for leaf in tree.leaves(run.params)])


@pytest.mark.parametrize("name", LAUNCHERS)
def test_the_launcher_is_read_from_its_variables(monkeypatch, without_launcher, tmp_path, name):
    variables, processes, rank, here = LAUNCHERS[name]
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert (launcher.processes(), launcher.rank(), launcher.on_this_machine()) == (processes, rank, here)
    monkeypatch.setattr(threads, "PROC", tmp_path)  # no quota
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert threads.cores() == 8 // here


def test_more_processes_than_cores_have_one_core_each(monkeypatch, without_launcher):
    for name, value in {"PMI_SIZE": "999", "PMI_RANK": "0", "MPI_LOCALNRANKS": "999"}.items():
        monkeypatch.setenv(name, value)
    assert threads.cores() == 1


@pytest.mark.parametrize("name", SETTINGS)
def test_the_images_of_the_ranks_are_those_of_one_process(small, name):
    config = chosen(name)
    method = build.build(trainer.completed(config, small))
    data = method.prepared(small.train)
    whole = [*islice(method.batches(data, np.random.default_rng(1)), 2)]

    def own(these):
        return [*islice(method.batches(data, np.random.default_rng(1), 0, these), 2)]

    for size in (2, 3):
        for number, expected in enumerate(whole):
            for part, pieces in zip(expected, zip(*(each[number] for each in distributed.run(own, size)), strict=True),
                                    strict=True):  # fmt: skip
                found = np.concatenate(pieces) if part.ndim == 4 else pieces[0]
                np.testing.assert_array_equal(found, part)
                assert found.dtype == part.dtype


def test_only_the_own_images_are_loaded(small):
    loaded = []

    class Images(np.ndarray):
        def __getitem__(self, rows):
            loaded.append(len(rows))
            return super().__getitem__(rows).view(np.ndarray)

    batches = input_pipeline.build(chosen("affine", batch=20))
    data = small.train._replace(images=small.train.images.view(Images))
    distributed.run(lambda these: next(batches(data, np.random.default_rng(1), 0, these)), 3)
    assert sorted(loaded) == [6, 7, 7]


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_several_ranks_train_the_network_of_one_process(small, tmp_path, name):
    config = chosen(name, steps=3, log_every=1, learning_rate=1e-4, optimizer="sgd")
    one = trained(config, small, tmp_path / "one", 1)
    for size in (2, 3):
        several = trained(config, small, tmp_path / str(size), size)
        assert [record["loss"] for record in several.log] == pytest.approx([r["loss"] for r in one.log], rel=1e-4)
        np.testing.assert_allclose(numbers(several), numbers(one), atol=2e-5)
        assert several.training["machine"]["ranks"] == size
    assert "ranks" not in one.training["machine"]


class Killed(BaseException):
    """No code handles it, as no code can handle SIGKILL."""


def stopping(monkeypatch, step, error):
    def stopped(*arguments):
        for made, *rest in train.fit_from(*arguments):
            yield made, *rest
            if made == step:
                raise error

    monkeypatch.setattr(trainer, "fit_from", stopped)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["random triplets", "affine", "batch norm", "cached"])
def test_a_killed_and_resumed_run_has_the_same_bits(small, tmp_path, monkeypatch, name):
    config = chosen(name)
    whole = trained(config, small, tmp_path / "whole", 2)
    with monkeypatch.context() as patch:
        stopping(patch, 8, Killed())
        with pytest.raises(Killed):
            trained(config, small, tmp_path / "parts", 2)
    assert [record["step"] for record in run_folder.open_run(tmp_path / "parts").log] == [1, 3, 6]
    parts = resumed(config, small, tmp_path / "parts", 2)
    tree.map(np.testing.assert_array_equal, whole.params, parts.params)
    assert [r["loss"] for r in whole.log] == [r["loss"] for r in parts.log]
    states = [checkpoint.header(run.folder / "model.npz")["progress"] for run in (whole, parts)]
    assert states[0]["rng"] == states[1]["rng"]


@pytest.mark.slow
def test_a_run_can_be_resumed_with_another_number_of_ranks(small, tmp_path, monkeypatch):
    config = chosen("batch", optimizer="sgd", learning_rate=1e-3)
    whole = trained(config, small, tmp_path / "whole", 1)
    for folder, step, size in (("a", 5, 3), ("b", 7, 1)):
        with monkeypatch.context() as patch:
            stopping(patch, step, Killed())
            with pytest.raises(Killed):
                trained(config, small, tmp_path / folder, size)
    for folder, size in (("a", 2), ("b", 3)):
        run = resumed(config, small, tmp_path / folder, size)
        np.testing.assert_allclose(numbers(run), numbers(whole), atol=1e-4)


def test_rank_0_alone_decides_when_training_ends(small, tmp_path):
    config = chosen("batch", steps=10**6, time_limit=1e-3, log_every=10**5)
    run = trained(config, small, tmp_path / "run", 3)
    assert run.training["steps"] < 10**6


def test_after_ctrl_c_the_step_is_finished_and_saved(small, tmp_path):
    config, said = chosen("batch", steps=10**6, log_every=10**5), []

    def lead(team):
        ends = team.ends

        def interrupted(done):
            team.interrupted = True  # as the handler of at_work sets it; here the ranks are threads
            return ends(done)

        team.ends = interrupted
        return trainer.train(config, small, tmp_path / "run", said.append, team=team)

    run = on_ranks(2, lead, lambda team: trainer.follow(config, small, team))
    assert run.training["steps"] == 1
    assert "interrupted: the checkpoint is saved" in said[-2]


def test_ctrl_c_is_held_back_while_a_step_is_made():
    team = ranks.Team(distributed.Single())
    team.ranks.size = 2
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background has it ignored
    try:
        with team.at_work():
            signal.raise_signal(signal.SIGINT)
            assert team.interrupted
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_differences_between_ranks_are_an_error_on_every_rank(small, tmp_path):
    texts = []

    def caught(work):
        try:
            work()
        except ValueError as error:
            texts.append(str(error))

    config, other = chosen("batch"), small._replace(train=small.train._replace(images=1 - small.train.images))
    on_ranks(
        3,
        lambda team: caught(lambda: trainer.train(config, small, tmp_path / "run", quiet, team=team)),
        lambda team: caught(lambda: trainer.follow(config, small if team.ranks.rank == 1 else other, team)),
    )
    assert len(texts) == 3 and len(set(texts)) == 1
    assert "the ranks differ in the training data, by their checksum" in texts[0] and "on rank 2" in texts[0]
    assert "Start all ranks with the same command, the same versions and the same files" in texts[0]
    facts = {"source files of minisiam": "one", "version of NumPy": "2"}
    for name in facts:
        texts.clear()
        both = [facts, facts | {name: "another"}]
        distributed.run(lambda these: caught(lambda: ranks.Team(these).agree(**both[these.rank])), 2)  # noqa: B023
        assert len(texts) == 2 and all(f"the ranks differ in the {name}" in text for text in texts)


def test_without_training_the_other_ranks_end(small):
    config = chosen("batch")
    assert on_ranks(3, lambda team: team.dismiss(), lambda team: trainer.follow(config, small, team)) is None


def test_one_process_never_imports_mpi4py(monkeypatch, without_launcher):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with ranks.team() as team:
        assert team is ranks.ALONE
        assert team.ends(True) and not team.ends(False)


# --- the processes that mpiexec starts

TWO = {"PMI_SIZE": "2", "PMI_RANK": "1", "MPI_LOCALNRANKS": "2"}


def guarded(code, monkeypatch, capfd):
    """The exit code of a guardian whose child runs this code, and what was printed."""
    for name, value in TWO.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(guardian.LINK, raising=False)
    real = subprocess.Popen
    monkeypatch.setattr(guardian.subprocess, "Popen", lambda words, **options: real([words[0], "-c", code], **options))
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        return guardian.run([]), capfd.readouterr().err
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
            signal.signal(number, handler)


ATTACHED = "import os, signal, sys\nfrom minisiam.app import guardian\nguardian.attach()\n"
ENDS = {
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", 1, "minisiam: rank 1 was killed by SIGKILL: all ranks end."),
    "left with success": ("os._exit(0)", 1, "minisiam: rank 1 ended suddenly with exit code 0: all ranks end."),
    "left with an error": ("os._exit(3)", 3, "minisiam: rank 1 ended suddenly with exit code 3: all ranks end."),
    "as it should": ("guardian.explained()", 0, ""),
    "with its own message": ("guardian.explained(); sys.exit(1)", 1, ""),
}


@pytest.mark.parametrize(
    "end",
    ["killed", "as it should", *(pytest.param(end, marks=pytest.mark.slow) for end in [*ENDS][1:3] + [*ENDS][4:])],
)
def test_the_guardian_reports_a_sudden_death(end, monkeypatch, without_launcher, capfd):
    code, expected, message = ENDS[end]
    found, printed = guarded(ATTACHED + code, monkeypatch, capfd)
    assert found == expected
    assert message in printed and bool(message) == bool(printed)


@pytest.mark.parametrize("code", [0, 1])
def test_a_guardian_dies_by_a_signal_unless_its_rank_has_succeeded(code):
    ended = subprocess.run([sys.executable, "-c", f"from minisiam.app import guardian; exit(guardian.end({code}))"])
    assert ended.returncode == (-signal.SIGKILL if code else 0)


def test_a_child_has_its_share_of_the_cores(monkeypatch, without_launcher, capfd):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    code = ATTACHED + "print(os.environ['OPENBLAS_NUM_THREADS'], file=sys.stderr); guardian.explained()"
    with monkeypatch.context() as patch:
        patch.setattr(guardian, "cores", lambda: 3)
        assert guarded(code, patch, capfd) == (0, "3\n")


@pytest.mark.slow
def test_a_child_ends_with_its_guardian():
    child = ATTACHED + "import time; print('ready', flush=True); time.sleep(600)"
    code = (
        "import subprocess\nfrom minisiam.app import guardian\nreal = subprocess.Popen\n"
        f"guardian.subprocess.Popen = lambda words, **options: real([words[0], '-c', {child!r}], **options)\n"
        "guardian.run([])"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=os.environ | TWO, text=True) as own:
        assert own.stdout.readline() == "ready\n"
        own.kill()
        assert own.stdout.read() == ""  # it returns when the child, which has the pipe too, has ended


@pytest.mark.parametrize("words", [["check", "contrastive"], ["evaluate", "runs/one"], ["papers", "list"], []])
def test_other_commands_use_one_process(monkeypatch, without_launcher, capsys, words):
    for name, value in (TWO | {"PMI_RANK": "0"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        cli.main(words)
    assert "only minisiam train uses more than one process: leave mpiexec out" in capsys.readouterr().err


def test_a_mistake_in_the_options_is_printed_once(monkeypatch, without_launcher, capsys):
    for rank in "01":
        for name, value in (TWO | {"PMI_RANK": rank}).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit):
            cli.main(["train", "--stepps", "3"])
    assert capsys.readouterr().err.count("unrecognized arguments") == 1
