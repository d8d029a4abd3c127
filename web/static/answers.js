// The reader's answers and progress, kept in this browser, and as the files of the terminal's folder work/.
"use strict";

const answers = (() => {
  const PREFIX = "minisiam.";
  const PROGRESS = "progress.json"; // in the form that `minisiam learn` writes
  const memory = new Map(); // where a browser does not allow localStorage, answers live as long as the page
  const store = {
    get: (key) => memory.get(key) ?? attempt(() => localStorage.getItem(PREFIX + key)) ?? null,
    set(key, value) {
      memory.set(key, value);
      attempt(() => localStorage.setItem(PREFIX + key, value));
    },
    remove(key) {
      memory.delete(key);
      attempt(() => localStorage.removeItem(PREFIX + key));
    },
  };
  const course = JSON.parse(document.querySelector("script.course").textContent); // [{name, file}]

  function attempt(action) {
    try {
      return action();
    } catch (error) {
      if (error instanceof DOMException) return null; // storage is switched off or full
      throw error;
    }
  }

  const draft = (name) => store.get(`draft.${name}`);
  const keep = (name, text) => (text === null ? store.remove(`draft.${name}`) : store.set(`draft.${name}`, text));
  const progress = () => JSON.parse(store.get("progress") ?? "{}");
  const state = (name) => ({ passed: false, hints: 0, solution: false, ...progress()[name] });
  const update = (name, changes) => store.set("progress", JSON.stringify({ ...progress(), [name]: { ...state(name), ...changes } }));

  /** "correct", "not yet" or "open". */
  const word = (name) => (state(name).passed ? "correct" : draft(name) === null ? "open" : "not yet");

  /** Show the state of an exercise in an element. The style sheet adds a sign, so colour is not all that differs. */
  function showState(element, name) {
    element.textContent = element.dataset.state = word(name);
  }

  /** All answers and the progress, as the files of a folder work/. */
  function files() {
    const written = course.filter(({ name }) => draft(name) !== null);
    const all = written.map(({ name, file }) => [`work/${file}`, draft(name)]);
    return Object.fromEntries([...all, [`work/${PROGRESS}`, JSON.stringify({ exercises: progress() }, null, 2)]]);
  }

  const exerciseOf = (path) => course.find(({ file }) => file === path.split("/").at(-1).toLowerCase());

  /** Keep the answers and the progress of files, {path: text}, if the reader agrees; returns a sentence about it. */
  function open(files) {
    const opened = Object.entries(files).filter(([path]) => exerciseOf(path));
    const replaced = opened.filter(([path, text]) => ![null, text].includes(draft(exerciseOf(path).name)));
    const question = `Replace ${plural(replaced.length, "answer")} that you wrote in this browser?`;
    if (replaced.length && !confirm(question)) return "Nothing was opened.";
    for (const [path, text] of opened) keep(exerciseOf(path).name, text);
    for (const [path, text] of Object.entries(files)) if (path.split("/").at(-1) === PROGRESS) merge(JSON.parse(text).exercises);
    return `${plural(opened.length, "answer")} opened.`;
  }

  const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

  function merge(states) {
    for (const { name } of course) {
      const [ours, theirs] = [state(name), states[name]];
      if (!theirs) continue;
      const hints = Math.max(ours.hints, Number(theirs.hints));
      update(name, { passed: ours.passed || theirs.passed === true, hints, solution: ours.solution || theirs.solution === true });
    }
  }

  /** Let the reader choose files, perhaps zip files; resolves to {path: text}. */
  function choose() {
    const input = Object.assign(document.createElement("input"), { type: "file", multiple: true, accept: ".py,.zip,.json" });
    return new Promise((resolve, reject) => {
      input.onchange = () => Promise.all([...input.files].map(read)).then((all) => resolve(Object.assign({}, ...all)), reject);
      input.click();
    });
  }

  async function read(file) {
    if (file.name.endsWith(".zip")) return unzipFiles(new Uint8Array(await file.arrayBuffer()));
    return { [file.name]: await file.text() };
  }

  /** Save a text, or bytes, as a file of the reader's computer. */
  function download(name, content) {
    const url = URL.createObjectURL(new Blob([content]));
    Object.assign(document.createElement("a"), { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  return { course, draft, keep, state, update, word, showState, files, exerciseOf, open, choose, download };
})();
