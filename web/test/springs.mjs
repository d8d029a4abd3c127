// Print what springs.js computes, as JSON:   node springs.mjs '[[[0,0],[1,0],[0,1]]]' 1.4
import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";

const source = readFileSync(new URL("../static/springs.js", import.meta.url), "utf8");
const springs = runInNewContext(`${source}\nsprings`, { addEventListener: () => 0, Math });
const [scenes, margin] = process.argv.slice(2).map((text) => JSON.parse(text));
console.log(JSON.stringify(scenes.map((points) => springs(points, margin))));
