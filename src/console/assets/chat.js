// What was asked and what was answered, as it is written; and the prompt.

import { planCard, requestCard } from "./ask.js";
import { button, bytes, changes, credits, el, say } from "./dom.js";

const IDEAS = ["a todo app with a dark mode", "a kanban board for a small team", "a quiz about rivers"];
const HELP = "Enter sends, Shift+Enter begins a line";
const WAITING = "It waits for an answer; a prompt takes its place";
const OUTCOMES = { cancelled: "Cancelled.", failed: "Failed.", interrupted: "A later prompt took its place." };
const FILE_STATES = { complete: "written", broken_off: "cut off, left out" };
const number = new Intl.NumberFormat("en");
const count = (items, many) => `${number.format(items)} ${many}`;

const toggle = (title, text, open) => el("details", { open }, el("summary", {}, title), el("p", {}, text));

/** How items look. A function gets the item and the app, and gives a node. */
const LOOKS = {
  input({ run: id, text, steers }, app) {
    const run = app.replica.runs.get(id);
    const taken = run.outcome === "steered";
    const waits = !run.started && !run.outcome;
    const cancel = button("Take it back", () => app.cancel(id), { className: "small" });
    const words = steers ? "said to the run under way" : "waits for its turn";
    const state = waits && el("p", { className: "row" }, el("span", { className: "quiet" }, words), cancel);
    const note = taken && el("p", { className: "quiet" }, "taken up by the run");
    return el("div", { className: taken ? "input steered" : "input" }, el("p", { className: "said" }, text), state || note);
  },
  text: ({ text, ended }) => el("p", { className: ended ? "answer" : "answer open" }, ended ? text.trimEnd() : text),
  reasoning: ({ text, ended }) => toggle("Reasoning", text, !ended),
  tool: ({ name, text, output, ended }) => toggle(`Tool ${name} ${ended ?? "runs"}`, `${text}\n${output}`, false),
  file({ path, text, bytes: size, ended }, app) {
    const state = ended ? FILE_STATES[ended] : "writing";
    const length = bytes(size ?? text.length);
    const open = button("", () => app.showFile(path), { className: `file ${ended ?? "open"}` });
    open.append(el("span", { className: "path" }, path), el("span", { className: "quiet" }, `${length}, ${state}`));
    return open;
  },
  deleted: ({ path }) => el("p", { className: "quiet" }, `${path} is removed.`),
  moved: ({ path, to }) => el("p", { className: "quiet" }, `${path} becomes ${to}.`),
  recovering: ({ attempt }) =>
    el("p", { className: "remark warn" }, `The server goes on after a crash (attempt ${attempt}). What was cut off is written again.`),
  commit({ commit, ...counts }, app) {
    const see = button(commit.slice(0, 10), () => app.showVersion(commit), { className: "small mono", title: "Show this version" });
    return el("p", { className: "remark" }, "Commit ", see, ` ${changes(counts)}`);
  },
  notice({ notice, message }) {
    if (notice === "file_rejected") return el("p", { className: "remark warn" }, `Left out: ${message}`);
    if (notice === "provider_wait" || notice === "provider_changed") return el("p", { className: "quiet" }, `${message}.`);
    if (notice === "cancel_requested") return el("p", { className: "quiet" }, "Asked to cancel.");
    return notice === "session_closed" ? el("p", { className: "remark" }, "The session is closed.") : null;
  },
  rollback: ({ to }) =>
    el("p", { className: "remark" }, `Rolled back to entry ${to}. What is pale is no longer part of the session; a rollback to an entry in it brings it back.`),
  fork({ parent, at }) {
    const link = el("a", { href: `#${parent}` }, "another session");
    return el("p", { className: "remark" }, "Forked from ", link, ` at its entry ${at}, with its files and its turns.`);
  },
  plan: planCard,
  request: requestCard,
  error: ({ error }) => el("p", { className: "remark warn" }, error.message),
  finished({ outcome, error, usage, paid, asks }) {
    const sum = (field) => usage.reduce((all, one) => all + one[field], 0);
    const estimate = usage.some(({ source }) => source !== "provider") ? ", estimated" : "";
    const used = `${count(sum("input_tokens"), "tokens in")}, ${count(sum("output_tokens"), "out")}${estimate}`;
    const price = paid === null ? null : credits(paid);
    const words = usage.length ? [used, price].filter(Boolean).join(", ") : "";
    const done = asks ? "Asked." : "Done.";
    if (outcome === "completed") return el("p", { className: "quiet end" }, words ? `${done} ${words}` : done);
    const said = [OUTCOMES[outcome], error?.message, paid ? `Paid: ${price}.` : null];
    return el("p", { className: "remark warn" }, said.filter(Boolean).join(" "));
  },
};

export class Chat {
  #app;
  #replica;
  #nodes = new Map();
  #title = el("h2", { tabIndex: -1 });
  #tab = el("a", { className: "button small", target: "_blank", rel: "noopener" }, "Second tab");
  #story = el("div", { className: "story", role: "log", "aria-live": "off", "aria-label": "What was said", tabIndex: 0 });
  #welcome;
  #prompt = el("textarea", { id: "prompt", rows: 2, placeholder: "Describe an app, or a change to it", "aria-describedby": "prompt-help" });
  #help = el("p", { id: "prompt-help", className: "quiet" }, HELP);
  #send = el("button", { type: "submit", className: "primary" }, "Send");
  #cancel;
  /** Ways to say something while a run is under way, beside waiting for it. */
  #busy;
  #plan = el("input", { id: "plan", type: "checkbox" });

  constructor(place, app) {
    this.#app = app;
    this.#cancel = button("Cancel the run", () => app.cancel(app.replica.current.run), { id: "cancel", className: "danger" });
    const ideas = IDEAS.map((idea) => button(idea, () => this.#propose(idea)));
    this.#welcome = el(
      "div",
      { className: "welcome" },
      el("p", {}, "Say what it shall build. Text and files appear as they are written, here and in every other tab."),
      el("div", { className: "ideas" }, ...ideas),
    );
    const steer = button("Steer", () => this.#start("steer"), { id: "steer", title: "The run takes it up at its next complete file" });
    const interrupt = button("Interrupt", () => this.#start("interrupt"), { id: "interrupt", title: "Ends the run and takes its place" });
    this.#busy = [this.#cancel, interrupt, steer];
    const plan = el("label", { className: "check" }, this.#plan, "Plan first");
    const buttons = el("div", { className: "row" }, plan, this.#help, ...this.#busy, this.#send);
    const label = el("label", { className: "unseen", htmlFor: "prompt" }, "Prompt");
    const form = el("form", { method: "post", className: "composer" }, label, this.#prompt, buttons);
    form.addEventListener("submit", (event) => this.#submit(event));
    this.#prompt.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    place.append(el("header", {}, this.#title, this.#tab), this.#story, form);
  }

  focus() {
    this.#prompt.focus();
  }

  #propose(idea) {
    this.#prompt.value = idea;
    this.#prompt.focus();
  }

  #submit(event) {
    event.preventDefault();
    this.#start("queue");
  }

  #start(on_busy) {
    const text = this.#prompt.value.trim();
    if (!text) return this.#prompt.focus();
    this.#prompt.value = "";
    this.#app.start(text, { on_busy, plan: this.#plan.checked && on_busy !== "steer" });
  }

  render() {
    const { follow, past, replica, session } = this.#app;
    say(this.#title, session ? replica?.title || "Session" : "New session");
    this.#tab.hidden = !session;
    if (session) this.#tab.href = `/console#${session}`;
    const running = Boolean(replica?.current) && !past;
    for (const one of this.#busy) one.hidden = !running;
    say(this.#help, running ? (replica.current.step === "planning" ? "It plans." : "") : replica?.waiting && !past ? WAITING : HELP);
    say(this.#send, running ? "Queue" : "Send");
    this.#send.disabled = this.#prompt.disabled = Boolean(replica?.closed || follow?.ended || past);
    const pinned = this.#story.scrollHeight - this.#story.scrollTop - this.#story.clientHeight < 40;
    this.#items(replica);
    if (pinned) this.#story.scrollTop = this.#story.scrollHeight;
  }

  #items(replica) {
    if (replica !== this.#replica) {
      this.#replica = replica;
      this.#nodes.clear();
      this.#story.replaceChildren(...(replica ? [] : [this.#welcome]));
    }
    const { follow, past, pending } = this.#app;
    const items = [...(replica?.items ?? []), ...(past ? [] : pending)];
    if (follow?.ended) items.push(this.#ended(follow.ended));
    const gone = new Set(this.#nodes.keys());
    let before = null;
    for (const item of items) {
      gone.delete(item);
      const seen = this.#nodes.get(item);
      if (seen?.version === item.version) {
        before = seen.node ?? before;
        continue;
      }
      const node = item.kind === "pending" ? this.#pending(item) : LOOKS[item.kind](item, this.#app);
      if (item.left) node?.classList.add("left");
      if (seen?.node && node) seen.node.replaceWith(node);
      else if (node && before) before.after(node);
      else if (node) this.#story.prepend(node);
      this.#nodes.set(item, { node, version: item.version });
      before = node ?? before;
    }
    for (const item of gone) {
      this.#nodes.get(item).node?.remove();
      this.#nodes.delete(item);
    }
  }

  #pending({ text }) {
    const state = el("p", { className: "quiet" }, "not answered yet; it is sent until it is");
    return el("div", { className: "input pending" }, el("p", { className: "said" }, text), state);
  }

  /** The same item as long as it says the same. */
  #ended(reason) {
    const known = [...this.#nodes.keys()].find((item) => item.reason === reason);
    const message = reason === "session_not_found" ? "There is no such session, or it is another user's." : `The server ended this: ${reason}.`;
    return known ?? { kind: "error", version: 0, reason, error: { message } };
  }
}

