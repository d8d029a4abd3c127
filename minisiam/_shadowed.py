"""Explain an import that fails because of a script with the name of a module, such as a random.py beside the user's."""

import sys


class explained:
    """A context in which a failed import names the scripts that Python imports in place of a module."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise an ImportError with the names, if there are any."""
        if isinstance(error, Exception) and (scripts := _scripts()):
            raise ImportError(
                f"{' and '.join(scripts)} beside your script, or in this folder, has the name of a module that "
                "minisiam needs, and Python imports it instead: rename it"
            ) from error


def _scripts() -> list[str]:
    """The Python files in the folder of the script that have the name of a standard module, or of NumPy."""
    import os

    names = {f"{name}.py" for name in (*sys.stdlib_module_names, "numpy")}
    folder = sys.path[0] or os.curdir
    here = os.listdir(folder) if os.path.isdir(folder) else []  # noqa: PTH112, PTH208  a pathlib.py may be here
    return sorted(names.intersection(here))


if _scripts():
    with explained():
        import numpy.random  # noqa: F401  it needs the modules whose names scripts have most often
