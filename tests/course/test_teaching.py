"""The page for teachers names every exercise by its number, and each week's exercises are those of its lessons."""

import re
from pathlib import Path

from minisiam.course import EXERCISES

PAGE = (Path(__file__).parents[2] / "docs" / "teaching.md").read_text(encoding="utf-8")


def test_the_table_of_answers_has_every_exercise_in_order():
    table = PAGE.partition("| the answer, in a line |")[2].partition("\n\n")[0]
    named = re.findall(r"^\| (\d\d) ([a-z0-9 -]+?) \|", table, flags=re.M)
    short = {"squared-distance-gradient": "its gradient"}
    assert named == [(f"{e.number:02d}", short.get(e.name, e.name)) for e in EXERCISES]


def test_the_exercises_of_a_week_are_those_of_its_lessons():
    weeks = re.findall(r"^\| \d [a-z]+ \| ([^|]*) \| (\d\d[^|]*?) \|", PAGE, flags=re.M)
    due = []
    for lessons, exercises in weeks:
        ranges = re.findall(r"(\d\d) to (\d\d)", exercises)
        numbers = {int(n) for n in re.findall(r"\d\d", exercises.partition("with")[0])}
        numbers = numbers.union(*(range(int(first), int(last) + 1) for first, last in ranges))
        assert {EXERCISES[n - 1].lesson for n in numbers} <= set(re.findall(r"\b\d\d\b", lessons))
        due += sorted(numbers)
    assert due == [exercise.number for exercise in EXERCISES]


def test_the_page_counts_the_exercises():
    counts = [
        *re.findall(r"all (\d+) exercises", PAGE),
        *re.findall(r"^    (?:ada|bea),passed.*?,\d,(\d+),", PAGE, flags=re.M),
    ]
    assert counts == [str(len(EXERCISES))] * 3
