// How the connection does, how far the client is, and a button that breaks it.

import { button, el, say } from "./dom.js";

const WORDS = {
  idle: "off",
  connecting: "connecting",
  hello_sent: "connecting",
  draining: "moving over",
  failed: "ended",
};

export class Connection {
  #app;
  #state = el("span", { className: "pill" });
  #entry = el("span", { className: "entry" });
  #cut;
  #timer = 0;

  constructor(place, app) {
    this.#app = app;
    const title = "Ends the WebSocket without a word, as a lost network does";
    this.#cut = button("Cut the socket", () => app.cut(), { id: "cut", className: "small", title });
    place.append(this.#state, this.#entry, this.#cut);
  }

  render() {
    const { client, follow, live: replica } = this.#app;
    clearTimeout(this.#timer);
    say(this.#state, this.#words(client, follow));
    this.#state.dataset.state = client.state;
    say(this.#entry, replica?.last ? `entry ${replica.last}` : "");
    this.#cut.disabled = client.state !== "ready";
    if (client.state === "backoff") this.#timer = setTimeout(() => this.render(), 100);
  }

  #words(client, follow) {
    if (client.state === "backoff") return `back in ${Math.max((client.retryAt - Date.now()) / 1000, 0).toFixed(1)} s`;
    if (client.state !== "ready") return WORDS[client.state];
    if (!follow || follow.ended) return "connected";
    return follow.phase === "live" ? "live" : "catching up";
  }
}
