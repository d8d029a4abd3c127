// One exercise: the editor, Check and Stop, hints, the solution, and files.
"use strict";

{
  const LIMIT = 30; // seconds of computing; the terminal allows 10, and Python is slower in a page
  const page = document.querySelector(".exercise");
  const find = (name) => page.querySelector(name);
  const { exercise: name, title, file } = page.dataset;
  const steps = Number(page.dataset.steps); // of a page of several functions, of which each step has a hint
  const place = find(".exercise-editor");
  const stub = place.querySelector("pre").textContent;
  place.replaceChildren();
  const editor = makeEditor(place, {
    text: answers.draft(name) ?? stub,
    label: `Your answer, ${file}`,
    onChange: (text) => (answers.keep(name, text === stub ? null : text), showState()),
    onSubmit: check,
  });
  const python = new Python("check", ({ say }) => busy && status(say ?? "Checking …"));
  let busy = false;
  let checked = {}; // the text of the last verdict, and the step at which it is: 0 if every step is right

  const status = (text) => (find(".progress").textContent = text);
  const showState = () => answers.showState(find(".state"), name);

  async function check() {
    if (busy) return;
    setBusy(true);
    find(".verdict").replaceChildren();
    status(python.running ? "Checking …" : "Starting Python …");
    const begin = performance.now();
    let printed = "";
    const { text } = editor;
    const late = `it did not finish and was stopped after ${LIMIT} seconds: is there an infinite loop?`;
    try {
      const heard = { output: (text) => (printed += text), limit: LIMIT, late };
      show(await python.ask("check", [name, text], heard), text);
      status(`Checked in ${((performance.now() - begin) / 1000).toFixed(1)} s.`);
    } catch (stopped) {
      if (stopped.byCall) show({ status: "failed", what: stopped.message, printed }, text);
      status(stopped.byCall ? "Python starts again." : stopped.message);
      if (python.ready) python.start(); // so that the next check need not wait
    }
    setBusy(false);
  }

  function setBusy(value) {
    busy = value;
    find(".check").disabled = value;
    find(".stop").disabled = !value;
  }

  /** Show a verdict: its sentence, the smallest case, the results side by side, the clue, and what was printed. */
  function show({ status: result, message, what, intro, case: inputs = {}, columns = {}, clue, printed = "", changed }, text) {
    const sentence = what || message.slice(`${title}: `.length);
    find(".verdict").replaceChildren(
      element("p", { className: "sentence" }, element("strong", {}, title), `: ${sentence}${/[.?]$/.test(sentence) ? "" : "."}`),
      ...table(Object.entries(inputs), intro, "inputs"),
      ...(Object.keys(columns).length ? [sideBySide(columns)] : []),
      ...(clue ? [element("p", { className: "clue" }, element("strong", {}, "clue"), ` ${clue}`)] : []),
      ...output(printed),
    );
    find(".verdict").dataset.state = { passed: "correct", failed: "not yet", open: "open" }[result];
    if (result === "passed") answers.update(name, { passed: true });
    checked = { text, step: result === "passed" ? 0 : Number(/step (\d+) of/.exec(what)?.[1] ?? 1) };
    showState();
    showHints();
    if (changed) python.stop(), python.start(); // the next check must not meet what this answer has changed
  }

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function table(rows, caption, className) {
    if (!rows.length) return [];
    const lines = rows.map(([key, value]) => element("tr", {}, element("th", { scope: "row" }, key), element("td", {}, value)));
    return [element("table", { className }, element("caption", {}, `${caption}:`), element("tbody", {}, ...lines))];
  }

  /** The columns of results. On a narrow screen the style sheet puts them below each other, each after its name. */
  function sideBySide(columns) {
    const heads = Object.keys(columns).map((key) => element("th", { scope: "col" }, key));
    const cells = Object.entries(columns).map(([key, value]) => {
      const cell = element("td", {}, value);
      cell.dataset.label = key;
      return cell;
    });
    const head = element("thead", {}, element("tr", {}, ...heads));
    return element("table", { className: "columns" }, head, element("tbody", {}, element("tr", {}, ...cells)));
  }

  /** At most ten lines of the output, as in the terminal. */
  function output(printed) {
    if (!printed.trim()) return [];
    const lines = printed.trimEnd().split("\n").map((line) => line.slice(0, 200));
    const shown = [...lines.slice(0, 10), ...(lines.length > 10 ? ["..."] : [])].join("\n");
    return [element("p", {}, "Your function printed:"), element("pre", { tabIndex: 0 }, shown)];
  }

  function stop() {
    python.stop("Stopped.");
  }

  /** One more hint; of a page of several functions that for the first step that is not right, as in the terminal. */
  async function hint() {
    const { hints } = answers.state(name);
    if (steps && checked.text !== editor.text) await check();
    if (steps && checked.text !== editor.text) return; // it was stopped
    if (checked.step === 0 && steps) return status("Every step is right: it needs no hint.");
    answers.update(name, { hints: steps ? Math.max(hints, checked.step) : Math.min(hints + 1, allHints.length) });
    showHints();
  }

  const allHints = [...page.querySelectorAll(".hints li")];

  function showHints() {
    const { hints } = answers.state(name);
    const shown = (number) => number <= hints && (!steps || number === checked.step);
    allHints.forEach((item, i) => ((item.value = i + 1), (item.hidden = !shown(i + 1))));
    find(".hints").hidden = allHints.every((item) => item.hidden);
    if (steps) return;
    find(".hint").disabled = hints >= allHints.length;
    const next = ["Hint", "Second hint", "Third hint"][hints] ?? "Next hint";
    find(".hint").textContent = hints >= allHints.length ? "No more hints" : next;
  }

  function solve() {
    const { passed } = answers.state(name);
    if (find(".solution").hidden && !passed) {
      if (!confirm(`${title} is still open. Show the solution?`)) return;
      answers.update(name, { solution: true });
    }
    const bytes = Uint8Array.from(atob(find(".solution-base64").textContent), (letter) => letter.charCodeAt(0));
    if (!find(".solution pre")) find(".solution").insertAdjacentHTML("beforeend", new TextDecoder().decode(bytes));
    find(".solution").hidden = false;
    find(".solution").focus();
  }

  function reset() {
    if (!confirm("Replace your answer by the original file? Ctrl+Z in the editor brings it back.")) return;
    editor.text = stub;
    answers.update(name, { passed: false, hints: 0, solution: false });
    find(".verdict").replaceChildren();
    checked = {};
    find(".solution").hidden = true;
    showHints();
    showState();
  }

  /** Open a file as the answer to this exercise; several files, or a zip file, as the answers that their names say. */
  async function open() {
    try {
      const files = await answers.choose();
      const [first, ...others] = Object.keys(files);
      if (!others.length && (answers.exerciseOf(first)?.name ?? name) === name) editor.text = files[first];
      else {
        status(answers.open(files));
        editor.text = answers.draft(name) ?? stub;
        showHints();
      }
    } catch (error) {
      status(`The file cannot be read: ${error.message}`);
    }
  }

  const actions = { check, stop, hint, solve, reset, open, download: () => answers.download(file, editor.text) };
  for (const [button, action] of Object.entries(actions)) find(`.${button}`).onclick = () => action();
  for (const part of page.querySelectorAll(".exercise-buttons, .exercise-keys")) part.hidden = false;
  if (python.needsServer) {
    find(".check").disabled = true;
    status(python.serverText);
  }
  showHints();
  showState();
}
