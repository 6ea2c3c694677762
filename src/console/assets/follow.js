// One session that is followed: its replica, its latest entries, and what became of its socket.

import { Replica } from "./greenroom/greenroom.js";

/** Most entries that are kept for the log; the replica keeps what they said. */
const ENTRIES_MAX = 5000;

export class Follow {
  replica = new Replica();
  /** The latest entries, oldest first, as they were applied. */
  entries = [];
  /** `{ after, text }`: what happened to the socket after which entry. */
  marks = [];
  /** Why it ended for good: a reason of the server's. */
  ended = null;
  /** While it catches up after a loss: the entry after which. */
  #resumed = null;
  #attached;
  #changed;
  #tell;

  /** Calls `changed()` after each change, `tell(text)` when there is something to say. */
  constructor(client, session, { changed, tell }) {
    Object.assign(this, { session });
    this.#changed = changed;
    this.#tell = tell;
    this.#attached = client.attach(session, {
      begin: (begun) => this.#begin(begun),
      event: (ev) => this.#event(ev),
      caughtUp: () => this.#caughtUp(),
      ended: (reason) => this.#end(reason),
      error: (error) => tell(error.message),
    });
  }

  /** The attachment's phase: "live" once all that was said has arrived. */
  get phase() {
    return this.#attached.attachment.phase;
  }

  stop() {
    this.#attached.detach();
  }

  /** The socket is gone. */
  lost() {
    if (this.marks.at(-1)?.lost === this.replica.last) return;
    this.#mark(`socket lost after entry ${this.replica.last}`, { lost: this.replica.last });
  }

  #mark(text, more = {}) {
    this.marks.push({ after: this.replica.last, text, ...more });
    this.#changed();
  }

  #begin({ begin, after, reason }) {
    if (begin === "continued") {
      this.#resumed = after;
      return;
    }
    this.replica = new Replica(after);
    this.entries = [];
    if (begin === "void") {
      this.#mark(`begun anew after entry ${after}: ${reason ?? "the log is another one"}`);
      this.#tell("The server's log has changed: all is shown anew.");
    }
    this.#changed();
  }

  #event(ev) {
    try {
      this.replica.apply(ev);
    } catch (error) {
      this.#mark(error.message); // a defect of the server; the replica remains of use
    }
    this.entries.push(ev);
    if (this.entries.length > ENTRIES_MAX) this.entries.splice(0, ENTRIES_MAX / 10);
    this.#changed();
  }

  #caughtUp() {
    const after = this.#resumed;
    this.#resumed = null;
    if (after !== null) {
      const count = this.replica.last - after;
      const came = count === 1 ? "1 entry came" : `${count} entries came`;
      this.#mark(`resumed after entry ${after}: ${came}`);
      this.#tell(`Back. Resumed after entry ${after}: ${came}, none missing, none twice.`);
    }
    this.#changed();
  }

  #end(reason) {
    this.ended = reason;
    this.#changed();
  }
}
