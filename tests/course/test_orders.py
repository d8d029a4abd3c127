"""The tests of the course do not depend on each other: they pass in any order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def run(*words, cwd):
    """pytest with the plugin for orders, without the options of this project."""
    command = [sys.executable, "-m", "pytest", "-p", "orders", "-p", "no:cacheprovider", "-v", "--tb=short", *words]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["reversed", "1"])
def test_the_tests_of_the_course_pass_in_another_order(order):
    done = run("--order", order, "-m", "not slow", str(TESTS / "course"), cwd=TESTS.parent)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


@pytest.mark.slow
def test_the_plugin_changes_the_order(tmp_path):
    (tmp_path / "test_two.py").write_text("def test_a(): pass\n\n\ndef test_b(): pass\n\n\ndef test_c(): pass\n")
    orders = [re.findall(r"::test_(\w)", run("--order", order, cwd=tmp_path).stdout) for order in ("usual", "reversed")]
    assert orders == [["a", "b", "c"], ["c", "b", "a"]]
