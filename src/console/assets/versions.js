// The commits of a session, newest first, and the files of each.

import { button, changes, el, when } from "./dom.js";

/** Most commits whose files are kept. */
const KEPT_MAX = 8;

/** Reads the files of a commit from the server, by path: `{ text, oid }`. */
async function read(client, session, commit) {
  const files = new Map();
  let after = null;
  do {
    const page = await client.call("files.list", { session, params: { commit, ...(after && { after }) } });
    for (const { path, oid } of page.files) files.set(path, { text: await text(client, session, commit, path), oid });
    after = page.next_after ?? null;
  } while (after);
  return files;
}

async function text(client, session, commit, path) {
  let [all, offset] = ["", 0];
  while (offset !== null) {
    const slice = await client.call("files.get", { session, params: { path, commit, offset } });
    all += slice.text;
    offset = slice.next_offset ?? null;
  }
  return all;
}

export class Versions {
  #app;
  #list = el("ol", { className: "list", "aria-label": "Versions" });
  #none = el("p", { className: "empty" }, "No commit yet: a run commits its files when it completes.");
  #shown = "";
  /** Files by commit; commits never change. */
  #kept = new Map();

  constructor(place, app) {
    this.#app = app;
    place.append(this.#none, this.#list);
  }

  /** The files of a commit, from the server the first time. */
  async files(session, commit) {
    const files = this.#kept.get(commit) ?? (await read(this.#app.client, session, commit));
    this.#kept.set(commit, files);
    if (this.#kept.size > KEPT_MAX) this.#kept.delete(this.#kept.keys().next().value);
    return files;
  }

  render() {
    const { replica, version } = this.#app;
    const commits = [...(replica?.commits ?? [])].reverse();
    const shown = JSON.stringify([commits, version]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const held = this.#list.contains(document.activeElement) && document.activeElement.id;
    this.#none.hidden = commits.length > 0;
    this.#list.replaceChildren(...commits.map((commit, at) => this.#row(commit, at === 0)));
    if (held) document.getElementById(held)?.focus();
  }

  #row({ commit, run, ts, ...counts }, newest) {
    const { replica, version } = this.#app;
    const here = version ? version === commit : newest;
    const ask = () => this.#app.showVersion(newest ? null : commit);
    const name = { id: `show-${commit}`, className: "small", "aria-label": `Show version ${commit.slice(0, 10)}` };
    const show = here ? el("span", { className: "quiet" }, "on show") : button("Show", ask, name);
    const title = el("span", { className: "title" }, replica.runs.get(run)?.input || "Without a prompt");
    const facts = el("span", { className: "quiet" }, el("code", {}, commit.slice(0, 10)), ` ${when(ts)}, ${changes(counts)}`);
    return el("li", { className: here ? "here" : "" }, el("div", {}, title, facts), show);
  }
}
