// Compile the packages of the graders, so that a page need not:   node web/compile.mjs SITE
//
// Wheels contain source text, and Python in a page would compile it at each start. This writes SITE/pyodide/NAME, a wheel
// with the compiled modules that a check imports. They have hashes that are not checked, so no time is lost with that.
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const NAME = "compiled-1-py3-none-any.whl";
const PACKAGES = ["minisiam", "hypothesis", "autograd", "jaxtyping"];
const folder = resolve(process.argv[2], "pyodide");
const { loadPyodide } = await import(pathToFileURL(resolve(folder, "pyodide.mjs")));
const python = await loadPyodide({ indexURL: folder, packages: PACKAGES, stdout: () => {} });
const wheel = python.runPython(`
import io, sys, zipfile
from pathlib import Path
from py_compile import PycInvalidationMode, compile

import minisiam
from minisiam.course import EXERCISES
from minisiam.course.graders import grader_of
from minisiam.course.judging import judged

for exercise in EXERCISES:
    grader_of(exercise)
judged(EXERCISES[1], "def squared_l2(a, b, /): return 0, 0")
root = Path(minisiam.__file__).parents[1]
files = {Path(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
    for path in sorted(files):
        if path.suffix == ".py" and path.is_relative_to(root):
            compiled = Path(compile(path, doraise=True, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH))
            file.write(compiled, compiled.relative_to(root))
    file.writestr("compiled-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: compiled\\nVersion: 1\\n")
    file.writestr("compiled-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
buffer.getvalue()
`);
writeFileSync(resolve(folder, NAME), wheel.toJs());
