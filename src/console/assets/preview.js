// The generated page, in a frame that has no rights: see preview.html.

import { button, el, say } from "./dom.js";

/** The page that is shown: index.html, or the first page there is. */
const pageOf = (files) => (files.has("index.html") ? "index.html" : [...files.keys()].find((path) => /\.html?$/.test(path)));

export class Preview {
  #app;
  #place;
  #frame = null;
  #files = new Map();
  #page = null;
  #shown = "";
  #name = el("h3", { className: "mono" });
  #problem = el("p", { className: "quiet problem" });
  #none = el("p", { className: "empty" }, "No page yet: it is shown as soon as index.html is written.");
  #head;

  constructor(place, app) {
    this.#app = app;
    this.#place = place;
    const again = button("Start over", () => this.#load(), { className: "small", title: "Load the page anew" });
    this.#head = el("header", {}, this.#name, this.#problem, again);
    place.append(app.versionBar(), this.#head, this.#none);
    window.addEventListener("message", (event) => this.#heard(event));
  }

  render() {
    if (this.#place.offsetParent === null) return; // loaded once it is looked at
    const files = this.#app.files({ open: false });
    const first = pageOf(files);
    const ids = [...files].map(([path, { sha256, oid }]) => [path, sha256 ?? oid]);
    const shown = JSON.stringify([this.#app.session, ids]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#files = files;
    this.#page = files.has(this.#page) ? this.#page : first;
    this.#none.hidden = Boolean(first);
    this.#head.hidden = !first;
    if (first) this.#load();
    else this.#drop();
  }

  #drop() {
    this.#frame?.remove();
    this.#frame = null;
  }

  /** A new frame each time, so that nothing of the page before is left. */
  #load() {
    this.#drop();
    say(this.#name, this.#page);
    say(this.#problem, "");
    this.#frame = el("iframe", { title: `Preview of ${this.#page}`, src: "/console/preview" });
    // Never allow-same-origin. Forms may be filled in, and their handlers run; they send nothing.
    this.#frame.setAttribute("sandbox", "allow-scripts allow-forms");
    this.#place.append(this.#frame);
  }

  /** What the frame says is believed as far as anybody's word: a name of a file, a text. */
  #heard({ source, data }) {
    if (!this.#frame || source !== this.#frame.contentWindow) return;
    if (data === "ready") {
      const files = [...this.#files].map(([path, { text }]) => [path, text]);
      source.postMessage({ files, page: this.#page }, "*"); // its origin is opaque and has no name
    } else if (typeof data?.page === "string" && data.page !== this.#page && this.#files.has(data.page)) {
      this.#page = data.page;
      this.#load();
    } else if (typeof data?.problem === "string") {
      say(this.#problem, `The page reports: ${data.problem.slice(0, 200)}`);
    }
  }
}
