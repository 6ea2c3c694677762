// The entries of the log as they were applied, and what became of the socket between them.

import { credits, el } from "./dom.js";

/** Most rows on show; the latest stay. */
const ROWS_MAX = 400;

/** What an event says, in a few words. */
function detail({ type, ...fields }) {
  const { text, path, part, name, outcome, commit, provider, model, notice, message, parent, at, to, attempt, usage, error, complete, amount, paid, intent, complexity, spec, request, answered, hold } = fields;
  const words = [
    part !== undefined && `#${part}`,
    path ?? fields.from,
    parent && `from ${parent} at ${at}`,
    to && `to ${to}`,
    name,
    notice,
    message && `“${message}”`,
    provider && `${provider}, ${model}`,
    intent && `${intent}, ${complexity}`,
    spec?.overview,
    hold !== undefined && credits(hold),
    request !== undefined && `request ${request}`,
    answered !== undefined && (answered ? "answered" : "not answered"),
    outcome,
    attempt && `attempt ${attempt}`,
    commit?.slice(0, 10),
    complete === false && "cut off",
    error?.message,
    usage && `${usage.input_tokens} in, ${usage.output_tokens} out`,
    amount !== undefined && credits(amount),
    paid !== undefined && credits(paid),
    text !== undefined && `${JSON.stringify(text.slice(0, 80))}${text.length > 80 ? "…" : ""}`,
  ];
  return words.filter(Boolean).join(" ");
}

export class Log {
  #app;
  #place;
  #rows = el("ol", { className: "rows", tabIndex: 0, "aria-label": "Entries" });
  #none = el("p", { className: "empty" }, "Nothing has been said yet.");
  #replica = null;
  #last = 0;
  #marks = 0;

  constructor(place, app) {
    this.#app = app;
    this.#place = place;
    place.append(this.#none, this.#rows);
  }

  render() {
    if (this.#place.offsetParent === null) return;
    const { follow, live: replica } = this.#app;
    if (replica !== this.#replica) {
      [this.#replica, this.#last, this.#marks] = [replica, 0, 0];
      this.#rows.replaceChildren();
    }
    this.#none.hidden = Boolean(follow?.entries.length);
    if (!follow) return;
    const pinned = this.#rows.scrollHeight - this.#rows.scrollTop - this.#rows.clientHeight < 40;
    const fresh = follow.entries.filter(({ seq }) => seq > this.#last).slice(-ROWS_MAX);
    for (const ev of fresh) {
      this.#mark(follow.marks, (ev.from ?? ev.seq) - 1);
      this.#rows.append(this.#row(ev));
      this.#last = ev.seq;
    }
    this.#mark(follow.marks, this.#last);
    while (this.#rows.childElementCount > ROWS_MAX) this.#rows.firstElementChild.remove();
    if (pinned) this.#rows.scrollTop = this.#rows.scrollHeight;
  }

  /** Rows for what happened up to an entry. */
  #mark(marks, upTo) {
    while (this.#marks < marks.length && marks[this.#marks].after <= upTo) {
      this.#rows.append(el("li", { className: "mark" }, marks[this.#marks].text));
      this.#marks += 1;
    }
  }

  #row({ seq, from, event }) {
    const numbers = from === undefined ? `${seq}` : `${from}–${seq}`;
    return el("li", {}, el("span", { className: "seq" }, numbers), el("span", { className: "type" }, event.type), el("span", { className: "detail" }, detail(event)));
  }
}
