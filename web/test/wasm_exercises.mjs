// The graders in WebAssembly:   node web/test/wasm_exercises.mjs [SITE]
//
// Every stub fails, every library function passes, and every known mistake is detected, as `minisiam learn selfcheck` does.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const folder = resolve(process.argv[2] ?? "build/site", "pyodide");
const { loadPyodide } = await import(pathToFileURL(resolve(folder, "pyodide.mjs")));
const packages = ["minisiam", "hypothesis", "autograd", "jaxtyping", "compiled"];
const python = await loadPyodide({ indexURL: folder, packages });
const passed = python.runPython(`
from collections import Counter

from minisiam.course import EXERCISES
from minisiam.course.selfcheck import rows

counts = Counter()
for exercise in EXERCISES:
    found = list(rows(exercise))
    for row in found:
        kind = row.answer if row.answer in ("stub", "library") else "mistake"
        counts[kind, row.as_expected] += 1
        if not row.as_expected:
            print(f"UNEXPECTED {exercise}, {row.answer}: {row.status}, {row.message} {row.clue}")
    print(f"{exercise}: {len(found)} answers, {sum(row.seconds for row in found):.1f} s", flush=True)
print(f"{counts['stub', True]} stubs fail, {counts['library', True]} library functions pass, "
      f"{counts['mistake', True]} known mistakes are detected, in WebAssembly")
counts["stub", True] == counts["library", True] == len(EXERCISES) and not any(count for (_, expected), count in counts.items() if not expected)
`);
if (!passed) process.exit(1);
