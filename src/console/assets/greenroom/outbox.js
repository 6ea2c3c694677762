// Commands without an answer, kept over reloads.

/** How long the server remembers a command's id: so long it may be repeated. */
export const COMMAND_MS = 24 * 60 * 60 * 1000;

/** The commands of one user, in a storage such as `localStorage` under a key of theirs. */
export class Outbox {
  constructor(storage, key) {
    Object.assign(this, { storage, key });
  }

  /** The kept commands, oldest first. Those that the server may have forgotten are left out. */
  calls(now = Date.now()) {
    try {
      const kept = JSON.parse(this.storage.getItem(this.key) ?? "[]");
      return kept.filter(({ at, cid, method }) => cid && method && at > now - COMMAND_MS);
    } catch {
      return []; // nothing that can be repeated
    }
  }

  add(call) {
    this.#write([...this.calls(), { ...call, at: Date.now() }]);
  }

  remove(cid) {
    this.#write(this.calls().filter((call) => call.cid !== cid));
  }

  #write(calls) {
    try {
      if (calls.length) this.storage.setItem(this.key, JSON.stringify(calls));
      else this.storage.removeItem(this.key);
    } catch {
      // A full or forbidden storage: commands then live as long as the page.
    }
  }
}
