// One worker with Python, for a page: `start` it, `ask` it, `stop` it.
"use strict";

class Python {
  /**
   * @param role "check", "cells", "play", "train" or "draw": the module of web/python/page that the worker imports;
   *             or "cells-play": cells with the packages of play
   * @param tell called while Python starts, with {say, seconds}, and with {ready, seconds} at the end
   */
  constructor(role, tell = () => {}) {
    this.role = role;
    this.tell = tell;
    this.worker = null;
    this.waiting = new Map(); // the calls that have not returned, by their ids
    this.asked = 0;
    this.ready = false; // whether a worker has ever started
    this.needsServer = location.protocol === "file:";
    this.serverText =
      "To run Python, this page needs a local server. In the folder of minisiam run `make site-serve`, or in the folder " +
      "of the site `python -m http.server`, and open the address that it prints.";
  }

  get running() {
    return this.worker !== null;
  }

  start() {
    if (this.worker || this.needsServer) return;
    const url = new URL(`${document.documentElement.dataset.content_root ?? "./"}_static/worker.js`, location.href);
    const worker = (this.worker = new Worker(url, { type: "module", name: this.role }));
    worker.onmessage = ({ data }) => worker === this.worker && this.#receive(data); // else a late message of a stopped one
    worker.onerror = (event) => worker === this.worker && this.stop(event.message || `${url} does not start.`);
  }

  /**
   * The result of a Python function. If the worker is stopped first, the promise is rejected.
   *
   * @param heard {output(text), figure(url)} what the function prints and draws;
   *              {limit, late} the worker is stopped `limit` seconds after the call starts, with the message `late`
   */
  ask(call, args = [], heard = {}) {
    if (this.needsServer) return Promise.reject(new Error(this.serverText));
    this.start();
    const id = ++this.asked;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, heard });
      this.worker.postMessage({ id, call, args: JSON.stringify(args) });
    });
  }

  /**
   * End the worker at once, whatever it computes. The next call starts a new one. The waiting calls fail with an error
   * that has the message `why`; its `byCall` says whether the called function is the reason.
   */
  stop(why = "Stopped.", byCall = false) {
    this.worker?.terminate();
    this.worker = null;
    const stopped = [...this.waiting.values()];
    this.waiting.clear();
    for (const { reject, timer } of stopped) {
      clearTimeout(timer);
      reject(Object.assign(new Error(why), { byCall }));
    }
  }

  #receive(data) {
    if ("broken" in data) return this.stop(data.broken, data.byCall);
    if (data.ready) this.ready = true;
    if (!("id" in data)) return this.tell(data);
    const call = this.waiting.get(data.id);
    const { heard } = call;
    if ("output" in data) heard.output?.(data.output);
    else if ("figure" in data) heard.figure?.(data.figure);
    else if ("begun" in data) {
      if (heard.limit) call.timer = setTimeout(() => this.stop(heard.late, true), 1000 * heard.limit);
    } else {
      this.waiting.delete(data.id);
      clearTimeout(call.timer);
      if ("error" in data) call.reject(new Error(data.error));
      else call.resolve(data.answer);
    }
  }
}
