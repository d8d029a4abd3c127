"""Skeletons of letters as strokes, so that a test can draw them with the mouse."""

from __future__ import annotations

import numpy as np

NEIGHBOURS = [(-1, 0), (0, 1), (1, 0), (0, -1), (-1, -1), (-1, 1), (1, 1), (1, -1)]


def strokes_of(bones):
    """Lists of (x, y) cells that cover a (64, 64) skeleton: from each end, or else anywhere, as far as it goes."""
    left = {(int(row), int(column)) for row, column in np.argwhere(bones)}
    strokes = []
    while left:
        start = min(left, key=lambda cell: (len(around(cell, left)), cell))
        strokes.append([(column, row) for row, column in walk(start, left, bones)])
    return strokes


def around(cell, cells):
    """The neighbours of a cell among some cells, those beside it before those across a corner."""
    return [near for step in NEIGHBOURS if (near := (cell[0] + step[0], cell[1] + step[1])) in cells]


def walk(start, left, bones):
    """The cells from a start, which are taken out of `left`; the first one joins what was drawn before, if it can."""
    drawn = {(int(row), int(column)) for row, column in np.argwhere(bones)} - left
    path = [*around(start, drawn)[:1], start]
    left.remove(start)
    while near := around(path[-1], left):
        straight = np.subtract(path[-1], path[-2]) if len(path) > 1 else (0, 0)
        path.append(max(near, key=lambda cell: np.dot(np.subtract(cell, path[-1]), straight)))
        left.remove(path[-1])
    return path + around(path[-1], drawn)[:1]


def jittered(strokes, rng, strength=1.0):
    """The strokes in an unsteady hand: turned, slanted, stretched, bent and trembling."""
    turn, slant, stretch = strength * rng.normal(size=3) * (0.08, 0.12, 0.08)
    matrix = np.array([[np.cos(turn), slant - np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * np.exp(
        [[stretch], [-stretch]]
    )
    wave, phase = rng.normal(size=(2, 2)), rng.uniform(0, 6.28, 2)
    moved = []
    for stroke in strokes:
        at = (np.array(stroke, float) - 31.5) / 32
        at = at @ matrix.T + strength * 0.05 * np.sin(2 * at @ wave + phase)
        moved.append(at + strength * 0.008 * rng.normal(size=at.shape))
    return moved


def scribbles(rng):
    """Drawings that are no letters: random walks, and lines back and forth."""
    walks = [np.cumsum(rng.normal(size=(200, 2)), axis=0) for _ in range(4)]
    zigzag = [[(k / 20, k % 2) for k in range(20)], [(k % 2, k / 20) for k in range(20)]]
    star = [(np.cos(k * 2.5) * (1 + 0.3 * rng.random()), np.sin(k * 2.5)) for k in range(40)]
    return [[np.array(line, float)] for line in (*walks, *zigzag, star)]
