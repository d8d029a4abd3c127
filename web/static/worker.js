// Python for one page, in its own worker. `python.js` starts it as
//     new Worker("worker.js", {type: "module", name: "check" | "cells" | "play" | "train" | "draw"})
// or with the name cells-play: the module of cells, with the packages of play;
// and ends it with terminate(), which no infinite loop survives and which needs no special headers.
//
// To the page:    {say, seconds}     what the start is doing       {ready, seconds}
//                 {id, begun}        a call starts                 {id, answer} or {id, error}   and ends
//                 {id, output}, {id, figure}     what it prints and draws
//                 {broken, byCall}   Python has ended and needs a new worker
// From the page:  {id, call, args}   a function of the module page.ROLE, and its arguments as JSON
import { loadPyodide } from "../pyodide/pyodide.mjs";

const [ROLE, KIND = ROLE] = self.name.split("-");
const GRADER = ["minisiam", "hypothesis", "autograd", "jaxtyping", "compiled"]; // `compiled` is written by compile.mjs
const PACKAGES = { check: GRADER, cells: [...GRADER, "matplotlib"] }[KIND] ?? ["minisiam"];
const FOLDER = "/lib/python3.14/site-packages/page";

const begin = performance.now();
const seconds = () => (performance.now() - begin) / 1000;
const say = (text) => postMessage({ say: text, seconds: seconds() });
let asked; // the id of the present call

// what has arrived, in megabytes
let bytes = 0;
const arrivals = new PerformanceObserver((list) => {
  for (const { encodedBodySize } of list.getEntries()) bytes += encodedBodySize;
  say(`Fetching Python and NumPy … ${(bytes / 1e6).toFixed(1)} MB`);
});

async function source(name) {
  const answer = await fetch(new URL(`python/page/${name}`, import.meta.url));
  if (!answer.ok) throw new Error(`Missing on the server: ${answer.url}`);
  return answer.text();
}

async function start() {
  say("Fetching Python and NumPy …");
  arrivals.observe({ type: "resource", buffered: true });
  const names = ["__init__.py", `${ROLE}.py`];
  const env = { HOME: "/home/pyodide", MPLBACKEND: "Agg" };
  const [python, ...texts] = await Promise.all([loadPyodide({ env, packages: PACKAGES }), ...names.map(source)]);
  const missing = PACKAGES.filter((name) => !(name in python.loadedPackages)); // Pyodide only logs it
  if (missing.length) throw new Error(`Missing or damaged on the server: ${missing.join(", ")}.`);
  python.setStdin({ stdin: () => null }); // input() raises EOFError, as in the terminal's grader
  python.FS.mkdirTree(FOLDER);
  names.forEach((name, i) => python.FS.writeFile(`${FOLDER}/${name}`, texts[i]));
  arrivals.disconnect();
  say("Importing the library …");
  const page = python.pyimport("page");
  page.start(ROLE, (kind, text) => postMessage({ id: asked, [kind]: text }));
  postMessage({ ready: true, seconds: seconds() });
  return { page, PythonError: python.ffi.PythonError };
}

const lastLine = (error) => String(error.message ?? error).trim().split("\n").at(-1);
const ending = (error) =>
  /^Program terminated/.test(lastLine(error)) ? "it ended the program (os._exit): use return instead" : `it crashed Python (${lastLine(error)})`;

const starting = start();
starting.catch((error) => postMessage({ broken: `Python does not start. ${lastLine(error)}` }));

onmessage = async ({ data: { id, call, args } }) => {
  const { page, PythonError } = await starting;
  asked = id;
  postMessage({ id, begun: true });
  try {
    postMessage({ id, answer: JSON.parse(page.call(call, args)) });
  } catch (error) {
    if (error instanceof PythonError) postMessage({ id, error: lastLine(error) });
    else postMessage({ broken: ending(error), byCall: true });
  }
};
