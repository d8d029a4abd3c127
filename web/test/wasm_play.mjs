// Every loss with every distance and miner of the Play page, in WebAssembly:   node web/test/wasm_play.mjs [SITE]
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const site = resolve(process.argv[2] ?? new URL("../../build/site", import.meta.url).pathname);
const { loadPyodide } = await import(pathToFileURL(`${site}/pyodide/pyodide.mjs`));
const python = await loadPyodide({ indexURL: `${site}/pyodide/`, packages: ["minisiam"] });
python.FS.mkdirTree("/home/pyodide/page");
for (const name of ["__init__.py", "play.py"]) {
  python.FS.writeFile(`/home/pyodide/page/${name}`, readFileSync(new URL(`../python/page/${name}`, import.meta.url)));
}
console.log(python.runPython(`
import time
import numpy as np
from page import play

rng = np.random.default_rng(0)
points, labels = rng.normal(size=(30, 2)).tolist(), np.repeat(np.arange(5), 6).tolist()
known, lines, refused = play.choices(), [], 0
for name, loss in known["losses"].items():
    constants = {key: slider[0] for key, slider in loss["constants"].items()}
    for distance in known["distances"]:
        for miner in known["miners"].get(loss["kind"], [None]):
            scene = {"points": points, "labels": labels, "distance": distance, "loss": name, "miner": miner, "constants": constants}
            play.forces(scene)
            start = time.perf_counter()
            found = play.forces(scene)
            lines.append((1000 * (time.perf_counter() - start), name, distance, miner))
            refused += "error" in found
slowest = "\\n".join(f"{milliseconds:6.1f} ms  {name} {distance} {miner}" for milliseconds, name, distance, miner in sorted(lines)[-5:])
assert refused < len(lines) / 3
f"{len(lines)} scenes of thirty points, {refused} refused with a message; median {np.median([line[0] for line in lines]):.1f} ms; the slowest:\\n{slowest}"
`));
