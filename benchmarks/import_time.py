"""The time of `import minisiam` beside that of `import numpy`: whole processes that take turns, least of `--runs`.

python benchmarks/import_time.py
python -m compileall -q minisiam    # first, where Python may not write bytecode (PYTHONDONTWRITEBYTECODE)
"""

import argparse
import subprocess
import sys
import time


def seconds(module: str) -> float:
    """The time of one process that imports a module."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the two times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15, help="processes of each kind (default: 15)")
    runs = parser.parse_args().runs
    pairs = [(seconds("numpy"), seconds("minisiam")) for _ in range(runs)]
    numpy, minisiam = (min(times) for times in zip(*pairs, strict=True))
    print(f"import numpy {1e3 * numpy:.0f} ms, import minisiam {1e3 * minisiam:.0f} ms: {minisiam / numpy:.2f} times")


if __name__ == "__main__":
    main()
