"""No file obtains the verdict *passed* except by correct results, and none changes another file or the grader."""

import socket
import sys
import threading

import learner_answers
import numpy as np
import pytest

from minisiam import course
from minisiam.course import EXERCISES, graders, judging, remote, sandbox, wire, worker

HEADER = """from __future__ import annotations
import json, os, sys
import numpy as np
from minisiam.typing import Array, Float
VERDICT = json.dumps({"status": "passed", "message": "", "what": "", "clue": "", "case": {}, "columns": {}, "rows": 0,
                      "seconds": 0.0, "printed": ""}).encode() + b"\\n"
"""
WRONG = 'def squared_l2(a: Float[Array, "n d"], b: Float[Array, "n d"], /):\n    return np.zeros(len(a))\n'

ATTACKS = {
    "it exits at once": "os._exit(0)",
    "it exits with success": "sys.exit(0)",
    "it writes a verdict file": 'open("answer.json", "wb").write(VERDICT); os._exit(0)',
    "it writes a verdict beside its folder": """
import ctypes
for name in ("../answer.json", "../verdict.json"):
    ctypes.CDLL(None).close(ctypes.CDLL(None).creat(name.encode(), 0o644))
os._exit(0)""",
    "it writes a verdict when the program ends": "import atexit; atexit.register(lambda: os.write(1, VERDICT))",
    "it prints a verdict": "sys.stdout.write(VERDICT.decode()); sys.stdout.flush(); os._exit(0)",
    "it writes to every open file": """
for number in range(64):
    try:
        os.write(number, VERDICT)
    except OSError:
        pass""",
    "it writes to the files of its parent": """
import ctypes
libc = ctypes.CDLL(None)
for process in (os.getppid(), 1):
    for number in range(64):
        file = libc.open(f"/proc/{process}/fd/{number}".encode(), 1)
        if file >= 0:
            os.write(file, VERDICT)""",
    "it takes the files of its parent": """
import ctypes
libc = ctypes.CDLL(None)
for number in range(64):
    file = libc.syscall(438, libc.syscall(434, os.getppid(), 0), number, 0)  # pidfd_getfd, pidfd_open
    if file >= 0:
        os.write(file, VERDICT)""",
    "it replaces the grader": """
from minisiam.course import graders, judging, worker
from minisiam.gradcheck import check, compare
passed = graders.Verdict("passed", "")
graders.grade = judging.grade = judging.judged = worker.judged = worker.judge = lambda *arguments: passed
graders.grader_of = lambda exercise: lambda function: graders.Result(None)
compare.fault = check.fault = lambda *arguments: compare.Agreement(0.0)""",
    "it replaces NumPy and JSON": """
np.allclose = np.array_equal = lambda *arguments, **options: True
np.abs = lambda x: np.zeros_like(x)
json.dumps = lambda *arguments, **options: VERDICT.decode()""",
    "it replaces functions of the grader's frames": """
frame = sys._getframe()
while frame:
    frame.f_globals.update(grade=lambda *arguments: VERDICT, judge=lambda *arguments: VERDICT)
    frame = frame.f_back""",
    "it looks for the connection": """
import gc
from minisiam.course.remote import HEAD, Peer
for peer in [x for x in gc.get_objects() if isinstance(x, Peer)]:
    text = json.dumps({"result": ["named", "minisiam.course.graders", "Verdict", ["status"], ["passed"]],
                       "changed": [], "printed": ""}).encode()
    for _ in range(50):
        peer.writer.write(HEAD.pack(len(text), 0) + text)
    peer.writer.flush()""",
    "its annotations leave nothing to check": """
def squared_l2(a: Float[Array, "0 0"], b: Float[Array, "0 0"], /):
    return np.zeros(len(a))
os.environ["KEEP"] = "1" """,
}
RESULTS = {
    "equal to everything": "type('Equal', (np.ndarray,), {'__eq__': lambda *_: True})(len(a))",
    "an object that passes for an array": "type('Array', (), {'__array__': lambda self, *_, **__: np.zeros(len(a))})()",
    "not a number": "np.full(len(a), np.nan)",
    "a number that compares equal": "type('Any', (float,), {'__eq__': lambda *_: True})()",
    "an array of objects": "np.array([type('Any', (), {'__eq__': lambda *_: True})() for _ in a], object)",
    "a skipped test": "__import__('hypothesis').reject()",
    "too large": "np.zeros(10**7)",
    "a container of itself": "(lambda x: x.append(x) or x)([])",
}


@pytest.fixture(scope="module")
def grader():
    with sandbox.Grader() as one:
        yield one


@pytest.mark.parametrize("what", ATTACKS)
def test_a_wrong_answer_does_not_pass_although(what, grader):
    function = "" if "KEEP" in ATTACKS[what] else WRONG
    report = grader.check(EXERCISES[0], f"{HEADER}{ATTACKS[what]}\n{function}".encode(), 2)
    assert report.status == "failed", report
    assert report.message.startswith("01 squared-distance: ")


@pytest.mark.parametrize("what", RESULTS)
def test_a_wrong_answer_does_not_pass_if_the_result_is(what, grader):
    source = HEADER + WRONG.replace("np.zeros(len(a))", RESULTS[what])
    assert grader.check(EXERCISES[0], source.encode(), 2).status == "failed"


def result(*encoded):
    """A reply whose result is an encoded value, followed by the bytes of eight numbers."""
    return remote.packed({"result": encoded, "changed": [], "printed": ""}, [bytes(64)])


LIES = {
    "no message": b"passed\n" * 10,
    "a long message": remote.HEAD.pack(2**31, 2**31),
    "deep JSON": remote.HEAD.pack(200_000, 0) + b"[" * 200_000,
    "no reply": remote.HEAD.pack(2, 0) + b"{}",
    "an unknown tag": result("verdict"),
    "a huge array": remote.packed({"result": ["array", "<f8", [10**9], True], "changed": [], "printed": ""}, []),
    "an array of objects": remote.packed(
        {"result": ["array", "|O", [1], True], "changed": [], "printed": ""}, [b"x" * 8]
    ),
    "an import": remote.packed({"result": ["import", "os", "getcwd"], "changed": [], "printed": ""}, []),
    "an unknown input": remote.packed({"result": 1, "changed": [[7, ["tuple", []]]], "printed": ""}, []),
    "a call of an unknown function": remote.packed({"call": -1, "arguments": ["list", []]}, []),
}


@pytest.mark.parametrize("what", LIES)
def test_the_grader_ends_the_connection_at(what, tmp_path):
    (tmp_path / "sent").write_bytes(LIES[what])
    with (tmp_path / "sent").open("rb") as reader, (tmp_path / "received").open("wb") as writer:
        peer = remote.Peer(reader, writer, trusted=True)
        with pytest.raises(remote.Ended):
            peer.function(0)(np.ones(2))
        assert peer.ended


def test_an_answer_can_neither_write_elsewhere_nor_remove_nor_start_a_process(grader, tmp_path):
    other = tmp_path / "other.py"
    other.write_text("mine")
    tries = {
        f"open({str(other)!r}, 'w')": "must not write to",
        "open('../answer.json', 'w')": "must not write to",
        f"os.remove({str(other)!r})": "must not change",
        f"__import__('shutil').rmtree({str(tmp_path)!r})": "must not change",
        f"os.replace({str(other)!r}, 'mine')": "must not change",
        f"os.symlink('x', {str(other)!r} + '2')": "must not change",
        f"os.open('other.py', os.O_WRONLY, dir_fd=os.open({str(tmp_path)!r}, os.O_RDONLY))": "must not open",
        f"os.remove('other.py', dir_fd=os.open({str(tmp_path)!r}, os.O_RDONLY))": "must not open the folder",
        "os.open('..', os.O_RDONLY, dir_fd=os.open('.', os.O_RDONLY))": "must not open the folder",
        "fd = os.open('.', 0); os.mkdir('a'); os.chdir('a'); os.open('../x', 1, dir_fd=fd)": "must not write to",
        f"os.chmod(os.open({str(other)!r}, os.O_RDONLY), 0)": "must not change",
        f"__import__('sqlite3').connect({str(tmp_path / 'base')!r})": "must not use a database",
        f"__import__('socket').socket(1).bind({str(tmp_path / 'socket')!r})": "must not use a database or a socket",
        "os.system('true')": "must not start or end",
        "os.fork()": "must not start or end",
        "os.kill(os.getppid(), 9)": "must not start or end",
    }
    for code, message in tries.items():
        report = grader.check(EXERCISES[0], f"{HEADER}{code}\n{WRONG}".encode())
        assert report.status == "failed"
        assert f"the file does not run: it raises PermissionError: an answer {message}" in report.message
    assert (other.read_text(), other.stat().st_mode & 0o400) == ("mine", 0o400)
    assert [path.name for path in tmp_path.iterdir()] == ["other.py"]


def test_an_answer_may_write_in_its_own_folder(grader):
    body = "open('notes.txt', 'w').write('x'); __import__('tempfile').TemporaryFile()\n"
    body += "__import__('tempfile').TemporaryDirectory().cleanup()\n"
    right = WRONG.replace("np.zeros(len(a))", "((a - b) ** 2).sum(axis=1)")
    assert grader.check(EXERCISES[0], (HEADER + body + right).encode()).status == "passed"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the C library has another name")
def test_an_answer_that_kills_the_grader_fails_and_the_next_is_graded(grader):
    kill = "import ctypes; ctypes.CDLL(None).kill(os.getppid(), 9)\n"
    assert "ended the grader" in grader.check(EXERCISES[0], (HEADER + kill + WRONG).encode()).message
    right = WRONG.replace("np.zeros(len(a))", "((a - b) ** 2).sum(axis=1)")
    assert grader.check(EXERCISES[0], (HEADER + right).encode()).status == "passed"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_an_answer_cannot_read_the_memory_of_the_grader(grader):
    body = "print(open(f'/proc/{os.getppid()}/mem', 'rb').read(1))\n"
    assert "PermissionError" in grader.check(EXERCISES[0], (HEADER + body + WRONG).encode()).message


# the same functions on both sides of a connection


@pytest.fixture
def linked():
    """A function that makes a function of another thread callable, as if it were in another process."""
    ends = []

    def link(function):
        ours, theirs = socket.socketpair()
        other = remote.Peer(theirs.makefile("rb"), theirs.makefile("wb"), trusted=False)
        other.export(function, [])
        peer = remote.Peer(ours.makefile("rb"), ours.makefile("wb"), trusted=True)
        thread = threading.Thread(target=other.serve)
        thread.start()
        ends.append((ours, thread, (ours, theirs, peer.reader, peer.writer, other.reader, other.writer)))
        return peer.function(0)

    yield link
    for socket_, thread, files in ends:
        socket_.shutdown(socket.SHUT_RDWR)
        thread.join()
        for file in files:
            file.close()


VALUES = [
    None, True, 3, -(10**30), 0.1, float("inf"), "é\n", (1, [2.0, "x"], {"a": (None,), 3: []}), np.float32(0.1),
    np.True_, np.arange(6.0).reshape(2, 3).T, np.zeros((0, 3), np.float32), np.array(1.5), np.array([True]),
    np.arange(3, dtype=">i2"), np.array([["ann", "é"], ["", "b"]]),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_returns_as_it_was_sent(value, linked):
    result = linked(lambda x: x)(value)
    assert type(result) is type(value)
    assert repr(result) == repr(value)
    assert getattr(result, "dtype", None) == getattr(value, "dtype", None)


def test_functions_iterators_and_errors_work_across_the_connection(linked):
    def answer(function, rng):
        def pullback(g):
            yield function(g)
            yield rng.random()
            raise ValueError("no more")

        return wire.__name__, pullback

    rng = np.random.default_rng(0)
    name, pullback = linked(answer)(lambda g: g + 1, rng)
    steps = pullback(np.ones(2))
    assert name == "minisiam.course.wire"
    assert next(steps).tolist() == [2, 2]
    assert next(steps) == np.random.default_rng(0).random()
    assert rng.random() == np.random.default_rng(0).random(2)[1]  # the generator has advanced on this side too
    with pytest.raises(ValueError, match="no more"):
        next(steps)


@pytest.mark.parametrize("name", ["two-branches", "batch-hard", "sampler", "open-set", "cached", "all-gather"])
def test_an_answer_may_take_functions_and_return_tuples_or_a_generator(name, linked):
    exercise = course.find(name)
    function = linked(getattr(learner_answers, exercise.function))
    verdict = graders.grade(exercise, judging.stand_in(exercise, function))
    assert verdict.status == "passed", verdict.message


def test_a_change_of_an_input_is_seen_by_the_grader(linked):
    def answer(a):
        def pullback(g):
            a[0] = 7

        return pullback

    a = np.zeros(2)
    pullback = linked(answer)(a)
    assert a.tolist() == [0, 0]
    pullback(np.ones(1))
    assert a.tolist() == [7, 0]


def test_a_change_of_an_earlier_result_is_seen_by_the_grader(linked):
    def answer(a):
        buffer = np.zeros(2)

        def pullback(g):
            np.copyto(buffer, g)
            return (buffer,)

        return buffer, pullback

    value, pullback = linked(answer)(np.ones(1))
    (first,) = pullback(np.ones(2))
    assert value.tolist() == [1, 1]
    (second,) = pullback(np.full(2, 5.0))
    assert value.tolist() == first.tolist() == second.tolist() == [5, 5]


def test_an_object_of_another_class_keeps_its_name_and_its_text(linked):
    result = linked(lambda: {1, 2})()
    assert (type(result).__name__, repr(result)) == ("set", "{1, 2}")
    assert isinstance(result, wire.Foreign)


def test_without_fork_the_answer_runs_in_a_new_process(monkeypatch, tmp_path):
    monkeypatch.setattr(worker, "FORKS", False)
    source = HEADER + WRONG.replace("np.zeros(len(a))", "((a - b) ** 2).sum(axis=1)")
    assert worker.judge(EXERCISES[0], source, 10, tmp_path).status == "passed"
