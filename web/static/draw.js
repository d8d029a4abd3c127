// A letter is drawn on a canvas; the worker makes an image of the strokes, and the encoder searches a gallery for it.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const find = (id) => document.getElementById(id);
  const { alphabets, threshold } = JSON.parse(find("drawing").textContent);
  const message = (text, kind = "") => Object.assign(find("message"), { textContent: text, className: `message ${kind}` });
  const python = new Python("draw", ({ say, ready, seconds }) => message(ready ? `Python started in ${seconds.toFixed(1)} s.` : say));
  const files = new URL(`${document.documentElement.dataset.content_root ?? "./"}_static/encoder/`, location.href);
  const TITLES = { cyrillic: "Cyrillic", lao: "Lao", nuskhuri: "Nuskhuri (Georgian)", "syllabics-p": "Canadian syllabics", phonetic: "Phonetic", "latin-medieval": "Medieval Latin", relations: "Mathematical relations" };
  const SIZE = 28, THICK = 0.035;

  let strokes = [], drawn = null, shown = null; // `shown`: a drawing of the sheet instead of strokes
  const alphabet = () => find("alphabet").value;
  const colour = (name) => getComputedStyle(find("draw-page")).getPropertyValue(name).trim();

  // ---- pictures of letters, from a sheet with a column for each letter and a row for each drawer
  const sheets = {};
  function sheet(name) {
    return (sheets[name] ??= new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error(`${image.src} is missing.`));
      image.src = new URL(`${name}.png`, files);
    }));
  }

  /** Ink in the colour of text, from grey levels of white ink on black. */
  function paint(canvas, levels) {
    const pen = canvas.getContext("2d"), data = pen.createImageData(SIZE, SIZE);
    const [r, g, b] = rgb();
    levels.forEach((level, at) => data.data.set([r, g, b, level], 4 * at));
    pen.putImageData(data, 0, 0);
  }
  function rgb() {
    const pen = document.createElement("canvas").getContext("2d");
    pen.fillStyle = colour("--ink");
    pen.fillRect(0, 0, 1, 1);
    return pen.getImageData(0, 0, 1, 1).data;
  }
  function glyph({ image, column, row = 0 }) {
    const canvas = Object.assign(document.createElement("canvas"), { width: SIZE, height: SIZE }), pen = canvas.getContext("2d");
    canvas.setAttribute("aria-hidden", "true");
    pen.drawImage(image, column * SIZE, row * SIZE, SIZE, SIZE, 0, 0, SIZE, SIZE);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = colour("--ink");
    pen.fillRect(0, 0, SIZE, SIZE);
    return canvas;
  }
  const levels = (example) => [...glyph(example).getContext("2d").getImageData(0, 0, SIZE, SIZE).data].filter((_, at) => at % 4 === 3);
  /** "CYRILLIC CAPITAL LETTER ZHE" as "zhe", with what distinguishes it from the others. */
  const short = (name) => name.toLowerCase().replace(/^(cyrillic|lao|georgian|canadian syllabics|latin)\s+/, "").replace(/\b(capital|small)?\s*letter\s+/, "");

  async function showLetters() {
    const image = await sheet(alphabet());
    find("letters").replaceChildren(...alphabets[alphabet()].map(({ letter, name }, column) => {
      const item = document.createElement("li");
      item.title = `${letter} ${short(name)}`;
      item.append(glyph({ image, column }), Object.assign(document.createElement("span"), { className: "visually-hidden", textContent: short(name) }));
      return item;
    }));
  }

  // ---- the paper; its coordinates go from 0 to 1
  const paper = find("paper"), pen = paper.getContext("2d");
  function redraw() {
    const side = paper.clientWidth * devicePixelRatio;
    [paper.width, paper.height] = [side, side];
    find("invitation").hidden = strokes.length > 0 || shown !== null;
    find("undo").disabled = !strokes.length;
    find("clear").disabled = !strokes.length && !shown;
    if (shown) return pen.drawImage(glyph(shown), 0, 0, side, side);
    Object.assign(pen, { strokeStyle: colour("--ink"), lineWidth: THICK * side, lineCap: "round", lineJoin: "round" });
    for (const stroke of strokes) {
      pen.beginPath();
      stroke.forEach(([x, y]) => pen.lineTo(x * side, y * side));
      if (stroke.length === 1) pen.lineTo(stroke[0][0] * side, stroke[0][1] * side);
      pen.stroke();
    }
  }
  const place = ({ offsetX, offsetY }) => [offsetX / paper.clientWidth, offsetY / paper.clientHeight];
  paper.onpointerdown = (event) => {
    paper.setPointerCapture(event.pointerId);
    shown = null;
    drawn = [place(event)];
    strokes.push(drawn);
    redraw();
  };
  paper.onpointermove = (event) => {
    if (!drawn) return;
    for (const part of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) drawn.push(place(part));
    redraw();
  };
  paper.onpointerup = paper.onpointercancel = () => {
    drawn = null;
    name();
  };
  find("undo").onclick = () => {
    strokes.pop();
    redraw();
    name();
  };
  find("clear").onclick = () => {
    [strokes, shown] = [[], null];
    redraw();
    forget();
  };
  function forget() {
    find("seen").getContext("2d").clearRect(0, 0, SIZE, SIZE);
    find("nearest").replaceChildren();
    find("verdict").textContent = python.running ? "Draw a letter." : "Start Python, and draw.";
  }

  // ---- the answer. One question at a time: what changes meanwhile is asked after the answer.
  let naming = null, stale = false;
  function name() {
    if (!python.running) return;
    stale = true;
    find("draw-page").dataset.idle = false;
    return (naming ??= nameAll().finally(() => {
      naming = null;
      find("draw-page").dataset.idle = true;
    }));
  }
  async function nameAll() {
    try {
      while (stale) {
        stale = false;
        if (!strokes.length && !shown) {
          forget();
          continue;
        }
        const asked = alphabet();
        await load(asked);
        const limit = +find("threshold").value;
        const found = await (shown ? python.ask("name_pixels", [asked, limit, levels(shown)]) : python.ask("name_strokes", [asked, limit, strokes]));
        if (asked === alphabet()) await show(found);
      }
    } catch (stopped) {
      loaded = {};
      find("start").hidden = false;
      message(stopped.message, "wrong");
    }
  }

  async function show({ name: best, nearest, image }) {
    const letters = alphabets[alphabet()], pictures = await sheet(alphabet()), most = nearest.at(-1)[1];
    const column = (known) => letters.findIndex((letter) => letter.name === known);
    paint(find("seen"), image);
    find("verdict").textContent = best ? `${letters[column(best)].letter}  ${short(best)}` : "unknown";
    find("verdict").classList.toggle("unknown", !best);
    find("nearest").replaceChildren(...nearest.slice(0, 8).map(([known, distance]) => {
      const item = document.createElement("li"), bar = document.createElement("i"), text = document.createElement("span"), number = document.createElement("b");
      item.className = distance <= +find("threshold").value ? "near" : "";
      bar.style.width = `${(100 * distance) / most}%`;
      text.textContent = short(known);
      number.textContent = distance.toFixed(3);
      text.append(bar);
      item.append(glyph({ image: pictures, column: column(known) }), text, number);
      return item;
    }));
  }

  // ---- the encoder
  let loaded = {};
  async function base64(name) {
    const answer = await fetch(new URL(name, files));
    if (!answer.ok) throw new Error(`Missing on the server: ${answer.url}`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    let text = "";
    for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    return btoa(text);
  }
  /** Load the model and the gallery of an alphabet, each once. */
  async function load(alphabet) {
    const model = ["model.npz", "report.json"];
    loaded.model ??= Promise.all(model.map(base64)).then((texts) => python.ask("load", [Object.fromEntries(texts.map((text, k) => [model[k], text]))]));
    await loaded.model;
    loaded[alphabet] ??= base64(`${alphabet}.npz`).then((text) => python.ask("enrol", [alphabet, text]));
    await loaded[alphabet];
  }

  async function start() {
    if (python.needsServer) return message(python.serverText);
    find("start").disabled = true;
    python.start();
    try {
      await load(alphabet());
      message("");
      if (!strokes.length && !shown) forget();
      await name();
    } catch (stopped) {
      loaded = {};
      message(stopped.message, "wrong");
    }
    find("start").hidden = python.running;
    find("start").disabled = false;
  }
  find("start").onclick = start;

  find("example").onclick = async () => {
    const image = await sheet(alphabet()), rows = image.naturalHeight / SIZE;
    const pick = (count) => Math.floor(count * Math.random());
    strokes = [];
    shown = { image, column: pick(alphabets[alphabet()].length), row: 1 + pick(rows - 1) };
    redraw();
    if (python.running) name();
    else find("verdict").textContent = "Start Python to name it.";
  };

  // ---- the controls
  find("alphabet").append(...Object.keys(alphabets).map((name) => new Option(TITLES[name] ?? name, name)));
  find("alphabet").onchange = () => {
    [strokes, shown] = [[], null];
    redraw();
    forget();
    showLetters();
  };
  const showThreshold = () => (find("threshold-value").textContent = (+find("threshold").value).toFixed(2));
  find("threshold").value = threshold.value;
  find("threshold").oninput = () => (showThreshold(), name());

  showThreshold();
  showLetters();
  redraw();
  const repaint = () => (showLetters(), redraw(), name());
  new ResizeObserver(redraw).observe(paper);
  new MutationObserver(repaint).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
});
