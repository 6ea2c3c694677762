// The files of what is shown: a tree, and the source of one of them.

import { bytes, el, roving, say } from "./dom.js";
import { Source } from "./source.js";

const STATES = { writing: "writing", written: "new", committed: "", cut_off: "cut off" };
const encoder = new TextEncoder();

/** Whether a text has this SHA-256; null where the browser does not say (no secure context). */
async function matches(text, sha256) {
  if (!crypto.subtle || !sha256) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

/** Paths with the folders above them, in order: `{ path, name, level, folder }`. */
function rows(paths) {
  const all = [];
  const seen = new Set();
  for (const path of paths) {
    const names = path.split("/");
    names.forEach((name, at) => {
      const upTo = names.slice(0, at + 1).join("/");
      const folder = at < names.length - 1;
      if (!folder || !seen.has(upTo)) all.push({ path: upTo, name, level: at + 1, folder });
      seen.add(upTo);
    });
  }
  return all;
}

export class Files {
  #app;
  #tree = el("ul", { className: "tree", role: "tree", "aria-label": "Files" });
  #path = el("h3", { className: "mono" });
  #facts = el("p", { className: "quiet" });
  #none = el("p", { className: "empty" }, "No files yet.");
  #body;
  #source = new Source();
  #shown = "";
  #checked = null;
  #retab;
  /** The file that the user picked; none: the one that is being written. */
  #picked = null;
  #current = null;

  constructor(place, app) {
    this.#app = app;
    this.#retab = roving(this.#tree, "[role=treeitem]:not(.folder)", (item) => item.getAttribute("aria-selected") === "true", (item) => this.#pick(item.dataset.path));
    const head = el("header", {}, this.#path, this.#facts);
    this.#body = el("div", { className: "columns" }, this.#tree, el("div", { className: "reader" }, head, this.#source.node));
    place.append(app.versionBar(), this.#none, this.#body);
  }

  /** Shows a file; none: whichever is being written. */
  pick(path) {
    this.#picked = path;
  }

  #pick(path) {
    this.#picked = path;
    this.#app.changed();
  }

  render() {
    const files = this.#app.files();
    this.#none.hidden = files.size > 0;
    this.#body.hidden = files.size === 0;
    if (!files.size) return;
    const open = [...files].find(([, { state }]) => state === "writing")?.[0];
    const current = files.has(this.#picked) ? this.#picked : (open ?? this.#last(files));
    this.#paintTree(files, current);
    const { text, sha256, state } = files.get(current);
    this.#source.show(current, text, state === "writing");
    say(this.#path, current);
    this.#check(current, text, sha256, state);
    this.#current = current;
  }

  /** Without a choice of the user's: the file that was shown, or the page. */
  #last(files) {
    if (files.has(this.#current)) return this.#current;
    return files.has("index.html") ? "index.html" : files.keys().next().value;
  }

  #paintTree(files, current) {
    const items = rows(files.keys()).map((row) => ({ ...row, state: files.get(row.path)?.state, here: row.path === current }));
    const shown = JSON.stringify(items);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const held = this.#tree.contains(document.activeElement);
    this.#tree.replaceChildren(...items.map((item) => this.#row(item)));
    this.#retab();
    if (held) this.#tree.querySelector("[aria-selected=true]")?.focus();
  }

  #row({ path, name, level, folder, state, here }) {
    if (folder) return el("li", { role: "treeitem", className: `folder level-${Math.min(level, 6)}`, "aria-level": level, "aria-expanded": "true" }, name);
    const item = el("li", { role: "treeitem", className: `level-${Math.min(level, 6)}`, "aria-level": level, "aria-selected": here }, name);
    item.dataset.path = path;
    item.addEventListener("click", () => this.#pick(path));
    if (STATES[state]) item.append(el("span", { className: `state ${state}` }, STATES[state]));
    return item;
  }

  /** Says the file's length, and compares its SHA-256 with the server's once it is whole. */
  async #check(path, text, sha256, state) {
    const length = bytes(encoder.encode(text).length);
    const key = `${path} ${sha256}`;
    if (!sha256 || this.#checked?.key === key) {
      say(this.#facts, [length, sha256 ? this.#checked.verdict : STATES[state]].filter(Boolean).join(", "));
      return;
    }
    this.#checked = { key, verdict: "" };
    const right = await matches(text, sha256);
    if (this.#checked.key !== key) return;
    this.#checked.verdict = right === null ? "" : right ? "SHA-256 matches" : "SHA-256 DIFFERS";
    this.#app.changed();
  }
}
