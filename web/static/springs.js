// The contrastive loss of an anchor, a point of its class and a point of another class, without Python: the start page.
"use strict";

/** Value and force, minus the gradient, on (anchor, same, other): the sum of ½d² and ½max(0, margin − d)². */
function springs([anchor, same, other], margin) {
  const [s, o] = [same, other].map(([x, y]) => [x - anchor[0], y - anchor[1]]); // from the anchor to the other two
  const d = Math.hypot(...o), short = Math.max(0, margin - d);
  const push = o.map((part) => (d > 0 ? (short * part) / d : 0)); // at distance 0 there is no direction
  const value = (s[0] ** 2 + s[1] ** 2 + short ** 2) / 2;
  return { value, forces: [s.map((part, k) => part - push[k]), s.map((part) => -part), push] };
}

addEventListener("DOMContentLoaded", () => {
  const MARGIN = 1.4, ARROW = 0.5;
  for (const parent of document.querySelectorAll("div.springs")) {
    const points = [[-0.3, 0.1], [1.3, 0.8], [0.3, -0.75]], names = ["anchor", "point of the same class", "point of another class"];
    parent.classList.add("play");
    parent.innerHTML = `
      <svg class="plane" role="group" aria-label="An anchor, a point of its class and a point of another class"></svg>
      <p class="reading"><span>loss <output class="value"></output></span> <span class="say" role="status"></span></p>
      <p class="hint">Drag a point, or move it with the arrow keys. The arrows show minus the gradient, drawn × ${ARROW}.
      Inside the dashed circle, the margin, the point of another class is pushed away.</p>`;
    const find = (selector) => parent.querySelector(selector);
    const plane = makePlane(find("svg"), {
      reach: 2,
      name: (i) => names[i],
      short: (i) => ["anchor", "same", "different"][i],
      onMove: (i, x, y) => {
        points[i] = [x, y];
        draw();
      },
    });
    const draw = () => {
      const { value, forces } = springs(points, MARGIN);
      plane.show(points, [0, 0, 1]);
      plane.zones([{ path: plane.circle(points[0], MARGIN), kind: "inside" }]);
      plane.lines([{ from: 0, to: 1, kind: "pull", width: 0.04 }, { from: 0, to: 2, kind: Math.hypot(...forces[2]) > 0 ? "push" : "idle", width: 0.04 }]);
      plane.arrows(forces.map((force) => force.map((part) => ARROW * part)));
      find(".value").textContent = value.toFixed(3);
      const said = Math.hypot(...forces[2]) > 0 ? "one spring pulls, one pushes" : "only the spring of the same class pulls";
      if (find(".say").textContent !== said) find(".say").textContent = said;
    };
    draw();
  }
});
