// The code cells of a page: run and edit them. All cells of a page share one Python, which starts with the first run.
// A cell of the class role-play needs only the packages of that role, and one without a role those of lessons.
// The script's `data-seconds` has, by the numbers of cells, how long the slow ones take.
"use strict";

(() => {
  const root = document.documentElement.dataset.content_root ?? "./";
  const expected = JSON.parse(document.currentScript.dataset.seconds ?? "{}");
  const blocks = [...document.querySelectorAll(".cell:has(> .cell_input)")];
  if (!blocks.length) return;

  /** An element with properties and children. */
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    const { data = {}, ...others } = properties;
    for (const [name, value] of Object.entries(others)) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    Object.assign(element.dataset, data);
    element.append(...children);
    return element;
  }
  const button = (text, label, onclick) => make("button", { type: "button", title: label, ariaLabel: label, onclick }, text);
  const time = (seconds) => (seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`);

  /** Load the editor, when the first cell is edited. */
  let editorScript;
  function loadEditor() {
    editorScript ??= new Promise((resolve, reject) => {
      const src = `${root}_static/vendor/codemirror.js`;
      document.head.append(make("script", { src, onload: resolve, onerror: () => reject(new Error(`${src} is missing`)) }));
    });
    return editorScript;
  }

  // The texts that the reader has changed, by the original: a draft ends with the text that it was made from.
  const KEY = `minisiam cells ${location.pathname}`;
  const drafts = new Map();
  try {
    for (const [original, text] of JSON.parse(localStorage.getItem(KEY) ?? "[]")) drafts.set(original, text);
  } catch {} // some browsers refuse storage: drafts then end with the page
  function keep(original, text) {
    if (text === original) drafts.delete(original);
    else drafts.set(original, text);
    try {
      if (drafts.size) localStorage.setItem(KEY, JSON.stringify([...drafts]));
      else localStorage.removeItem(KEY);
    } catch {}
  }

  class Cell {
    constructor(block, number) {
      this.block = block;
      this.number = number;
      this.input = block.querySelector(".cell_input");
      this.code = this.input.querySelector("pre");
      this.output = block.querySelector(".cell_output") ?? block.appendChild(make("div", { className: "cell_output" }));
      this.original = this.code.textContent.trimEnd();
      this.text = drafts.get(this.original) ?? this.original;
      this.highlighted = [...this.code.childNodes];
      this.rendered = [...this.output.childNodes];
      this.convnet = block.classList.contains("tag_convnet");
      this.seconds = expected[number]; // undefined for a fast cell
      this.ran = false; // to its end, in the present Python
      for (const image of this.output.querySelectorAll("img")) image.alt = this.caption;
      this.addTools();
      if (this.edited) this.code.textContent = this.text;
      this.addKeys();
    }

    get edited() {
      return this.text !== this.original;
    }

    get caption() {
      return `Figure of cell ${this.number}`;
    }

    addTools() {
      const above = button("Run all above", `Run the cells above cell ${this.number}, then cell ${this.number}`, () => runTo(this));
      this.resetButton = button("Reset", `Restore the original code and output of cell ${this.number}`, () => this.reset());
      this.resetButton.hidden = !this.edited;
      this.note = make("span", { className: "cell-note" });
      const buttons = [button(this.convnet ? "Run anyway" : "Run", `Run cell ${this.number} (Shift+Enter)`, () => enqueue([this]))];
      if (this.number > 1) buttons.push(above);
      if (python.needsServer) buttons.length = 0;
      const name = make("span", { className: "cell-number" }, `[${this.number}]`);
      const tools = { className: "cell-tools", role: "group", ariaLabel: `Cell ${this.number}` };
      this.input.before(make("div", tools, name, ...buttons, this.resetButton, this.note));
      this.say(this.introduction());
    }

    introduction() {
      const about = this.seconds ? `about ${time(this.seconds)} in a browser` : "";
      if (!this.convnet) return about;
      return `Trains a convolutional network (${about}), so its output is kept and Run all passes over it.`;
    }

    addKeys() {
      const label = `Code of cell ${this.number}. Enter edits it, Shift+Enter runs it.`;
      for (const [name, value] of Object.entries({ tabindex: 0, role: "textbox", "aria-readonly": true, "aria-multiline": true, "aria-label": label }))
        this.code.setAttribute(name, value);
      this.code.addEventListener("click", () => getSelection().isCollapsed && this.edit()); // else the reader selects text
      this.input.addEventListener("keydown", (event) => this.press(event), { capture: true }); // before the editor's keys
    }

    press(event) {
      const { key, shiftKey, ctrlKey, metaKey, altKey, isComposing } = event;
      if (key !== "Enter" || altKey || isComposing) return;
      const run = shiftKey || ctrlKey || metaKey;
      if (!run && this.editor) return;
      event.preventDefault();
      event.stopPropagation();
      if (!run) return this.edit();
      enqueue([this]);
      if (shiftKey) cells[this.number]?.focus(); // the number of a cell is the index of the next
    }

    /** Put an editor in the place of the highlighted code. */
    async edit() {
      await loadEditor();
      if (!this.editor) {
        const onChange = (text) => this.change(text);
        this.editor = makeEditor(this.input, { text: this.text, label: `Code of cell ${this.number}`, onChange });
        this.input.classList.add("edited");
      }
      this.editor.focus();
    }

    change(text) {
      this.text = text;
      keep(this.original, text);
      this.resetButton.hidden = !this.edited;
    }

    reset() {
      this.change(this.original);
      if (this.editor) this.editor.text = this.original;
      this.code.replaceChildren(...this.highlighted);
      this.output.replaceChildren(...this.rendered);
      this.state = "";
      this.say(this.introduction());
      this.focus();
    }

    focus() {
      if (this.editor) this.editor.focus();
      else this.code.focus();
      this.block.scrollIntoView({ block: "nearest" });
    }

    /** Text, and perhaps buttons, beside the buttons of the cell. */
    say(...parts) {
      this.note.replaceChildren(...parts);
    }

    set state(name) {
      this.block.dataset.state = name; // "", waiting, running, done, error, stopped or kept
    }

    /** Run the cell; whether the cells that wait for it may run. */
    async run() {
      const begin = performance.now();
      this.state = "running";
      this.ran = false;
      this.fresh = true; // the output is still the one of before
      this.output.style.minHeight = `${this.output.offsetHeight}px`; // the page does not jump
      const clock = setInterval(() => this.tick((performance.now() - begin) / 1000), 500);
      try {
        const heard = { output: (text) => this.print(text), figure: (url) => this.draw(url) };
        const error = await python.ask("run", [this.number, this.text], heard);
        return error ? await this.fail(error) : this.succeed((performance.now() - begin) / 1000);
      } catch (stopped) {
        this.state = "stopped";
        this.say(stopped.message);
        if (!python.running) forget(stopped.message);
        return false;
      } finally {
        clearInterval(clock);
        this.output.style.minHeight = "";
      }
    }

    tick(seconds) {
      if (!started) return this.say("waits for Python …");
      this.say(`running, ${Math.round(seconds)} s${this.seconds ? ` of about ${time(this.seconds)}` : ""}`);
    }

    succeed(seconds) {
      if (this.fresh) this.output.replaceChildren();
      this.ran = true;
      this.state = "done";
      this.say(`ran in ${time(seconds)}`);
      return true;
    }

    /** Show the error; if a cell above has yet to define a name, say so instead and keep the output. */
    async fail({ text, missing }) {
      const above = cells.slice(0, this.number - 1);
      const found = missing && (await python.ask("definer", [missing, above.map((cell) => cell.text)]));
      const source = found ? cells[found - 1] : null;
      if (!source || source.ran) {
        this.state = "error";
        this.say("raised an error");
        this.add(make("pre", { className: "cell-error" }, text));
        tell(`Cell ${this.number} raised an error.`);
        return false;
      }
      this.state = "kept";
      if (source.convnet) {
        const message = `Needs the network of cell ${found}, which has not run; this output is kept.`;
        const run = () => enqueue([source, ...cells.slice(found, this.number)]);
        this.say(message, button(`Run cell ${found} anyway`, `Run the cells from ${found} to ${this.number}`, run));
        return true;
      }
      this.say(`Run all above first: ${missing} is defined in cell ${found}, which has not run.`);
      tell(`Cell ${this.number} needs the cells above it.`);
      return false;
    }

    add(...nodes) {
      if (this.fresh) this.output.replaceChildren();
      this.fresh = false;
      this.output.append(...nodes);
    }

    print(text) {
      const last = this.fresh ? null : this.output.lastElementChild;
      if (last?.matches(".cell-text")) last.append(text);
      else this.add(make("pre", { className: "cell-text" }, text));
    }

    draw(url) {
      this.add(make("img", { src: url, alt: this.caption }));
    }
  }

  // The cells that are to run, in order. One runs at a time.
  const queue = [];
  let current = null;

  function enqueue(wanted) {
    const added = wanted.filter((cell) => !queue.includes(cell));
    for (const cell of added) {
      if (cell === current) continue;
      cell.state = "waiting";
      cell.say("waits");
    }
    queue.push(...added);
    if (!current) work();
  }

  async function work() {
    let smooth = true;
    while (smooth && (current = queue.shift())) {
      tell(started ? `Running cell ${current.number} …` : "Starting Python …");
      smooth = await current.run();
    }
    for (const cell of queue.splice(0)) {
      cell.state = "";
      cell.say(cell.introduction());
    }
    current = null;
    if (smooth) tell(summary());
  }

  const runTo = (cell) => enqueue([...cells.slice(0, cell.number - 1).filter(({ convnet }) => !convnet), cell]);
  const runAll = () => enqueue(cells.filter(({ convnet }) => !convnet));

  function summary() {
    const count = cells.filter(({ ran }) => ran).length;
    return `Python is ready. ${count === cells.length ? "All cells have" : `${count} of ${cells.length} cells ${count === 1 ? "has" : "have"}`} run.`;
  }

  // The bar of the page: what Python does.
  let started = false; // Python, to its end
  const status = make("span", { role: "status" });
  const all = button("Run all", "Run all cells of the page", runAll);
  const stop = button("Stop", "Stop Python; its variables are lost", () => {
    python.stop("stopped");
    if (!current) forget("Stopped");
  });
  const bar = make("section", { className: "cells-bar", ariaLabel: "Python" }, status, all, stop);

  function tell(text) {
    status.textContent = text;
    stop.disabled = !python.running && !current;
  }

  /** Python has ended, and with it what the cells have defined. */
  function forget(why) {
    started = false;
    for (const cell of cells) cell.ran = false;
    tell(`${why === "stopped" ? "Stopped" : why}. All variables are lost; the next cell that you run starts Python again.`);
  }

  /** The worker with all packages that the cells need. */
  function workerName() {
    const needs = (role) => blocks.some((block) => block.classList.contains(`role-${role}`));
    if (blocks.some((block) => !/(^| )role-/.test(block.className))) return "cells";
    return needs("cells") ? "cells" : needs("check") ? "cells-check" : "cells-play";
  }
  const python = new Python(workerName(), ({ say, ready, seconds }) => {
    started ||= Boolean(ready);
    if (!ready) tell(`Starting Python. ${say}`);
    else if (current) tell(`Python started in ${time(seconds)}. Running cell ${current.number} …`);
  });
  const cells = blocks.map((block, index) => new Cell(block, index + 1));
  if (python.needsServer) bar.replaceChildren(status);
  tell(python.needsServer ? python.serverText : "Python has not started. It starts when you run a cell.");
  blocks.at(-1).closest("article, main, body").append(bar);
})();
