// The session as it was at an earlier entry: the same entries, applied up to there.

import { Replica } from "./greenroom/greenroom.js";

export class Past {
  replica = new Replica();
  #client;
  #follow;
  /** All entries from the first one on, as far as they were needed. */
  #entries = [];
  /** One read at a time. */
  #read = Promise.resolve();
  #asked = 0;

  constructor(client, follow) {
    this.#client = client;
    this.#follow = follow;
  }

  /** Makes `replica` what the session was at an entry; of several calls the last one counts. */
  async show(seq) {
    const asked = (this.#asked += 1);
    this.#read = this.#read.catch(() => {}).then(() => this.#more(seq));
    await this.#read;
    if (asked !== this.#asked) return;
    const replica = seq < this.replica.last ? new Replica() : this.replica;
    for (const ev of this.#entries) if (ev.seq > replica.last && ev.seq <= seq) replica.apply(ev);
    this.replica = replica;
  }

  /** Reads on: what was followed and is still held, and from the server what lies before that. */
  async #more(seq) {
    const last = this.#entries.at(-1)?.seq ?? 0;
    if (last >= seq) return;
    const { entries, session } = this.#follow;
    const held = entries.filter((ev) => ev.seq > last);
    const older = [];
    for (let first = held[0].from ?? held[0].seq; first > last + 1; first = older[0].seq) {
      const params = { before: first, limit: Math.min(first - 1 - last, 100) };
      older.unshift(...(await this.#client.call("history.get", { session, params })).entries);
    }
    this.#entries.push(...older, ...held);
  }
}
