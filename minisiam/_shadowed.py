"""Explain an import that fails because of a script with the name of a module, such as a random.py beside the user's."""

import sys

PACKAGES = ("numpy", "autograd", "hypothesis", "jaxtyping", "matplotlib", "PIL", "threadpoolctl")


class explained:
    """A context in which a failed import names the scripts that Python imports in place of a module."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise an ImportError with the names, if there are any."""
        if isinstance(error, Exception) and (scripts := _scripts()):
            raise ImportError(
                "files beside your script, or in this folder, have names of modules that minisiam needs, so Python "
                f"imports them instead: {', '.join(scripts)}. Rename them"
            ) from error


def _scripts() -> list[str]:
    """The Python files and packages in the folder of the script with the name of a standard module, or of PACKAGES."""
    import os  # and not pathlib: a pathlib.py may be here

    folder = sys.path[0] or os.curdir
    names = {*sys.stdlib_module_names, *PACKAGES}
    files = {entry for name in names for entry in (f"{name}.py", os.path.join(name, "__init__.py"))}  # noqa: PTH118
    here = os.listdir(folder) if os.path.isdir(folder) else []  # noqa: PTH112, PTH208
    packages = [os.path.join(entry, "__init__.py") for entry in names.intersection(here)]  # noqa: PTH118
    found = [*here, *(file for file in packages if os.path.isfile(os.path.join(folder, file)))]  # noqa: PTH113, PTH118
    return sorted(files.intersection(found))


if _scripts():
    with explained():
        import numpy.random  # noqa: F401  it needs the modules whose names scripts have most often
