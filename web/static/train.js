// A network trains in the worker, a few steps per frame; the page draws its embedding and its loss.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const find = (id) => document.getElementById(id);
  const { drawings, methods, settings, states, pixels, letters } = JSON.parse(find("training").textContent);
  const message = (text, kind = "") => {
    if (find("message").textContent !== text) Object.assign(find("message"), { textContent: text, className: `message ${kind}` });
  };
  const python = new Python("train", ({ say, ready, seconds }) => message(ready ? `Python started in ${seconds.toFixed(1)} s.` : say));
  const PRESETS = {
    collapse: [
      { method: "triplet hinge, batch-hard", margin: 1, rate: 0.0316, width: 64, normalize: false, seed: 0 },
      "Watch the loss reach the dashed line, the margin, and the points meet in one place.",
    ],
    repair: [
      { method: "triplet hinge, semi-hard", margin: 1, rate: 0.0316, width: 64, normalize: false, seed: 0 },
      "The same rate and seed, other triplets: watch the mean distance grow, and the recall.",
    ],
  };

  // ---- the run
  let state = null, history = [], view = 0, going = false, frames = 0;
  const chosen = () => ({
    method: find("method").value, margin: +find("margin").value, rate: 10 ** +find("rate").value,
    width: +find("width").value, normalize: find("normalize").checked, seed: Math.round(+find("seed").value) || 0,
  });

  function accept(found) {
    if (found.error) {
      going = false;
      return message(found.error, "wrong");
    }
    state = found;
    history.push(...found.losses);
    frames += 1;
    show();
    const [problem] = found.problems;
    message(problem ? `The library says: ${problem}.` : found.step ? "The library finds no problem." : "", problem ? "wrong" : "");
  }

  async function reset() {
    [history, view] = [[], 0];
    accept(await python.ask("begin", [chosen()]));
  }

  let loaded = null;
  function load() {
    loaded ??= python.ask("load", [drawings.images, drawings.labels, drawings.heldOut]).then(reset);
    return loaded;
  }

  async function train() {
    going = true;
    buttons();
    try {
      await load();
      buttons();
      while (going) {
        accept(await python.ask("advance", [+find("speed").value]));
        await new Promise(requestAnimationFrame);
      }
    } catch (stopped) {
      [going, loaded] = [false, null];
      message(stopped.message, "wrong");
    }
    buttons();
  }

  function buttons() {
    find("start").textContent = going ? "Pause" : state.step || loaded ? "Train" : "Start Python and train";
    find("start").setAttribute("aria-pressed", going);
    find("step").disabled = going || !python.running;
    find("reset").disabled = !python.running;
    if (!python.running && !going) find("start").textContent = "Start Python and train";
  }

  async function restart() {
    await pause();
    await reset();
  }
  async function pause() {
    going = false;
    while (training) await training;
  }
  let training = null; // the present call of train()
  function start() {
    if (python.needsServer) return message(python.serverText);
    training ??= train().finally(() => (training = null));
  }

  find("start").onclick = () => (going ? (going = false) : start());
  find("step").onclick = async () => accept(await python.ask("advance", [1]));
  find("reset").onclick = restart;
  for (const [name, [values, advice]] of Object.entries(PRESETS)) {
    find(name).onclick = async () => {
      showSettings(values);
      find("advice").textContent = advice;
      if (python.running) await restart();
      start();
    };
  }
  // a setting that changes begins a new run
  for (const name of ["method", "margin", "rate", "width", "normalize", "seed"]) {
    find(name).addEventListener("change", async () => {
      const again = going;
      find("advice").textContent = "";
      if (!loaded) return;
      await restart();
      if (again) start();
    });
    find(name).addEventListener("input", showValues);
  }

  // ---- the controls
  find("method").append(...Object.keys(methods).map((name) => new Option(name)));
  function showValues() {
    find("margin-value").textContent = (+find("margin").value).toFixed(1);
    find("rate-value").textContent = (10 ** +find("rate").value).toPrecision(2);
    find("margin").disabled = !methods[find("method").value].margin;
  }
  function showSettings({ method, margin, rate, width, normalize, seed }) {
    find("method").value = method;
    find("margin").value = margin;
    find("rate").value = Math.log10(rate);
    find("width").value = width;
    find("normalize").checked = normalize;
    find("seed").value = seed;
    showValues();
  }

  // ---- the figures
  const colour = (name) => getComputedStyle(find("train-page")).getPropertyValue(name).trim();
  const shapes = makePlane.shapes.map((shape) => new Path2D(shape));
  const bytes = Uint8Array.from(atob(drawings.images), (letter) => letter.charCodeAt(0));
  const side = Math.sqrt(bytes.length / drawings.labels.length);
  let colours, pictures;

  /** A drawing as an image in the colour of its letter. */
  function picture(k) {
    const image = Object.assign(document.createElement("canvas"), { width: side, height: side }), pen = image.getContext("2d");
    const data = pen.createImageData(side, side);
    for (let at = 0; at < side * side; at++) data.data[4 * at + 3] = bytes[k * side * side + at];
    pen.putImageData(data, 0, 0);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = colours.classes[drawings.labels[k]];
    pen.fillRect(0, 0, side, side);
    return image;
  }

  function prepare() {
    colours = { paper: colour("--paper"), ink: colour("--ink"), soft: colour("--soft"), line: colour("--line"), accent: colour("--accent") };
    colours.classes = shapes.map((_, label) => colour(`--class-${label}`));
    pictures = drawings.labels.map((_, k) => picture(k));
    find("letters").replaceChildren(...letters.map((name, label) => {
      const item = document.createElement("span"), mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      mark.setAttribute("viewBox", "-.14 -.14 .28 .28");
      mark.innerHTML = `<path d="${makePlane.shapes[label]}"/>`;
      item.className = `class-${label}`;
      item.append(mark, name);
      return item;
    }), Object.assign(document.createElement("span"), { textContent: "hollow: held out" }));
  }

  /** A canvas as sharp as the screen: its pen, and its size in CSS pixels. */
  function fresh(canvas) {
    const width = canvas.clientWidth, height = canvas.clientHeight, pen = canvas.getContext("2d");
    [canvas.width, canvas.height] = [width * devicePixelRatio, height * devicePixelRatio];
    pen.scale(devicePixelRatio, devicePixelRatio);
    return { pen, width, height };
  }

  function show() {
    find("steps").textContent = state.step;
    find("value").textContent = history.length ? history.at(-1).toFixed(4) : "–";
    find("spread").textContent = state.spread.toPrecision(3);
    find("recall").textContent = `${(100 * state.recall).toFixed(0)} %`;
    find("pixels").textContent = `${(100 * pixels).toFixed(0)} %`;
    showScatter();
    showCurve();
  }

  function showScatter() {
    const { pen, width } = fresh(find("scatter"));
    const reach = Math.max(...state.z.flat().map(Math.abs));
    while (view < 1.02 * reach) view = view ? 1.25 * view : 1.25 * reach || 1; // it never shrinks, so a collapse is visible
    const place = ([x, y]) => [width / 2 + (x / view) * (width / 2), width / 2 - (y / view) * (width / 2)];
    pen.strokeStyle = colours.line;
    pen.beginPath();
    pen.moveTo(0, width / 2), pen.lineTo(width, width / 2), pen.moveTo(width / 2, 0), pen.lineTo(width / 2, width);
    pen.stroke();
    const size = 55; // pixels per unit of a shape
    for (const unseen of [true, false]) {
      state.z.forEach((z, k) => {
        if (drawings.heldOut[k] !== unseen) return;
        const [x, y] = place(z), label = drawings.labels[k];
        if (find("pictures").checked) return pen.drawImage(pictures[k], x - 12, y - 12, 24, 24);
        pen.save();
        pen.translate(x, y);
        pen.scale(size, size);
        pen.lineWidth = (unseen ? 2 : 1) / size;
        pen.strokeStyle = unseen ? colours.classes[label] : colours.paper;
        pen.fillStyle = unseen ? colours.paper : colours.classes[label];
        pen.globalAlpha = unseen ? 1 : 0.85;
        pen.fill(shapes[label]);
        pen.stroke(shapes[label]);
        pen.restore();
      });
    }
    pen.fillStyle = colours.soft;
    pen.font = "12px sans-serif";
    pen.fillText(`±${view.toPrecision(2)}`, 8, width - 8);
  }

  function showCurve() {
    const { pen, width, height } = fresh(find("curve")), { margin, method } = shownSettings();
    const rest = { hinge: margin, "soft-margin": Math.LN2 }[methods[method].kind];
    const most = 1.08 * Math.max(...history, rest ?? 0, 1e-6), steps = Math.max(50, history.length);
    const place = (step, value) => [(step / (steps - 1)) * width, height - (value / most) * (height - 4) - 2];
    if (rest) {
      pen.setLineDash([5, 4]);
      pen.strokeStyle = colours.soft;
      pen.beginPath();
      pen.moveTo(...place(0, rest)), pen.lineTo(...place(steps, rest));
      pen.stroke();
      pen.setLineDash([]);
    }
    pen.strokeStyle = colours.accent;
    pen.lineWidth = 1.75;
    pen.beginPath();
    history.forEach((value, step) => pen.lineTo(...place(step, value)));
    pen.stroke();
    find("curve-text").textContent =
      `The loss in ${history.length} steps, from 0 to ${most.toPrecision(2)}.` +
      (rest ? ` Dashed: ${rest === margin ? "the margin" : "ln 2"}, its value if all points are equal.` : "");
  }
  const shownSettings = () => (loaded ? chosen() : settings);

  // ---- the first run, as it was computed when the site was built
  showSettings(settings);
  prepare();
  state = states.at(-1);
  history = states.flatMap(({ losses }) => losses);
  show();
  message("This run of the settings above was computed when the site was built.");
  find("pictures").onchange = showScatter;
  const redraw = () => (prepare(), show());
  new ResizeObserver(redraw).observe(find("scatter"));
  new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
});
