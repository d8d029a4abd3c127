"""The zones around an anchor: in each of them a loss treats another point differently.

triplet_zones(near, margin)     hard, semi-hard, easy: where a negative is, if the positive is at the distance `near`
pair_zones(margin)              inside the margin and beyond it: where a point of another class is
zone_of(d, zones)               the name of the zone at the distance d
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple


class Zone(NamedTuple):
    """A zone ends at the distance `outer`, which belongs to it, and begins where the one before it ends."""

    name: str
    outer: float


def triplet_zones(near: float, margin: float | None) -> tuple[Zone, ...]:
    """The zones of a negative; without a margin only the order of the two distances matters.

    >>> [zone.name for zone in triplet_zones(1.0, 0.5)]
    ['hard', 'semi-hard', 'easy']
    """
    if not margin:
        return Zone("wrong order", near), Zone("right order", inf)
    return Zone("hard", near), Zone("semi-hard", near + margin), Zone("easy", inf)


def pair_zones(margin: float) -> tuple[Zone, ...]:
    """The zones of a point of another class."""
    return Zone("inside the margin", margin), Zone("beyond the margin", inf)


def zone_of(d: float, zones: tuple[Zone, ...]) -> str:
    """The name of the zone at a distance.

    >>> zone_of(1.2, triplet_zones(1.0, 0.5))
    'semi-hard'
    """
    return next(zone.name for zone in zones if d <= zone.outer)
