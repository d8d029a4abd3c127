"""Bundle the scripts that need packages of npm, with esbuild: each `*.entry.js` becomes one classic script."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

STATIC = Path(__file__).parent / "static"
SCRIPTS = {"editor.entry.js": "codemirror.js", "zip.entry.js": "zip.js"}


def bundle(node_modules: Path, out: Path) -> None:
    """Write the bundled scripts into the folder `out`."""
    for entry, name in SCRIPTS.items():
        command = ["node", str(node_modules / "esbuild-wasm" / "bin" / "esbuild"), str(STATIC / entry), "--bundle",
                   "--format=iife", "--minify", "--target=es2022", "--log-level=warning", "--legal-comments=none",
                   f"--outfile={out / name}"]  # fmt: skip
        subprocess.run(command, check=True, env=os.environ | {"NODE_PATH": str(node_modules)})
