"""Exercises whose solution is the library: `minisiam learn`.

    exercises         the list of exercises, in order; `texts` has their tasks and hints, by lesson
    stubs             a library function without its body, and its source as the solution
    graders           the universal check of gradients; a comparison on small inputs for functions without a gradient;
                      `graders.table` says which exercise has which
    verdicts          the result of a grader
    judging           `judged(exercise, text)`, the verdict on a file, for the terminal and for a page of the site;
                      `learner_file` runs the file and finds its function
    one_page          the page `lessons/siam.py`, the solution of the last exercise, from which its file is cut;
                      `graders.capstone` grades a learner's page, step by step
    mistakes          common mistakes, by lesson: those that each grader must detect
    sandbox           checks a learner's file with `worker`, a process that grades and runs no learner's code;
                      `answer` is the process that does, `confinement` its limits, `remote` and `wire` their connection
    remembered        the inputs of a check and what is right there, computed once for a class; `in_advance` has the
                      process of an answer make all calls of a check in few messages, of which `values` are the contents
    hand_ins          the zip that a learner hands in, and the folders and zips of a class
    grading           the table of a class, and `class_page` its page; `class_commands` are the commands
    progress          the state of the exercises, in one file
    commands          `minisiam learn list | start | check | hint | solution | reset | hand-in | selfcheck |
                      grade`
    selfcheck         tests that every stub fails, every solution passes, and every known mistake is detected
    lesson            `show`, which shows or saves the figures of the lessons

One library function and its formula in `gradcheck.reference` give the stub, the specification, the solution and the
grader of an exercise, so these cannot contradict each other.
"""

from .exercises import EXERCISES, Exercise, find, select

__all__ = ["EXERCISES", "Exercise", "find", "select"]
