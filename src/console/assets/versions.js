// The past of a session: its commits, newest first, with the files and the changes of each, and a
// slider that shows it as it was at any entry.

import { changesOf, diffView } from "./diff.js";
import { button, changes, el, say, when } from "./dom.js";

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
  /** What commits change, by commit, and the one whose changes are on show. */
  #changes = new Map();
  #open = null;
  #slider = el("input", { id: "replay", type: "range", min: 1, max: 1, step: 1 });
  #at = el("output", { className: "quiet", htmlFor: "replay" });
  #scrub;

  constructor(place, app) {
    this.#app = app;
    this.#slider.addEventListener("input", () => this.#replay());
    this.#scrub = el("p", { className: "scrub", hidden: true }, el("label", { htmlFor: "replay" }, "Replay"), this.#slider, this.#at);
    place.append(app.versionBar(), this.#scrub, this.#none, this.#list);
  }

  #replay() {
    const seq = Number(this.#slider.value);
    if (seq >= (this.#app.live?.last ?? 0)) this.#app.now();
    else this.#app.replay(seq);
  }

  /** The files of a commit, from the server the first time. */
  async files(session, commit) {
    const files = this.#kept.get(commit) ?? (await read(this.#app.client, session, commit));
    this.#kept.set(commit, files);
    if (this.#kept.size > KEPT_MAX) this.#kept.delete(this.#kept.keys().next().value);
    return files;
  }

  render() {
    const { live, replica, version } = this.#app;
    this.#renderSlider(live, replica);
    const commits = [...(live?.commits ?? [])].reverse();
    const busy = Boolean(live?.current);
    const shown = JSON.stringify([commits, version, busy, this.#open, this.#changes.has(this.#open)]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const held = this.#list.contains(document.activeElement) && document.activeElement.id;
    this.#none.hidden = commits.length > 0;
    this.#list.replaceChildren(...commits.map((commit, at) => this.#row(commit, at === 0)));
    if (held) document.getElementById(held)?.focus();
  }

  #renderSlider(live, replica) {
    const last = live?.last ?? 0;
    this.#scrub.hidden = last < 2;
    this.#slider.max = last;
    if (document.activeElement !== this.#slider || !this.#app.past) this.#slider.value = replica?.last ?? last;
    say(this.#at, this.#app.past ? `entry ${this.#slider.value} of ${last}` : "now");
  }

  #row(made, newest) {
    const { commit, run: id, seq, ts, to, parent, ...counts } = made;
    const { live, version } = this.#app;
    const run = live.runs.get(id);
    // Where a run's files became the head, its last word follows: that is the place to go back to.
    const place = run ? run.ended : seq;
    const here = version ? version === commit : newest;
    const short = commit.slice(0, 10);
    const act = (what, text, label, does) => button(text, does, { id: `${what}-${commit}`, className: "small", "aria-label": `${label} ${short}` });
    const show = here ? el("span", { className: "quiet" }, "on show") : act("show", "Show", "Show version", () => this.#app.showVersion(newest ? null : commit));
    const changed = act("changes", "Changes", "Changes of version", () => this.#toggle(commit));
    changed.setAttribute("aria-expanded", this.#open === commit);
    const fork = place && act("fork", "Fork", "Fork from version", () => this.#app.fork(place));
    const back = place && !newest && !live.current && !live.closed && act("rollback", "Roll back", "Roll back to version", () => this.#app.rollBack(place));
    const title = el("span", { className: "title" }, this.#title(made, run));
    const facts = el("span", { className: "quiet" }, el("code", {}, short), ` ${when(ts)}${run ? `, ${changes(counts)}` : ""}`);
    const files = this.#open === commit && this.#changes.get(commit);
    const buttons = el("div", { className: "row acts" }, show, changed, fork, back);
    return el("li", { className: here ? "here" : "" }, el("div", {}, title, facts, buttons, ...(files || []).map(diffView)));
  }

  #title({ to, at }, run) {
    if (run) return run.about || "Without a prompt";
    return to === undefined ? `Forked at entry ${at} of another session` : `Rolled back to entry ${to}`;
  }

  async #toggle(commit) {
    this.#open = this.#open === commit ? null : commit;
    this.#app.changed();
    if (!this.#open || this.#changes.has(commit)) return;
    try {
      this.#changes.set(commit, await changesOf(this.#app.client, this.#app.session, commit));
      if (this.#changes.size > KEPT_MAX) this.#changes.delete(this.#changes.keys().next().value);
    } catch (error) {
      this.#app.tell(`The changes did not come: ${error.message}`);
    }
    this.#app.changed();
  }
}
