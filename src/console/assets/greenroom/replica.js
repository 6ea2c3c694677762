// What a session has said so far, built from its entries in their order. Pure.

const encoder = new TextEncoder();

/** What a part of this kind of event is: the word before the first dot. */
const kindOf = (type) => type.slice(0, type.indexOf("."));

/**
 * Built from entry 1 it is whole. Built from a later one it holds what came since.
 *
 * `items` is the story for a reader, in order; an item is `{ kind, version, … }` with the kinds
 * "input", "text", "reasoning", "tool", "file", "moved", "deleted", "recovering", "commit",
 * "notice", "error", "rollback", "fork", "plan", "request" and "finished"; `seq` is the entry that
 * began it. `version` grows whenever the item changes; `left` is set while a rollback has left it
 * behind. A "plan" is `{ run, spec, understood, quote }`, a "request" is `{ run, ask, text,
 * questions }`; both have the number of the request that waits with them, `request`, or null, and
 * what became of it, `resolved`: `{ answered, by, text }` or null.
 */
export class Replica {
  /** The entry before the first one applied. */
  base = 0;
  /** The last entry applied. */
  last = 0;
  title = "";
  closed = false;
  items = [];
  /**
   * Runs by id, oldest first: `{ run, input, started, step, outcome, error, usage, paid, ended,
   * about, steers, answers, understood, plan, quote }`; `ended` is the entry. `about` is the prompt
   * that it goes on from, where it answers a request, `answers`; `steers` the run that it was said
   * to, which took it up where the outcome is "steered".
   */
  runs = new Map();
  /** The run that is under way. */
  current = null;
  /** What the session waits with: `{ request, run, kind, text, questions }`; null: nothing. */
  waiting = null;
  /** Files as of the last commit, by path: `{ text, sha256 }`. */
  files = new Map();
  /**
   * Heads of files, oldest first: `{ commit, run, seq, ts, added, changed, removed }` of runs,
   * `{ commit, seq, ts, to }` of rollbacks, `{ commit, seq, ts, parent, at }` of the beginning of a
   * fork.
   */
  commits = [];
  /** Whether `files` are all files: not where they began before the replica did. */
  whole = true;

  #parts = new Map();
  #staged = [];
  /** What the runs that asked were about, by request. */
  #asked = new Map();
  /** Files by commit, so that a rollback finds them again. */
  #seen = new Map();
  /** After which entry which entries are part of the session: `{ seq, spans }`, oldest first. */
  #lines = [{ seq: 0, spans: [] }];

  constructor(base = 0) {
    this.base = this.last = base;
    this.whole = base === 0;
  }

  /** The runs that wait for the current one to end. */
  get queue() {
    return [...this.runs.values()].filter(({ started, outcome }) => !started && !outcome);
  }

  /**
   * The files as they will be if the current run commits: by path, in order,
   * `{ text, sha256, state }` with the states "committed", "written", "writing" and "cut_off";
   * the last two only with `open`. `committed` are the files of the last commit, for a replica that
   * is not whole.
   */
  working({ open = true, committed = this.files } = {}) {
    const files = new Map([...committed].map(([path, file]) => [path, { ...file, state: "committed" }]));
    this.#change(files, "written");
    for (const part of open ? this.#parts.values() : []) {
      if (part.kind !== "file" || part.run !== this.current?.run || part.ended === "complete") continue;
      files.set(part.path, { text: part.text, sha256: null, state: part.ended ? "cut_off" : "writing" });
    }
    return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Applies an entry that follows the last one. */
  apply(ev) {
    const { event, seq } = ev;
    const from = ev.from ?? seq;
    if (from !== this.last + 1) throw new Error(`entry ${from} was applied after entry ${this.last}`);
    this.last = seq;
    const kind = kindOf(event.type);
    if (/^(text|reasoning|tool|file)$/.test(kind) && event.part !== undefined) this.#part(kind, event, from);
    else this.#whole(event, ev);
  }

  #item(item) {
    this.items.push({ version: 0, seq: this.last, left: false, ...item });
    return this.items.at(-1);
  }

  /** The entries that are part of the session as it was at an entry: spans, both ends included. */
  #line(at) {
    const { seq, spans } = this.#lines.findLast((line) => line.seq <= at);
    return [...spans, [seq, at]];
  }

  #run(run) {
    if (!this.runs.has(run)) {
      this.runs.set(run, { run, input: "", started: false, step: null, outcome: null, error: null, usage: [], paid: null, about: "", steers: null, answers: null });
    }
    return this.runs.get(run);
  }

  // ---- Parts ------------------------------------------------------------------------------------

  #part(kind, event, from) {
    const { type, part: number } = event;
    let part = this.#parts.get(number);
    if (type === `${kind}.start` || !part) {
      // A start that was missed is made up, where the replica began in the middle of the part.
      if (type !== `${kind}.start` && (this.base === 0 || event.text === undefined)) return;
      const { path = "", name = "" } = event;
      const run = this.current?.run ?? null;
      part = this.#item({ kind, number, from, run, path, name, text: "", output: "", ended: null });
      part.headless = type !== `${kind}.start`;
      this.#parts.set(number, part);
    }
    part.version += 1;
    if (type === "tool.output.delta") part.output += event.text;
    else if (type.endsWith(".delta")) part.text += event.text;
    else if (type === "file.end") this.#fileEnd(part, event);
    else if (type.endsWith(".end")) part.ended = event.ok === false ? "failed" : "complete";
  }

  #fileEnd(part, { complete, bytes, sha256 }) {
    part.ended = complete ? "complete" : "broken_off";
    part.bytes = bytes;
    if (!complete || part.headless) return;
    const held = encoder.encode(part.text).length;
    if (held !== bytes) throw new Error(`${part.path} holds ${held} bytes, its end says ${bytes}`);
    part.sha256 = sha256;
    this.#staged.push({ write: part.path, file: { text: part.text, sha256 } });
  }

  #change(files, state) {
    for (const { write, file, remove, move, to } of this.#staged) {
      if (write !== undefined) files.set(write, { ...file, state });
      else if (remove !== undefined) files.delete(remove);
      else if (files.has(move)) {
        files.set(to, { ...files.get(move), state });
        files.delete(move);
      }
    }
  }

  // ---- Everything else --------------------------------------------------------------------------

  #whole(event, { seq, ts }) {
    const { run: id } = event;
    switch (event.type) {
      case "input.user": {
        const run = this.#run(id);
        const { text, cid, steers = null, answers = null } = event;
        Object.assign(run, { input: text, cid, steers, answers, about: this.#asked.get(answers) ?? text });
        // An approval without a remark says nothing that its card does not.
        if (text || answers === null) this.#item({ kind: "input", run: id, text, ts, steers });
        break;
      }
      case "run.started":
        this.current = Object.assign(this.#run(id), { started: true, provider: event.provider, model: event.model });
        this.#touch(id);
        break;
      case "run.classified": {
        const { intent, complexity, confidence } = event;
        this.#run(id).understood = { intent, complexity, confidence };
        break;
      }
      case "run.planned": {
        const run = this.#run(id);
        run.plan = event.spec;
        this.#item({ kind: "plan", run: id, spec: event.spec, understood: run.understood ?? null, quote: null, request: null, resolved: null });
        break;
      }
      case "run.quoted": {
        const { price, cost, hold, approved } = event;
        const quote = (this.#run(id).quote = { price, cost, hold, approved });
        this.#update(this.#planOf(id), { quote });
        break;
      }
      case "input.requested": return this.#requested(event);
      case "input.resolved": return this.#resolved(event);
      case "run.recovering": return this.#recovering(event);
      case "run.finished": return this.#finished(event);
      case "step.started":
        if (this.current) this.current.step = event.name;
        break;
      case "file.deleted":
        this.#staged.push({ remove: event.path });
        this.#item({ kind: "deleted", path: event.path });
        break;
      case "file.moved":
        this.#staged.push({ move: event.from, to: event.to });
        this.#item({ kind: "moved", path: event.from, to: event.to });
        break;
      case "files.committed": return this.#committed(event, seq, ts);
      case "session.rolled_back": return this.#rolledBack(event, seq, ts);
      case "session.forked":
        this.whole = !event.commit;
        if (event.commit) this.#head({ commit: event.commit, seq, ts, parent: event.parent, at: event.at });
        this.#item({ kind: "fork", parent: event.parent, at: event.at });
        break;
      case "usage":
        this.#run(id).usage.push(event.usage);
        break;
      case "credits.settled":
        this.#run(id).paid = event.paid;
        break;
      case "notice": return this.#notice(event);
      case "error":
        this.#item({ kind: "error", error: event.error });
        break;
      default: // for display alone, or of a later server
    }
  }

  #touch(run) {
    for (const item of this.items) if (item.kind === "input" && item.run === run) item.version += 1;
  }

  #update(item, changes) {
    if (item) Object.assign(item, changes, { version: item.version + 1 });
  }

  #planOf(run) {
    return this.items.findLast((item) => item.kind === "plan" && item.run === run);
  }

  #requested({ request, run, kind = "unknown", text, questions = [] }) {
    this.waiting = { request, run, kind, text, questions };
    this.#asked.set(request, this.#run(run).about);
    const plan = kind === "plan" && this.#planOf(run);
    if (plan) this.#update(plan, { request });
    else this.#item({ kind: "request", run, ask: kind, text, questions, request, resolved: null });
  }

  #resolved({ request, answered, by = null, text = "" }) {
    if (this.waiting?.request === request) this.waiting = null;
    const isIt = (item) => (item.kind === "plan" || item.kind === "request") && item.request === request;
    this.#update(this.items.findLast(isIt), { resolved: { answered, by, text } });
  }

  #committed({ commit, run, added, changed, removed }, seq, ts) {
    this.#change(this.files, "committed");
    for (const file of this.files.values()) delete file.state;
    this.#staged = [];
    const made = { commit, run, seq, ts, added, changed, removed };
    this.#head(made);
    this.#item({ kind: "commit", ...made });
  }

  #head(made) {
    this.commits.push(made);
    this.#seen.set(made.commit, { files: new Map(this.files), whole: this.whole });
  }

  /** Nothing leaves the log: what is left behind says so, until a later rollback brings it back. */
  #rolledBack({ to, files, commit }, seq, ts) {
    const restored = files ? (this.#seen.get(files) ?? { files: [], whole: false }) : { files: [], whole: true };
    this.files = new Map(restored.files);
    this.whole = restored.whole;
    if (commit) this.#head({ commit, seq, ts, to });
    this.#lines.push({ seq, spans: this.#line(to) });
    const line = this.#line(seq);
    for (const item of this.items) {
      const left = !line.some(([first, last]) => first <= item.seq && item.seq <= last);
      if (left !== item.left) Object.assign(item, { left, version: item.version + 1 });
    }
    this.#item({ kind: "rollback", to, ts });
  }

  /** The part that was open is void: whoever reads drops it. Complete files stay staged. */
  #recovering({ run, attempt, superseded_from: from }) {
    this.current = this.#run(run);
    const isVoid = (part) => part && from !== undefined && !part.ended && part.from >= from;
    this.items = this.items.filter((item) => !(this.#parts.get(item.number) === item && isVoid(item)));
    for (const [number, part] of this.#parts) if (isVoid(part)) this.#parts.delete(number);
    this.#item({ kind: "recovering", run, attempt });
  }

  #finished({ run: id, outcome, error = null }) {
    const run = Object.assign(this.#run(id), { outcome, error, ended: this.last });
    // What another run took up is part of that one.
    if (outcome !== "steered") this.#item({ kind: "finished", run: id, outcome, error, usage: run.usage, paid: run.paid, asks: this.waiting?.run === id });
    this.#touch(id);
    if (this.current && this.current !== run) return; // it ended in the queue
    this.current = null;
    this.#staged = []; // what was not committed never will be
    for (const part of this.#parts.values()) {
      if (!part.ended) Object.assign(part, { ended: "broken_off", version: part.version + 1 });
    }
  }

  #notice({ notice, message = "", run }) {
    if (notice === "session_created") this.title = message;
    else if (notice === "session_closed") this.closed = true;
    this.#item({ kind: "notice", notice, message, run });
  }
}
