// The user's sessions, newest first.

import { button, credits, el, roving, say, when } from "./dom.js";

/** What a session does, in a word; none: nothing. */
const STATES = { running: "writing", waiting: "waits for you" };

export class Sessions {
  #app;
  #list = el("ul", { className: "list", "aria-label": "Your sessions" });
  #more;
  #who = el("p", { className: "quiet who" });
  #credits = el("p", { id: "credits", className: "quiet", hidden: true, "aria-label": "Your credits" });
  #items = [];
  #cursor = null;
  #shown = "";
  #retab;
  #asking = false;

  constructor(place, app) {
    this.#app = app;
    this.#more = button("Older ones", () => this.#load(this.#cursor), { className: "small", hidden: true });
    this.#retab = roving(this.#list, "a", (item) => item.getAttribute("aria-current") === "page", () => {});
    const fresh = button("New session", () => app.open(null), { id: "new", className: "primary small" });
    const out = button("Sign out", () => app.signOut(), { id: "sign-out", className: "small" });
    const body = el("div", { className: "scroll" }, this.#list, this.#more);
    place.append(el("header", {}, el("h2", {}, "Sessions"), fresh), body, el("footer", {}, this.#who, this.#credits, out));
  }

  /** Asks for the newest ones again. */
  refresh() {
    if (!this.#asking) this.#load(null);
  }

  async #load(cursor) {
    this.#asking = true;
    try {
      const page = await this.#app.client.call("session.list", { params: { limit: 30, ...(cursor && { cursor }) } });
      this.#items = cursor ? [...this.#items, ...page.items] : page.items;
      this.#cursor = page.next_cursor ?? null;
      this.#app.changed();
    } catch (error) {
      this.#app.tell(`The list of sessions did not come: ${error.message}`);
    } finally {
      this.#asking = false;
    }
  }

  render() {
    const { session, live: replica, account, balance } = this.#app;
    this.#credits.hidden = !balance;
    if (balance) say(this.#credits, balance.held ? `${credits(balance.available)}, ${credits(balance.held)} held` : credits(balance.available));
    const items = this.#items.map(({ session: id, title, status, created_at: at }) => {
      const here = id === session;
      const now = replica?.current ? "running" : replica?.waiting ? "waiting" : "idle";
      return { id, here, state: STATES[here && replica ? now : status], title: title || "Without a title", at };
    });
    const shown = JSON.stringify([items, this.#cursor]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const held = this.#list.contains(document.activeElement) && document.activeElement.hash;
    this.#who.textContent = account.email;
    this.#more.hidden = !this.#cursor;
    this.#list.replaceChildren(...items.map((item) => this.#row(item)));
    if (!items.length) this.#list.append(el("li", { className: "quiet" }, "None yet."));
    this.#retab();
    if (held) this.#list.querySelector(`a[href$="${held}"]`)?.focus();
  }

  #row({ id, here, state, title, at }) {
    const now = state ? el("span", { className: "running" }, state) : when(at);
    const text = [el("span", { className: "title" }, title), el("span", { className: "quiet" }, now)];
    const link = el("a", { href: `#${id}`, onclick: () => this.#app.show("chat") }, ...text);
    if (here) link.setAttribute("aria-current", "page");
    return el("li", {}, link);
  }
}
