// A plane with points that are moved with the mouse, a finger or the arrow keys. Its coordinates go up and to the right.
"use strict";

/**
 * @param svg an <svg> element
 * @param options {reach, name(i), short(i), onMove(i, x, y), onSelect(i)}: the plane goes from −reach to reach in both
 *        directions; a point has a name for screen readers, and a short one beside it
 */
function makePlane(svg, { reach = 2.4, name, short = (i) => i + 1, onMove, onSelect = () => {} }) {
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  const made = (kind, parent, attributes = {}) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return parent.appendChild(element);
  };
  svg.setAttribute("viewBox", `${-reach} ${-reach} ${2 * reach} ${2 * reach}`);
  const [zones, lines, points, arrows] = ["zones", "lines", "points", "arrows"].map((kind) => made("g", svg, { class: kind }));
  let shown = []; // of each point: its element, and where it is
  const within = (value) => Math.max(-reach, Math.min(reach, value));

  function place(i, x, y) {
    shown[i].at = [x, y];
    shown[i].group.setAttribute("transform", `translate(${x} ${-y})`);
    shown[i].group.setAttribute("aria-label", `${name(i)}, at ${x.toFixed(2)}, ${y.toFixed(2)}`);
  }

  function addPoint(i, label) {
    const group = made("g", points, { class: `point class-${label}`, tabindex: 0, role: "button", "aria-roledescription": "point that can be moved" });
    made("circle", group, { class: "halo", r: 0.2 });
    made("path", group, { d: makePlane.shapes[label], class: "mark" });
    made("text", group, { x: 0.15, y: -0.12 }).textContent = short(i);
    group.onpointerdown = (event) => {
      group.setPointerCapture(event.pointerId);
      group.focus({ preventScroll: true });
      onSelect(i);
    };
    group.onpointermove = (event) => {
      if (!group.hasPointerCapture(event.pointerId)) return;
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      onMove(i, within(at.x), within(-at.y));
    };
    group.onfocus = () => onSelect(i);
    group.onkeydown = (event) => {
      const way = STEPS[event.key];
      if (!way) return;
      event.preventDefault();
      const length = event.shiftKey ? 0.25 : 0.05;
      onMove(i, within(shown[i].at[0] + length * way[0]), within(shown[i].at[1] + length * way[1]));
    };
    return { group, label, at: [0, 0] };
  }

  /** An arrow of a given length, as a polygon; a very short one is all head. */
  function arrowShape([x, y], [u, v]) {
    const length = Math.hypot(u, v);
    if (length < 0.01) return "";
    const head = Math.min(0.17, length), shaft = length - head;
    const [a, b] = [u / length, v / length];
    const corner = (along, aside) => `${x + along * a - aside * b} ${-(y + along * b + aside * a)}`;
    const outline = [[0, 0.022], [shaft, 0.022], [shaft, 0.085], [length, 0], [shaft, -0.085], [shaft, -0.022], [0, -0.022]];
    return `M${outline.map(([along, aside]) => corner(along, aside)).join("L")}Z`;
  }

  return {
    reach,

    /** Show points (n, 2) with their classes, 0 to 5. */
    show(places, labels) {
      if (labels.length !== shown.length || labels.some((label, i) => label !== shown[i].label)) {
        const focused = shown.findIndex(({ group }) => group === document.activeElement);
        points.replaceChildren();
        points.classList.toggle("many", labels.length > 12);
        shown = labels.map((label, i) => addPoint(i, label));
        arrows.replaceChildren(...labels.map((label) => made("path", arrows, { class: `class-${label}` })));
        shown[focused]?.group.focus({ preventScroll: true });
      }
      places.forEach(([x, y], i) => place(i, x, y));
    },

    select: (chosen) => shown.forEach(({ group }, i) => group.classList.toggle("chosen", i === chosen)),

    /** An arrow (n, 2) at each point, in units of the plane. */
    arrows: (vectors) => [...arrows.children].forEach((path, i) => path.setAttribute("d", vectors ? arrowShape(shown[i].at, vectors[i]) : "")),

    /** Lines: {from, to, kind, width} with two numbers of points, or two places. */
    lines(wanted) {
      while (lines.children.length > wanted.length) lines.lastChild.remove();
      while (lines.children.length < wanted.length) made("line", lines);
      wanted.forEach(({ from, to, kind, width }, i) => {
        const [[x1, y1], [x2, y2]] = [from, to].map((end) => (Array.isArray(end) ? end : shown[end].at));
        const line = lines.children[i];
        for (const [key, value] of Object.entries({ x1, y1: -y1, x2, y2: -y2, class: kind, "stroke-width": width })) line.setAttribute(key, value);
      });
    },

    /** Regions behind the points: {path, kind}, the first one at the back. */
    zones(wanted) {
      while (zones.children.length > wanted.length) zones.lastChild.remove();
      while (zones.children.length < wanted.length) made("path", zones);
      wanted.forEach(({ path, kind }, i) => {
        zones.children[i].setAttribute("d", path);
        zones.children[i].setAttribute("class", kind);
      });
    },

    /** A circle as a path. */
    circle: ([x, y], r) => `M${x - r} ${-y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`,
  };
}

/** The mark of each class, 0 to 5, as a path about 0.2 wide: circle, square, triangle, diamond, cross, bar. */
makePlane.shapes = [
  "M-.1 0A.1 .1 0 1 0 .1 0A.1 .1 0 1 0 -.1 0Z",
  "M-.09-.09H.09V.09H-.09Z",
  "M0-.12L.115 .085H-.115Z",
  "M0-.125L.125 0L0 .125L-.125 0Z",
  "M-.04-.11H.04V-.04H.11V.04H.04V.11H-.04V.04H-.11V-.04H-.04Z",
  "M-.12-.055H.12V.055H-.12Z",
];
