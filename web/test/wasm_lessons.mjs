// Run every cell of the lessons and of the museum in WebAssembly, as their pages do:
//     node web/test/wasm_lessons.mjs [build/site [NAME …]]
// Prints the seconds of each cell that takes one or more, and of each lesson. Fails if a cell raises. With RECORD=1 it
// writes the seconds of the slow cells to web/cell_seconds.json, which the pages show; lessons that did not run keep theirs.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const site = resolve(process.argv[2] ?? join(root, "build/site"));
const wanted = process.argv.slice(3);
const { loadPyodide } = await import(join(site, "pyodide/pyodide.mjs"));

const packages = ["minisiam", "matplotlib", "hypothesis", "autograd", "jaxtyping"];
const python = await loadPyodide({ env: { HOME: "/home/pyodide", MPLBACKEND: "Agg" }, packages });
python.FS.mkdirTree("/page");
python.FS.mount(python.FS.filesystems.NODEFS, { root: join(root, "web/python") }, "/page");
python.runPython("import importlib, sys; sys.path.append('/page')");
const page = python.pyimport("page");
let figures = 0;
page.start("cells", (kind) => (figures += kind === "figure"));

python.runPython("import minisiam.plots, minisiam.gradcheck"); // slow, and no property of a cell: each page does it once

/** Seconds of computing: those of the clock depend on what else the machine does. */
const computed = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6;

const scripts = ["lessons", "lessons/museum"].flatMap((folder) =>
  readdirSync(join(root, folder)).filter((name) => /^\d.*\.py$/.test(name)).map((name) => join(folder, name.slice(0, -3))));

/** The code cells of a percent script. */
function cells(name) {
  const all = readFileSync(join(root, `${name}.py`), "utf8").split(/^(?=# %%)/m);
  return all.filter((cell) => !cell.startsWith("# %% [markdown]")).map((cell) => cell.replace(/^.*\n/, ""));
}

const SLOW = 5; // seconds from which on a page says how long a cell takes
const recorded = join(root, "web/cell_seconds.json");
const record = JSON.parse(readFileSync(recorded, "utf8"));
let failed = 0, total = 0;
for (const script of scripts.filter((script) => !wanted.length || wanted.some((name) => script.includes(name)))) {
  const { run } = python.runPython("importlib.reload(sys.modules['page.cells'])"); // a new namespace
  let seconds = 0;
  figures = 0;
  delete record[script];
  cells(script).forEach((cell, index) => {
    const begin = computed();
    const error = run(index + 1, cell);
    const needed = computed() - begin;
    seconds += needed;
    if (needed >= 1) console.log(`    cell ${index + 1}: ${needed.toFixed(1)} s`);
    if (needed >= SLOW) (record[script] ??= {})[index + 1] = Math.round(needed);
    if (error) {
      failed += 1;
      console.log(error.get("text").replace(/^/gm, "    "));
    }
  });
  total += seconds;
  console.log(`${seconds.toFixed(1).padStart(6)} s  ${script}, ${figures} figures`);
}
console.log(`${total.toFixed(1).padStart(6)} s  together; ${failed} cells raised an error`);
const sorted = Object.fromEntries(Object.entries(record).sort());
if (process.env.RECORD) writeFileSync(recorded, `${JSON.stringify(sorted, null, 1)}\n`);
process.exit(failed ? 1 : 0);
