// The console: what is followed, what is on show, and what the panels may ask for.

import { Account } from "./account.js";
import { Chat } from "./chat.js";
import { Connection } from "./connection.js";
import { button, el, framed, say } from "./dom.js";
import { Files } from "./files.js";
import { Follow } from "./follow.js";
import { Client, Outbox, newId } from "./greenroom/greenroom.js";
import { Log } from "./log.js";
import { Past } from "./past.js";
import { Preview } from "./preview.js";
import { Sessions } from "./sessions.js";
import { signIn } from "./sign-in.js";
import { Tabs } from "./tabs.js";
import { Versions } from "./versions.js";

const SESSION = /^#(ses_[0-9a-f]{32})$/;
/** How long a remark stays. */
const REMARK_MS = 12_000;
/** Letters of a prompt that become the title: at most four bytes each, the limit is 200. */
const TITLE_LETTERS = 48;

/** What is said of the end of a run. */
const ended = (outcome) => (outcome === "steered" ? "The run takes up what was said to it." : `The run has ended: ${outcome}.`);

const byId = (id) => document.getElementById(id);
const socketUrl = () => `${location.origin.replace(/^http/, "ws")}/ws`;

class App {
  /** The session that is followed; none: null. */
  session = null;
  follow = null;
  /** What the user has: `{ seq, available, held }`; null: not known, or the server has no credits. */
  balance = null;
  /** The commit whose files are shown; null: the files as they are now. */
  version = null;
  /** The session as it was at an earlier entry, while that is on show: see [`Past`]. */
  past = null;
  #versionFiles = new Map();
  /** Files of the last commit by its id, for a replica that is not whole. */
  #committed = { commit: null, files: new Map() };
  #bars = [];
  #pending = new Map();
  #remark = 0;
  #views;

  constructor(account) {
    this.account = account;
    const outbox = new Outbox(localStorage, `greenroom.commands.${account.user}`);
    const token = (renew) => account.token(renew);
    this.client = new Client({ url: socketUrl(), token, name: "console", outbox });
    this.changed = framed(() => this.#render());
    this.client.on("state", () => this.#state());
    this.client.on("balance", (balance) => this.#balance(balance));
    this.client.on("limits", () => this.tell("The server asks for fewer messages; they wait a little."));
    this.client.on("error", (error) => this.tell(error.message));
    this.chat = new Chat(byId("chat"), this);
    this.sessions = new Sessions(byId("sessions"), this);
    this.versions = new Versions(byId("versions"), this);
    this.filesView = new Files(byId("files"), this);
    const others = [new Preview(byId("preview"), this), new Log(byId("log"), this), new Connection(byId("connection"), this)];
    this.#views = [this.chat, this.sessions, this.versions, this.filesView, ...others];
    this.tabs = new Tabs(byId("tabs"), byId("console"), this.changed);
    window.addEventListener("hashchange", () => this.#route());
    window.addEventListener("resize", () => this.tabs.show(byId("console").dataset.view));
    window.addEventListener("online", () => this.client.wake());
    document.addEventListener("visibilitychange", () => this.#seen());
    this.#route();
    this.client.start();
    // On a phone the keyboard would cover half of the page.
    if (!this.session && matchMedia("(min-width: 60rem)").matches) this.chat.focus();
  }

  // ---- What the panels show -----------------------------------------------------------------------

  /** What is on show: the session as it is, or as it was. */
  get replica() {
    return this.past?.replica ?? this.live;
  }

  /** The session as it is. */
  get live() {
    return this.follow?.replica ?? null;
  }

  /** Prompts that were sent and that the log does not have yet. */
  get pending() {
    const known = new Set([...(this.live?.runs.values() ?? [])].map(({ cid }) => cid));
    const calls = this.client.unanswered.filter(({ method, session, cid }) => method === "run.start" && session === this.session && !known.has(cid));
    this.#pending = new Map(calls.map(({ cid, params }) => [cid, this.#pending.get(cid) ?? { kind: "pending", version: 0, text: params.input }]));
    return this.#pending.values();
  }

  /** The files on show, by path: `{ text, … }`; with `open` those that are being written, too. */
  files({ open = true } = {}) {
    if (this.version) return this.#versionFiles;
    const { replica } = this;
    if (!replica) return new Map();
    return replica.working(replica.whole ? { open } : { open, committed: this.#base(replica.commits.at(-1)?.commit) });
  }

  /** The files of a commit whose text is not in the log that was read: until they have come, those of before. */
  #base(commit) {
    if (commit && commit !== this.#committed.commit) {
      const { session } = this;
      this.#committed = { commit, files: this.#committed.files };
      const came = (files) => {
        if (session !== this.session || this.#committed.commit !== commit) return;
        this.#committed = { commit, files };
        this.changed();
      };
      this.versions.files(session, commit).then(came, (error) => this.tell(`The files did not come: ${error.message}`));
    }
    return this.#committed.files;
  }

  /** A bar that says what is shown while it is not the latest. */
  versionBar() {
    const text = el("span", {});
    const bar = el("p", { className: "version-bar", hidden: true }, text, button("Back to now", () => this.now(), { className: "small" }));
    this.#bars.push({ bar, text });
    return bar;
  }

  // ---- What they ask for --------------------------------------------------------------------------

  open(session) {
    const hash = session ? `#${session}` : "";
    if (location.hash !== hash) history.pushState(null, "", `/console${hash}`);
    this.#route();
    this.tabs.show("chat");
    if (!session) this.chat.focus();
  }

  /**
   * Starts a run, in a new session where none is open. Where another is under way, it waits
   * ("queue"), takes its place ("interrupt"), or is said to it ("steer"). With `plan`, it first says
   * what it would do.
   */
  async start(input, { plan = false, on_busy = "queue" } = {}) {
    const fresh = !this.session;
    const session = this.session ?? newId("ses");
    const asked = [];
    if (fresh) {
      const title = Array.from(input.split("\n")[0]).slice(0, TITLE_LETTERS).join("");
      asked.push(this.client.command("session.create", { session, params: { title } }));
    }
    asked.push(this.client.command("run.start", { session, params: { input, on_busy, ...(plan && { plan }) } }));
    this.filesView.pick(null);
    this.now();
    if (fresh) this.open(session);
    this.changed();
    await this.#answered(asked);
    this.sessions.refresh();
  }

  /** Answers what the session waits with. */
  respond(request, accept, text = "") {
    return this.#answered([this.client.command("input.respond", { session: this.session, params: { request, accept, text } })]);
  }

  /** Goes on from what the session was at an entry. */
  rollBack(to) {
    this.now();
    this.#answered([this.client.command("session.rollback", { session: this.session, params: { to } })]);
  }

  /** Begins a session from what this one was at an entry, and opens it. */
  async fork(at) {
    const [session, parent] = [newId("ses"), this.session];
    try {
      await this.client.command("session.fork", { session, params: { parent, at } });
      this.open(session);
      this.sessions.refresh();
    } catch (error) {
      this.tell(`The fork was not made: ${error.message}`);
    }
  }

  /** Shows the session as it was at an entry. */
  async replay(seq) {
    const { follow, session } = this;
    const past = this.past ?? new Past(this.client, follow);
    try {
      await past.show(seq);
      if (session !== this.session) return;
      this.past = past;
      this.version = null;
    } catch (error) {
      this.tell(`The past did not come: ${error.message}`);
    }
    this.changed();
  }

  /** Shows the session as it is. */
  now() {
    this.past = null;
    this.showVersion(null);
  }

  cancel(run) {
    this.#answered([this.client.command("run.cancel", { session: this.session, params: { run } })]);
  }

  async #answered(asked) {
    try {
      await Promise.all(asked);
    } catch (error) {
      this.tell(error.message);
    }
    this.changed();
  }

  cut() {
    this.client.cut();
  }

  show(view) {
    this.tabs.show(view);
  }

  showFile(path) {
    this.filesView.pick(path);
    this.show("files");
  }

  /** Shows the files of a commit; null: as they are now. */
  async showVersion(commit) {
    const { session } = this;
    try {
      const files = commit && (await this.versions.files(session, commit));
      if (session !== this.session) return;
      this.version = commit;
      this.#versionFiles = files ?? new Map();
      if (commit) this.show(byId("console").dataset.side === "preview" ? "preview" : "files");
    } catch (error) {
      this.tell(`The version did not come: ${error.message}`);
    }
    this.changed();
  }

  tell(text) {
    say(byId("status"), text);
    clearTimeout(this.#remark);
    this.#remark = setTimeout(() => say(byId("status"), ""), REMARK_MS);
  }

  async signOut() {
    this.client.stop();
    await this.account.signOut();
    location.assign("/console");
  }

  // ---- What happens -------------------------------------------------------------------------------

  #route() {
    const session = SESSION.exec(location.hash)?.[1] ?? null;
    if (session === this.session && (session === null || this.follow)) return this.changed();
    this.follow?.stop();
    this.session = session;
    this.version = this.past = null;
    this.#committed = { commit: null, files: new Map() };
    this.filesView.pick(null);
    this.follow = session && new Follow(this.client, session, { changed: () => this.#said(), tell: (text) => this.tell(text) });
    this.changed();
  }

  /** Something was said; at the beginning and the end of a run the list changes, too. */
  #said() {
    this.changed();
    const type = this.follow?.entries.at(-1)?.event.type;
    if (this.follow?.phase !== "live" || !/^(run\.(started|finished)|input\.resolved)$/.test(type)) return;
    this.sessions.refresh();
    if (type === "run.finished") this.tell(this.live.waiting ? "It asks before it goes on." : ended(this.follow.entries.at(-1).event.outcome));
  }

  #state() {
    const { state, failure, retryAt } = this.client;
    if (state === "ready") {
      this.sessions.refresh();
      // A server without credits refuses, and shows none.
      this.client.call("credits.get").then(({ balance }) => this.#balance(balance), () => {});
    }
    if (state === "backoff") {
      this.follow?.lost();
      const wait = ((retryAt - Date.now()) / 1000).toFixed(1);
      const after = this.live?.last ? ` after entry ${this.live.last}` : "";
      this.tell(`Connection lost${after}. Trying again in ${wait} s.`);
    }
    if (state === "failed") this.#failed(failure);
    this.changed();
  }

  /** Of two balances the one with the later transaction counts. */
  #balance(balance) {
    if (balance.seq < (this.balance?.seq ?? 0)) return;
    this.balance = balance;
    this.changed();
  }

  /** A sign-in that has ended leads to a new one, anything else is said. */
  async #failed({ code, reason }) {
    if (reason === "no_token" || code === 4501 || code === 4503) {
      await this.account.signOut();
      begin("Your sign-in has ended. Sign in again: nothing is lost.");
    } else {
      this.tell(`The server has closed the connection for good: ${reason || code}. Load the page again to try once more.`);
    }
  }

  #seen() {
    if (document.hidden) return;
    this.client.wake();
    if (this.client.state === "ready") this.sessions.refresh();
    this.changed();
  }

  #render() {
    for (const { bar, text } of this.#bars) {
      bar.hidden = !this.version && !this.past;
      say(text, this.version ? `Version ${this.version.slice(0, 10)}` : `As it was at entry ${this.past?.replica.last}`);
    }
    for (const view of this.#views) view.render();
    document.title = `${this.replica?.title || "Greenroom"} – console`;
  }
}

/** The console, once somebody is signed in; for the curious, and for tests. */
export let app = null;

function begin(why) {
  const account = Account.stored();
  byId("sign-in").hidden = Boolean(account);
  byId("console").hidden = byId("connection").hidden = !account;
  if (account && !app) app = new App(account);
  else if (account) location.reload(); // another account, or the same anew
  else signIn(byId("sign-in"), () => begin(), why);
}

// A tab follows when another one signs in or out.
window.addEventListener("storage", ({ key, oldValue, newValue }) => {
  if (key === "greenroom.account" && Boolean(oldValue) !== Boolean(newValue)) location.reload();
});
begin();
