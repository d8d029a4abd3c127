// Points in the plane: they are moved here, and the library computes value, forces and matrix in the worker.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const find = (id) => document.getElementById(id);
  const { choices, scene: first, answer: computed } = JSON.parse(find("scene").textContent);
  const LETTERS = "abcdef", MOST = 30, TITLES = { margin: "margin", positive_margin: "positive margin", negative_margin: "negative margin" };
  const message = (text, kind = "") => Object.assign(find("message"), { textContent: text, className: `message ${kind}` });
  const python = new Python("play", ({ say, ready, seconds }) => message(ready ? `Python started in ${seconds.toFixed(1)} s.` : say));

  // ---- the scene
  let scene = structuredClone(first), answer = null, answered = null, scale = 0, cell = null;
  const plane = makePlane(find("plane"), {
    name: (i) => `point ${i + 1}, class ${LETTERS[scene.labels[i]]}`,
    onMove: (i, x, y) => {
      scene.points[i] = [x, y];
      changed();
    },
    onSelect: (i) => {
      if (i === scene.anchor) return;
      scene.anchor = i;
      changed();
    },
  });

  function changed() {
    plane.show(scene.points, scene.labels);
    plane.select(scene.anchor);
    find("remove").disabled = scene.points.length < 2;
    find("add").disabled = scene.points.length >= MOST;
    if (python.running) compute();
    else {
      find("drag-page").classList.add("stale");
      message("The arrows, the loss and the matrix are those of the first scene. Start Python to compute this one.");
    }
  }

  // One question at a time. What changes meanwhile is asked together after the answer, so that nothing queues up.
  let asking = null, stale = false;
  function compute() {
    stale = true;
    return (asking ??= answerAll().finally(() => (asking = null)));
  }
  async function answerAll() {
    try {
      while (stale) {
        stale = false;
        const asked = structuredClone(scene);
        const found = await python.ask("forces", [asked]);
        if (asked.points.length === scene.points.length) draw(asked, found);
      }
    } catch (stopped) {
      message(stopped.message, "wrong");
      running(false);
    }
  }

  function draw(asked, found) {
    const fine = !("error" in found);
    find("drag-page").classList.toggle("stale", !fine);
    if (!fine) return message(found.error, "wrong");
    if (find("message").classList.contains("wrong")) message("");
    [answered, answer] = [asked, { ...found, F: decoded(found.F, found.forces.length) }];
    find("value").textContent = answer.value.toFixed(4);
    drawForces();
    drawZones();
    drawMatrix();
    describe();
    announce();
  }

  /** An (n, n) matrix from base64 of float32. */
  function decoded(text, n) {
    const numbers = new Float32Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
    return Array.from({ length: n }, (_, i) => [...numbers.subarray(i * n, (i + 1) * n)]);
  }

  // ---- the plane
  const numbers = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

  /** The longest arrow stays between 0.35 and 1.5 units; the scale is 1, 2 or 5 times a power of ten. */
  function rescale(longest) {
    if (longest < 1e-9 || (scale * longest > 0.35 && scale * longest < 1.5)) return;
    const power = 10 ** Math.floor(Math.log10(1.1 / longest));
    scale = [5, 2, 1].map((digit) => digit * power).find((nice) => nice * longest <= 1.1);
  }

  function drawForces() {
    rescale(numbers(answer.forces.map((force) => Math.hypot(...force))));
    plane.arrows(answer.forces.map((force) => force.map((part) => scale * part)));
    const most = numbers(answer.F.flat());
    const lines = answer.lines.map(([i, j]) => {
      const force = answer.F[i][j], share = most ? Math.abs(force) / most : 0;
      return { from: i, to: j, kind: share < 1e-6 ? "idle" : force > 0 ? "pull" : "push", width: share < 1e-6 ? 0.012 : 0.012 + 0.04 * share };
    });
    plane.lines(lines.filter((line) => line.kind !== "idle" || lines.length < 60));
  }

  /** The points at a distance of at most `level` from the point a. */
  const regions = {
    l2: (a, level) => plane.circle(a, Math.max(0, level)),
    "squared-l2": (a, level) => plane.circle(a, Math.sqrt(Math.max(0, level))),
    l1: ([x, y], level) => `M${x - level} ${-y}L${x} ${-y - level}L${x + level} ${-y}L${x} ${-y + level}Z`,
    cosine: ([x, y], level) => {
      if (level >= 2) return plane.circle([0, 0], 4 * plane.reach);
      const middle = Math.atan2(y, x), half = Math.acos(Math.max(-1, 1 - level)), far = 4 * plane.reach;
      const end = (angle) => `${far * Math.cos(angle)} ${-far * Math.sin(angle)}`;
      return `M0 0L${end(middle - half)}A${far} ${far} 0 ${half > Math.PI / 2 ? 1 : 0} 0 ${end(middle + half)}Z`;
    },
    dot: ([x, y], level) => {
      const length = Math.hypot(x, y) || 1, [a, b] = [x / length, y / length], near = -level / length, far = 4 * plane.reach;
      const corner = (along, aside) => `${along * a - aside * b} ${-(along * b + aside * a)}`;
      return `M${corner(near, -far)}L${corner(near, far)}L${corner(near + far, far)}L${corner(near + far, -far)}Z`;
    },
  };

  function drawZones() {
    const around = answered.points[answered.anchor], ended = answer.zones.filter((zone) => zone.level !== null);
    const shapes = ended.map((zone, k) => ({ path: regions[answered.distance](around, zone.level), kind: k === 0 && ended.length > 1 ? "inner" : "inside" }));
    plane.zones(shapes.reverse());
    const swatch = (kind, text) => `<span><i class="${kind}"></i>${text}</span>`;
    const named = answer.zones.map((zone, k) => swatch(zone.level === null ? "outside" : k === 0 && ended.length > 1 ? "inner" : "inside", zone.name));
    find("legend").innerHTML = [
      ...(named.length ? [`<b>around point ${answered.anchor + 1}:</b>`, ...named] : []),
      swatch("pull", "pull"), swatch("push", "push"), `<span>arrows: −gradient × ${+scale.toPrecision(1)}</span>`,
    ].join(" ");
  }

  // ---- the matrix
  const canvas = find("matrix"), pen = canvas.getContext("2d");
  const colour = (name) => getComputedStyle(find("drag-page")).getPropertyValue(name).trim();
  let colours = null;
  function readColours() {
    colours = { pull: colour("--pull"), push: colour("--push"), zero: colour("--paper"), ink: colour("--ink") };
    colours.classes = [...LETTERS].map((_, label) => colour(`--class-${label}`));
  }
  const marginOf = (side) => Math.round(0.045 * side); // for the classes of rows and columns

  function drawMatrix() {
    const n = answer.F.length, pixels = Math.round(canvas.clientWidth * devicePixelRatio), margin = marginOf(pixels);
    if (!colours) readColours();
    if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
    const most = numbers(answer.F.flat()), edge = (k) => Math.round(margin + (k * (pixels - margin)) / n), side = edge(1) - edge(0);
    pen.clearRect(0, 0, pixels, pixels);
    answered.labels.forEach((label, k) => {
      pen.fillStyle = colours.classes[label];
      pen.fillRect(edge(k), 0, edge(k + 1) - edge(k) - 1, margin - 2);
      pen.fillRect(0, edge(k), margin - 2, edge(k + 1) - edge(k) - 1);
      if (side < margin) return;
      pen.fillStyle = colours.zero;
      pen.font = `bold ${0.8 * margin}px sans-serif`;
      [pen.textAlign, pen.textBaseline] = ["center", "middle"];
      pen.fillText(k + 1, edge(k) + side / 2, margin / 2);
      pen.fillText(k + 1, margin / 2, edge(k) + side / 2);
    });
    answer.F.forEach((row, i) => row.forEach((force, j) => {
      if (!force) return;
      pen.globalAlpha = Math.abs(force) / most;
      pen.fillStyle = force > 0 ? colours.pull : colours.push;
      pen.fillRect(edge(j), edge(i), edge(j + 1) - edge(j), edge(i + 1) - edge(i));
    }));
    pen.globalAlpha = 1;
    [pen.strokeStyle, pen.lineWidth] = [colours.ink, 2];
    if (cell) pen.strokeRect(edge(cell[1]) + 1, edge(cell[0]) + 1, edge(cell[1] + 1) - edge(cell[1]) - 2, edge(cell[0] + 1) - edge(cell[0]) - 2);
    const shown = most >= 100 ? most.toFixed(0) : most.toPrecision(2);
    find("most-push").textContent = `push ${shown}`;
    find("most-pull").textContent = `pull ${shown}`;
  }

  function describe() {
    if (!cell || Math.max(...cell) >= answer.F.length) return;
    const [i, j] = cell, force = answer.F[i][j];
    const named = (k) => `${k + 1} (${LETTERS[answered.labels[k]]})`;
    const kind = force > 0 ? "pull" : force < 0 ? "push" : "no force";
    find("cell").innerHTML = `F<sub>${i + 1},${j + 1}</sub> = ${(force && force.toPrecision(3)).toString().replace("-", "−")}: ${kind} between points ${named(i)} and ${named(j)}`;
  }

  function inspect(i, j) {
    const n = answer.F.length, inside = (k) => Math.max(0, Math.min(n - 1, k));
    cell = [inside(i), inside(j)];
    drawMatrix();
    describe();
  }
  canvas.onpointermove = ({ offsetX, offsetY }) => {
    const n = answer.F.length, side = canvas.clientWidth, margin = marginOf(side);
    const at = (offset) => Math.floor(((offset - margin) / (side - margin)) * n);
    inspect(at(offsetY), at(offsetX));
  };
  canvas.onfocus = () => cell || inspect(0, 1);
  canvas.onkeydown = (event) => {
    const [down, right] = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key] ?? [];
    if (down === undefined) return;
    event.preventDefault();
    inspect(cell[0] + down, cell[1] + right);
  };

  // ---- what a screen reader hears: the loss, and the force on the selected point, once it has been still for a moment
  let quiet;
  function announce() {
    clearTimeout(quiet);
    quiet = setTimeout(() => {
      const [u, v] = answer.forces[answered.anchor] ?? [0, 0];
      find("announcement").textContent = `loss ${answer.value.toFixed(3)}; force on point ${answered.anchor + 1}: ${u.toFixed(2)} to the right, ${v.toFixed(2)} up`;
    }, 800);
  }

  // ---- the controls
  const WORDS = { l2: "L2", "squared-l2": "squared L2", l1: "L1", dot: "dot product", "nt-xent": "NT-Xent", nca: "NCA" };
  const option = (name) => new Option(WORDS[name] ?? name.replaceAll("-", " "), name);
  find("distance").append(...choices.distances.map(option));
  for (const kind of ["pairs", "triplets", "matrix"]) {
    const group = document.createElement("optgroup");
    group.label = { pairs: "of pairs", triplets: "of triplets", matrix: "of the whole batch" }[kind];
    group.append(...Object.keys(choices.losses).filter((name) => choices.losses[name].kind === kind).map(option));
    find("loss").append(group);
  }
  find("class").append(...[...LETTERS].map((letter, label) => new Option(letter, label)));

  function chooseLoss(name) {
    const { kind, distance, constants } = choices.losses[name];
    const miner = choices.miners[kind]?.includes(scene.miner) ? scene.miner : choices.usualMiner[kind] ?? null;
    Object.assign(scene, { loss: name, distance, miner, constants: Object.fromEntries(Object.entries(constants).map(([key, [value]]) => [key, value])) });
    showControls();
  }

  function showControls() {
    const { kind, constants } = choices.losses[scene.loss];
    find("loss").value = scene.loss;
    find("distance").value = scene.distance;
    find("miner-choice").hidden = kind === "matrix";
    find("miner").replaceChildren(...(choices.miners[kind] ?? []).map(option));
    find("miner").value = scene.miner;
    find("constants").replaceChildren(...Object.entries(constants).map(([name, [, min, max, step]]) => {
      const label = document.createElement("label"), output = document.createElement("output");
      const slider = Object.assign(document.createElement("input"), { type: "range", min, max, step, value: scene.constants[name], name });
      output.textContent = scene.constants[name];
      slider.oninput = () => {
        scene.constants[name] = +slider.value;
        output.textContent = slider.value;
        changed();
      };
      label.append(TITLES[name] ?? name, " ", slider, " ", output);
      return label;
    }));
  }
  find("loss").onchange = () => (chooseLoss(find("loss").value), changed());
  find("distance").onchange = () => ((scene.distance = find("distance").value), changed());
  find("miner").onchange = () => ((scene.miner = find("miner").value), changed());

  find("add").onclick = () => {
    const angle = 2.4 * scene.points.length, radius = 0.5 + 0.05 * scene.points.length; // each at another place
    scene.points.push([radius * Math.cos(angle), radius * Math.sin(angle)]);
    scene.labels.push(+find("class").value);
    scene.anchor = scene.points.length - 1;
    changed();
  };
  find("remove").onclick = () => {
    scene.points.splice(scene.anchor, 1);
    scene.labels.splice(scene.anchor, 1);
    scene.anchor = Math.max(0, scene.anchor - 1);
    cell = null;
    changed();
  };
  function replacePoints(points, labels) {
    Object.assign(scene, { points, labels, anchor: 0 });
    cell = null;
    changed();
  }
  find("six").onclick = () => replacePoints(structuredClone(first.points), [...first.labels]);
  find("thirty").onclick = () => {
    const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
    const labels = Array.from({ length: 30 }, (_, i) => Math.floor(i / 6));
    replacePoints(labels.map((label) => [1.2 * Math.cos(1.257 * label) + 0.4 * normal(), 1.2 * Math.sin(1.257 * label) + 0.4 * normal()]), labels);
  };

  // ---- down the gradient
  const rate = () => 10 ** +find("rate").value;
  const showRate = () => (find("rate-value").textContent = rate().toPrecision(2));
  find("rate").oninput = showRate;
  async function descend() {
    await compute();
    if (!answer || find("drag-page").classList.contains("stale")) return false;
    scene.points = scene.points.map(([x, y], i) => [x + rate() * answer.forces[i][0], y + rate() * answer.forces[i][1]]);
    changed();
    await asking;
    if (scene.points.flat().every((part) => Math.abs(part) < 2 * plane.reach)) return true;
    message("The points have left the plane: choose a smaller step size, and start again from six or thirty points.", "wrong");
    return false;
  }
  let going = false;
  function running(now) {
    going = now;
    find("run").setAttribute("aria-pressed", now);
    find("run").textContent = now ? "Pause" : "Run";
  }
  find("step").onclick = descend;
  find("run").onclick = async () => {
    running(!going);
    while (going && (await descend())) await new Promise(requestAnimationFrame);
    running(false);
  };

  // ---- the same in Python
  async function showCode() {
    if (!find("code-pane").open || !python.running) return;
    find("code").textContent = await python.ask("code", [scene]);
    find("copy").disabled = false;
  }
  find("code-pane").ontoggle = () => (python.running ? showCode() : (find("code").textContent = "Start Python to see it."));
  find("copy").onclick = async () => {
    await showCode();
    await navigator.clipboard.writeText(find("code").textContent);
    message("Copied.");
  };

  find("start").onclick = async () => {
    if (python.needsServer) return message(python.serverText);
    find("start").disabled = true;
    python.start();
    await compute();
    find("start").hidden = python.running;
    find("start").disabled = false;
    find("step").disabled = find("run").disabled = !python.running;
    showCode();
  };

  // ---- the first scene, as it was computed when the site was built
  showControls();
  showRate();
  plane.show(scene.points, scene.labels);
  plane.select(scene.anchor);
  draw(structuredClone(scene), computed);
  const redraw = () => {
    colours = null;
    drawMatrix();
  };
  new ResizeObserver(redraw).observe(canvas);
  new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
});
