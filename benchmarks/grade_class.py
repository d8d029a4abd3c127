"""How long `minisiam learn grade` takes for a class of thirty.

python benchmarks/grade_class.py                 six in ten answers right, three wrong, one open
python benchmarks/grade_class.py --right 1       all answers right, which takes longest
python benchmarks/grade_class.py --students 5 --keep FOLDER

The wrong answers are drawn, with a seed, from the mistakes that the graders must detect. No two files are equal, and no
two repairs of `collapse` have the same learning rate. Computing time is that of all processes. On a machine that does
something else at the same time, it says more than the elapsed time.
"""

import argparse
import inspect
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from minisiam.course import EXERCISES, Exercise, stubs
from minisiam.course.mistakes.table import MISTAKES

CODE = """\
# the answer of {student}
from minisiam.course import find

exercise = find("{exercise.name}")
answer = {made}


{signature}
    return {result}
"""


def signature(exercise: Exercise) -> str:
    """The line `def name(…):` of the stub."""
    lines = stubs.stub(exercise).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("def "))
    last = next(number for number in range(first, len(lines)) if lines[number].endswith(":"))
    return "\n".join(lines[first : last + 1])


def answer(exercise: Exercise, student: str, mistake: str | None, rng: np.random.Generator) -> str:
    """A file with the library's function, or one made of it by a known mistake."""
    if exercise.steps:  # a whole page; the mistake is that a step is missing
        page = stubs.solution(exercise)
        return f"{page[: rng.integers(len(page) // 2)] if mistake else page}\n# the answer of {student}\n"
    made = "exercise.model_answer"
    if mistake:
        table = "__import__('minisiam.course.mistakes.table', fromlist=['']).MISTAKES"
        made = f"{table}[exercise.name][{mistake!r}](exercise.model_answer)"
    parameters = inspect.signature(exercise.model_answer).parameters.values()
    given = [p.name if p.kind is p.POSITIONAL_ONLY or not exercise.omit else f"{p.name}={p.name}" for p in parameters]
    result = f"answer({', '.join(given)})"
    if exercise.name == "collapse" and not mistake:
        result = f"answer() | dict(learning_rate={rng.uniform(0.002, 0.004)})"
    text = CODE.format(student=student, exercise=exercise, made=made, signature=signature(exercise), result=result)
    return f"from __future__ import annotations\n\n{text}"


def write_class(folder: Path, students: int, right: float, rng: np.random.Generator) -> None:
    """Write the files of a class; a quarter of the answers that are not right are open."""
    for number in range(students):
        student = folder / f"student-{number:02d}"
        student.mkdir(parents=True)
        for exercise in EXERCISES:
            drawn = rng.random()
            mistake = None if drawn < right else str(rng.choice(list(MISTAKES[exercise.name])))
            if drawn < 1 - (1 - right) / 4:
                (student / exercise.file).write_text(answer(exercise, student.name, mistake, rng), encoding="utf-8")


def main() -> None:
    """Write a class, grade it, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--right", type=float, default=0.6, help="the share of right answers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="write the class and its table here, and keep them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        write_class(folder / "class", arguments.students, arguments.right, np.random.default_rng(arguments.seed))
        command = [sys.executable, "-m", "minisiam", "learn", "grade", str(folder / "class")]
        command += ["--csv", str(folder / "marks.csv")]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{arguments.students} students: {seconds:.0f} s elapsed, {used.ru_utime + used.ru_stime:.0f} s of computing")


if __name__ == "__main__":
    main()
