"""All writers of pages: each function writes its pages into the folder of sources.

The package itself imports nothing, so that the tests of one writer do not need the packages of another.
"""

from . import api, exercises, lessons, licences, losses, play, start

WRITERS = (
    start.write,
    lessons.write,
    exercises.write,
    play.write,
    api.write,
    losses.write,  # it links to lessons, exercises and the API
    licences.write,
)
