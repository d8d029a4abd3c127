"""Exercises: the library is the solution.   `minisiam learn`

    exercises    what is asked, in its order, with hints
    stubs        a library function with its body cut out; its source, as the solution
    graders      what is right: the universal check, and its like for what has no gradient
    mistakes     what a learner may do wrong; `seeded`, which of them each grader must notice
    isolation    a learner's file in a process of its own (`child`)
    progress     what is done, in one file
    words        `minisiam learn list | start | check | hint | solution | reset | selfcheck | grade`

A stub, its specification, its solution and its grader are made from one function of the library and its line in
`reference`. Nothing is written twice, so nothing drifts apart.
"""

from .exercises import EXERCISES, Exercise, find, numbered

__all__ = ["EXERCISES", "Exercise", "find", "numbered"]
