"""Whatever a learner's file does, the check ends with a message; and a session of `minisiam learn` at a terminal."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minisiam import course
from minisiam.course import EXERCISES, confinement, learner_file, sandbox, verdicts
from minisiam.course.graders import grade

HEADER = "from __future__ import annotations\nimport numpy as np\nfrom minisiam.typing import Array, Float, Op\n"
SIGNATURE = 'def squared_l2(a: Float[Array, "n d"], b: Float[Array, "n d"], /):\n'
RIGHT = HEADER + SIGNATURE + "    return ((a - b) ** 2).sum(axis=1)\n"


@pytest.fixture(scope="module")
def grader():
    with sandbox.Grader() as one:
        yield one


@pytest.fixture
def report_on(grader, tmp_path):
    def check(source, name="squared-distance", seconds=sandbox.TIME_LIMIT):
        path = tmp_path / course.find(name).file
        path.write_text(source)
        before = set(tmp_path.iterdir())
        report = sandbox.check(course.find(name), path, seconds, grader)
        assert set(tmp_path.iterdir()) == before
        assert path.read_text() == source
        return report

    return check


def test_a_correct_answer_passes(report_on):
    report = report_on(RIGHT)
    assert report.status == "passed"
    assert report.message.startswith("01 squared-distance: correct. ")
    assert report.printed == ""


BODIES = {
    "a mistake": ("    return 1 / 0\n", "it raises ZeroDivisionError: division by zero, in line 5: return 1 / 0"),
    "sys.exit": ("    import sys; sys.exit(0)\n", "it ends the program (sys.exit)"),
    "os._exit": ("    import os; os._exit(0)\n", "it ended the program (os._exit)"),
    "a crash": ("    import os; os.kill(os.getpid(), 11)\n", "it crashed Python (SIGSEGV)"),
    "input": ("    return float(input())\n", "it raises EOFError"),
    "much memory": ("    return np.zeros(10**11)\n", "Unable to allocate"),
    "no valid Unicode": ('    raise ValueError("\\ud800")\n', "it raises ValueError: ?"),
    "an interruption": ("    raise KeyboardInterrupt\n", "it raises KeyboardInterrupt, in line 5"),
}


@pytest.mark.parametrize("what", BODIES)
def test_whatever_a_function_does_gives_a_message(what, report_on):
    body, message = BODIES[what]
    report = report_on(HEADER + SIGNATURE + body)
    assert message in report.message
    assert report.status == "failed"


# tests without a separate process, which take less time

RESULTS = {
    "an input": ("    a -= b\n    return (a * a).sum(axis=1)\n", "it changes its input a"),
    "a string": ('    return "twelve"\n', "the value must be an array of numbers, not str"),
    "nothing": ("    pass\n", "the value must be an array of numbers, not NoneType"),
    "a ragged list": ("    return [[1], [2, 3]]\n", "the value must be an array of numbers, not list"),
    "not started": ('    raise NotImplementedError("later")\n', "it raises NotImplementedError: later"),
}


@pytest.mark.parametrize("what", RESULTS)
def test_whatever_a_function_returns_gives_a_message(what, tmp_path):
    body, message = RESULTS[what]
    source = (HEADER + SIGNATURE + body).encode()
    verdict = grade(EXERCISES[0], learner_file.function_of(EXERCISES[0], source, tmp_path / "answer_of_a_learner.py"))
    assert message in verdict.message
    assert verdict.status == ("open" if what == "not started" else "failed")


def test_the_report_shows_the_output_on_the_smallest_case(report_on):
    body = '    print("here", a, b)\n    return -((a - b) ** 2).sum(axis=1)\n'
    report = report_on(HEADER + SIGNATURE + body)
    assert report.status == "failed"
    assert report.printed == f"here {report.case['a']} {report.case['b']}\n"
    assert report.text.endswith(f"\n\nYour function printed:\n    {report.printed.strip()}")


def test_the_report_shows_at_most_ten_lines_of_output(report_on):
    body = '    print("on and on\\n" * 20)\n    return ((a - b) ** 2).sum(axis=1)\n'
    report = report_on(HEADER + SIGNATURE + body)
    assert report.status == "passed"
    assert report.text.partition("printed:\n")[2].splitlines() == 10 * ["    on and on"] + ["    ..."]


LOOPS = {
    "computing": ("    while True:\n        a = a + 1\n", "while True:", 1.0),
    "waiting": ("    import time\n    time.sleep(1000)\n", "time.sleep(1000)", 0.6),
    "printing": ('    while True:\n        print("and on")\n', "it raises OSError: [Errno 27] File too large", 20.0),
}


@pytest.mark.parametrize("what", LOOPS)
def test_an_infinite_loop_is_stopped_and_its_line_is_reported(what, report_on):
    body, line, seconds = LOOPS[what]
    exercise = "squared-distance-gradient"  # of which no answer has passed, so no calls are made in advance
    report = report_on(HEADER + SIGNATURE + body, exercise, seconds)
    assert report.status == "failed"
    if what != "printing":
        assert f"was stopped after {seconds:g} seconds, in line" in report.message
    assert line.rstrip(":") in report.message or "a = a + 1" in report.message


@pytest.mark.slow
def test_an_answer_that_waits_a_little_in_every_call_is_stopped(report_on):
    body = "    import time\n    time.sleep(0.08)\n    return ((a - b) ** 2).sum(axis=1)\n"
    report = report_on(HEADER + SIGNATURE + body, seconds=0.1)
    assert report.status == "failed"
    assert "it did not finish and was stopped after 1.2 seconds" in report.message
    assert report_on(RIGHT).status == "passed"  # by a new process


DAEMON = """    import ctypes, os, time
    libc = ctypes.CDLL(None)  # os.fork is forbidden
    if libc.fork() == 0:
        libc.setsid()
        if libc.fork() == 0:
            os.write(1, str(os.getpid()).encode())
            time.sleep(600)
        os._exit(0)
    time.sleep(0.3)
    return 1 / 0
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt its detached descendants")
def test_a_detached_process_ends_with_the_answer_that_started_it(report_on):
    report = report_on(HEADER + SIGNATURE + DAEMON)
    if os.getuid() == 0:  # others cannot start processes at all
        pids = report.printed.split()
        assert pids and not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert report.status == "failed"


CONNECTS = {
    "a connection": ("import socket; socket.create_connection(('127.0.0.1', PORT))", "socket.getaddrinfo"),
    "an address": ("import socket; socket.socket().connect(('127.0.0.1', PORT))", "socket.connect"),
    "a datagram": (
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))", "socket.sendto"
    ),
    "a name": ("import socket; socket.gethostbyname('localhost')", "socket.gethostbyname"),
    "a page": ("import urllib.request; urllib.request.urlopen('http://127.0.0.1:PORT')", "socket."),
}  # fmt: skip


@pytest.mark.parametrize("what", CONNECTS)
def test_an_answer_cannot_use_the_network(what, report_on):
    code, event = CONNECTS[what]
    report = report_on(f"{HEADER}{SIGNATURE}    {code.replace('PORT', '9')}\n")
    assert report.status == "failed"
    assert f"an answer must not use the network ({event}" in report.message


IN_C = """    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    address = b"\\2\\0" + (PORT).to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
    failed = libc.connect(libc.socket(2, 1, 0), address, 16)
    raise ValueError(f"connect gives {failed}, error {ctypes.get_errno()}")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has an empty network for a process")
def test_code_in_c_finds_an_empty_network_where_the_system_allows_one(report_on):
    with socket.create_server(("127.0.0.1", 0)) as server:
        report = report_on(HEADER + SIGNATURE + IN_C.replace("PORT", str(server.getsockname()[1])))
    unreachable, allowed = f"connect gives -1, error {errno.ENETUNREACH}", confinement.allows_leaving_network()
    assert (unreachable if allowed else "connect gives 0, error 0") in report.message


FILES = {
    "the library's": ("from minisiam.distances import squared_l2\n", "squared_l2 is the library's function"),
    "another's": ("from numpy import sort as squared_l2\n", "is a function of numpy"),
    "another name": (
        "def square(a, b, /):\n    return 1\n",
        "the file has no function squared_l2: define it with def squared_l2(…); it has square",
    ),
    "no Python": ("def squared_l2(a, b:\n", "does not run, SyntaxError"),
    "an error": ("x = 1 / 0\n", "the file does not run: it raises ZeroDivisionError: division by zero, in line 1"),
    "another signature": ("def squared_l2(x, y):\n    return 1\n", "must keep the parameters a, b"),
}


@pytest.mark.parametrize("what", FILES)
def test_the_message_says_why_a_file_cannot_be_graded(what, tmp_path):
    source, message = FILES[what]
    with pytest.raises(verdicts.Refused) as refusal:
        learner_file.function_of(EXERCISES[0], source.encode(), tmp_path / "file_of_a_learner.py")
    assert message in str(refusal.value)


def test_a_file_that_cannot_be_graded_fails(report_on):
    report = report_on(FILES["the library's"][0])
    assert report.status == "failed"
    assert report.message.startswith("01 squared-distance: squared_l2 is the library's function")


def test_large_files_and_folders_are_not_read(report_on, tmp_path):
    assert "larger than one megabyte" in report_on("#" * (verdicts.MAX_BYTES + 1)).message
    (tmp_path / "folder.py").mkdir()
    assert "is not a file" in sandbox.check(EXERCISES[0], tmp_path / "folder.py").message


def test_a_changed_file_is_always_read_again(report_on, tmp_path):
    """Two versions of equal length within one second: no compiled file of the first may be used for the second."""
    wrong = RIGHT.replace("** 2", "** 3")
    assert report_on(wrong).status == "failed"
    assert report_on(RIGHT).status == "passed"
    assert not list(tmp_path.glob("__pycache__"))


def test_a_missing_package_is_named_with_its_install_command(tmp_path, monkeypatch):
    (tmp_path / "autograd.py").write_text("raise ImportError('no', name='autograd')")
    monkeypatch.setattr(sandbox, "PACKAGES", f"{tmp_path}{os.pathsep}{sandbox.PACKAGES}")
    with pytest.raises(ImportError, match=r"checking gradients needs autograd: python -m pip install -e '\.\[check\]'"):
        sandbox.Grader().check(EXERCISES[0], RIGHT.encode())


# a session at a terminal


class Terminal:
    """A process connected to a terminal."""

    def __init__(self, *arguments, folder):
        pty = pytest.importorskip("pty")
        self.end, other = pty.openpty()
        environment = os.environ | {"PYTHONPATH": str(sandbox.PACKAGES)}
        command = [sys.executable, "-m", "minisiam", "learn", *arguments]
        self.process = subprocess.Popen(
            command,
            stdin=other,
            stdout=other,
            stderr=other,
            cwd=folder,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job ignores it
        )
        os.close(other)
        self.output = ""

    def until(self, text, seconds=120):
        start = time.monotonic()
        os.set_blocking(self.end, False)
        while text not in self.output:
            assert time.monotonic() - start < seconds, f"{text!r} was not printed:\n{self.output}"
            try:
                self.output += os.read(self.end, 4096).decode()
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:  # the other end is closed
                assert text in self.output, self.output
        output, self.output = self.output, ""
        return output

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.end)


def test_learn_checks_each_save_and_continues_with_the_next_exercise(tmp_path):
    terminal = Terminal(folder=tmp_path)
    try:
        assert "wrote work/01_squared_distance.py" in terminal.until("not started")
        path = tmp_path / "work" / "01_squared_distance.py"
        hole = next(line for line in path.read_text().splitlines() if "NotImplementedError" in line)
        stub = path.read_text()
        path.write_text(stub.replace(hole, "    return 2 * ((a - b) ** 2).sum(axis=1)"))
        output = terminal.until("definition")
        assert "the value is wrong. The smallest case:" in output
        path.write_text(stub.replace(hole, "    return ((a - b) ** 2).sum(axis=1"))
        terminal.until("SyntaxError")
        path.write_text(stub.replace(hole, "    return ((a - b) ** 2).sum(axis=1)"))
        output = terminal.until("Next: 02 squared-distance-gradient")
        assert "01 squared-distance: correct." in output
        assert terminal.process.wait(timeout=60) == 0
    finally:
        terminal.close()
    terminal = Terminal(folder=tmp_path)
    try:
        terminal.until("wrote work/02_squared_distance_gradient.py")
        terminal.until("not started")
        terminal.process.send_signal(signal.SIGINT)
        terminal.until("minisiam learn hint 02")
        assert terminal.process.wait(timeout=60) == 1
    finally:
        terminal.close()
