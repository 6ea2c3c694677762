// A file's text with its colours. A text that grows is painted from its last line on.

import { colour, language } from "./highlight.js";
import { el } from "./dom.js";

/** Further lines are not painted: nobody reads them here. */
const LINES_MAX = 20_000;

export class Source {
  node = el("pre", { className: "source", tabIndex: 0, role: "region" });
  #path = null;
  #text = "";
  /** The state in which each painted line begins. */
  #states = [];

  /** Shows a file; follows its end where it is at the end already. */
  show(path, text, growing) {
    const grown = path === this.#path && text.startsWith(this.#text);
    this.node.className = growing ? "source growing" : "source";
    if (grown && text.length === this.#text.length) return;
    const pinned = this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight < 40;
    if (!grown) {
      this.node.replaceChildren();
      this.#states = [];
      this.node.setAttribute("aria-label", path);
    }
    const lines = text.split("\n").slice(0, LINES_MAX);
    const first = Math.max(this.#states.length - 1, 0); // the last painted line may have grown
    let state = this.#states[first] ?? language(path);
    this.node.children[first]?.remove();
    this.#states.length = first;
    for (const line of lines.slice(first)) {
      const [tokens, next] = colour(line, state);
      this.#states.push(state);
      this.node.append(this.#line(tokens));
      state = next;
    }
    [this.#path, this.#text] = [path, text];
    if (growing && (pinned || !grown)) this.node.scrollTop = this.node.scrollHeight;
    else if (!grown) this.node.scrollTop = 0;
  }

  #line(tokens) {
    const spans = tokens.map(([kind, text]) => (kind ? el("span", { className: `t-${kind}` }, text) : text));
    return el("code", {}, ...spans);
  }
}
