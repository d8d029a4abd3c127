"""The kinks of the losses on proxies."""

from __future__ import annotations

from math import log

from .table import FAR, M1, Z1, numbers, on

ROWS = [
    on(
        "proxy_anchor",
        "all at a right angle without a margin: log 2 of its own, log 2 of the others over both proxies",
        [[1, 1]],
        1.5 * log(2),
        numbers([0.5, -0.25]),
        targets=[0],
        margin=0.0,
        scale=1.0,
    ),
    on(
        "proxy_anchor",
        "its own 10⁴ away: a straight line; a proxy without an image pulls nothing",
        [[FAR + 1, FAR + 1]],
        FAR,
        numbers([1, 0]),
        targets=[0],
        margin=0.0,
        scale=1.0,
    ),
    on(
        "proxy_anchor",
        "another at −10⁴: a straight line, over both proxies",
        [[1 - FAR, 1 - FAR]],
        FAR / 2,
        numbers([0, -0.5]),
        targets=[0],
        margin=0.0,
        scale=1.0,
    ),
    on("proxy_anchor", "all in order: 0 and flat", [[-FAR, FAR]], 0, Z1, targets=[0]),
    on("soft_triple_distance", "two centres tie: half each", [[1, 1]], M1, numbers([0.5, 0.5]), g=M1, centres=2),
    on(
        "soft_triple_distance",
        "the other centre 10⁴ away: the nearest alone",
        [[FAR, -FAR]],
        -FAR * M1,
        numbers([0, 1]),
        g=M1,
        centres=2,
    ),
    on(
        "soft_triple_distance",
        "one centre a class: the distance itself",
        [[3, -FAR]],
        numbers([3, -FAR]),
        numbers([1, 2]),
        g=numbers([1, 2]),
        centres=1,
    ),
]
