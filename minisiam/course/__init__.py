"""Exercises whose solution is the library: `minisiam learn`.

    exercises         the list of exercises, in order; `texts` has their tasks and hints
    stubs             a library function without its body, and its source as the solution
    graders           the universal check of gradients; a comparison on small inputs for functions without a gradient
    verdicts          the result of a grader
    mistakes          common mistakes; `known_mistakes` lists those that each grader must detect
    sandbox           checks a learner's file with `worker`, a process that grades and runs no learner's code;
                      `answer` is the process that does, `confinement` its limits, `remote` and `wire` their connection
    grading           the table of a class
    progress          the state of the exercises, in one file
    commands          `minisiam learn list | start | check | hint | solution | reset | selfcheck | grade`
    selfcheck         tests that every stub fails, every solution passes, and every known mistake is detected
    lesson            `show`, which shows or saves the figures of the lessons

One library function and its formula in `gradcheck.reference` give the stub, the specification, the solution and the
grader of an exercise, so these cannot contradict each other.
"""

from .exercises import EXERCISES, Exercise, find, select

__all__ = ["EXERCISES", "Exercise", "find", "select"]
