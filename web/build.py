"""Build the site into build/site/:   python web/build.py

1. Stage the sources in build/source/: the pages of docs/ and web/source/, the lessons, and generated pages.
2. Collect in build/static/ what pages load: the vendored scripts, the Python of the page, and the encoder that it uses.
3. Let Sphinx execute the lessons and write the pages; warnings are errors.
4. Make the slides of the lessons from their pages.
5. Lay out Pyodide, the wheels and the wheel of this package beside them.

A second run does only what has changed. `web/vendor.py` must have run before.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
BUILD = ROOT / "build"
SOURCE, STATIC, SITE, VENDOR = (BUILD / name for name in ("source", "static", "site", "vendor"))
sys.path[:0] = [str(HERE), str(ROOT)]

import bundle  # noqa: E402
import encoder  # noqa: E402
import slides  # noqa: E402
import vendor  # noqa: E402
from pages import staging  # noqa: E402
from pages.writers import WRITERS  # noqa: E402

ROOT_PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "RESULTS.md")


def stage() -> None:
    """Write the sources of all pages; what is unchanged keeps its time, so that Sphinx reads only what has changed."""
    with tempfile.TemporaryDirectory() as name:
        new = Path(name)
        staging.copy(HERE / "source", new)
        staging.copy(ROOT / "docs", new / "docs")
        for page in ROOT_PAGES:
            staging.copy(ROOT / page, new / page)
        for write in WRITERS:
            write(new)
        staging.synchronize(new, SOURCE)


def collect_static() -> None:
    """Copy what the pages load: scripts and fonts from npm, and the Python of the page."""
    node_modules, out = VENDOR / "node_modules", STATIC / "vendor"
    shutil.rmtree(STATIC, ignore_errors=True)
    katex = out / "katex"
    shutil.copytree(node_modules / "katex" / "dist" / "fonts", katex / "fonts", ignore=lambda _, names: [
        name for name in names if not name.endswith(".woff2")])  # fmt: skip
    style = (node_modules / "katex" / "dist" / "katex.min.css").read_text(encoding="utf-8")
    only_woff2 = re.sub(r",url\(fonts/[^)]*\.(?:woff|ttf)\) format\(\"\w+\"\)", "", style)
    (katex / "katex.min.css").write_text(only_woff2, encoding="utf-8")
    bundle.bundle(node_modules, out)
    (out / "reveal").mkdir()
    for file in ("dist/reveal.js", "dist/reveal.css", "plugin/notes/notes.js"):
        shutil.copyfile(node_modules / "reveal.js" / file, out / "reveal" / Path(file).name)
    shutil.copytree(HERE / "python", STATIC / "python", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(encoder.SITE, STATIC / "encoder")


def sphinx() -> None:
    """Execute the lessons and write the pages."""
    command = ["-m", "sphinx", "-b", "html", "-j", "2", "-W", "--keep-going", "-q", "-c", str(HERE),
               "-d", str(BUILD / "doctrees"), str(SOURCE), str(SITE)]  # fmt: skip
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, start_new_session=True)
    try:
        if process.wait():
            raise SystemExit("Sphinx has warnings or errors; they are above")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)  # the servers that render the maths do not end by themselves


def lay_out_python() -> None:
    """Copy Pyodide and its wheels into the site, with the wheel of this package."""
    out = SITE / "pyodide"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(VENDOR / "pyodide", out, ignore=shutil.ignore_patterns("npm-*"))
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out)]
    subprocess.run([*wheel, str(ROOT)], check=True)
    lock = json.loads((out / vendor.LOCK).read_text(encoding="utf-8"))
    lock["packages"]["minisiam"] = vendor.described(next(out.glob("minisiam-*.whl")), ["numpy"])
    vendor.write_lock(out, lock)
    subprocess.run(["node", str(HERE / "compile.mjs"), str(SITE)], check=True)
    lock["packages"]["compiled"] = vendor.described(next(out.glob("compiled-*.whl")), [])
    vendor.write_lock(out, lock)


def write_slides() -> None:
    """Make the slides of the lessons from their pages."""
    slides.write(SITE)


def main() -> None:
    """Build the site, and say how long each step took."""
    for step in (stage, collect_static, sphinx, write_slides, lay_out_python):
        start = time.perf_counter()
        step()
        print(f"{step.__name__:16} {time.perf_counter() - start:6.1f} s", flush=True)
    print(f"{SITE / 'index.html'}\nTo run Python in its pages: python web/serve.py", flush=True)


if __name__ == "__main__":
    main()
