// One attachment of a client: its position in a session's log, its phase, its credit. Pure.

/** Bytes of entries that may be under way. */
const CREDIT_BYTES = 256 * 1024;
/** Bytes after which an `ack` does not wait. */
const ACK_BYTES = 64 * 1024;

/** A cursor that moves: all entries from where it began up to `position` were applied once, in order. */
export class Attachment {
  /** "detached", "attaching", "replaying", "live" or "ended". */
  phase = "detached";
  /** The last entry that the client has heard of. */
  head = 0;
  #received = 0;
  #acked = [0, 0];

  constructor(session, after = "start", credit = CREDIT_BYTES) {
    Object.assign(this, { session, after, credit });
    /** `{ epoch, seq }` of the last entry applied; persist it together with what was applied. */
    this.position = after.epoch === undefined ? null : after;
  }

  /** The frame that asks for it. Credit counts from zero again. */
  request(ch) {
    this.phase = "attaching";
    this.#received = 0;
    this.#acked = [0, this.position?.seq ?? 0];
    const { session, credit } = this;
    return { type: "attach", ch, session, after: this.position ?? this.after, ...(credit && { credit }) };
  }

  detach() {
    if (this.phase !== "ended") this.phase = "detached";
  }

  /** Applies `attached` or `reset`: "first", "continued", or "void" (all that was applied is). */
  begin({ type, epoch, after, head }) {
    const before = this.position;
    this.position = { epoch, seq: after };
    this.#acked[1] = after;
    this.head = head;
    this.phase = "replaying";
    if (type === "reset") return "void";
    if (!before) return "first";
    return before.epoch === epoch && before.seq === after ? "continued" : "void";
  }

  /** Judges an `ev`: "apply", "drop" or "hole" (entries are missing before it). */
  judge({ seq, from = seq }, bytes) {
    if (this.phase !== "replaying" && this.phase !== "live") return "drop";
    this.#received += bytes; // what is dropped was sent all the same
    this.head = Math.max(this.head, seq);
    if (seq <= this.position.seq) return "drop";
    if (from !== this.position.seq + 1) return "hole";
    this.position = { epoch: this.position.epoch, seq };
    return "apply";
  }

  /** Judges `caught_up` likewise. */
  caughtUp(seq) {
    if (this.phase !== "replaying") return "drop";
    if (seq > this.position.seq) return "hole";
    this.phase = "live";
    return "apply";
  }

  get ackIsDue() {
    const begun = this.phase === "replaying" || this.phase === "live";
    const [bytes, seq] = this.#acked;
    return Boolean(begun && this.credit && (bytes !== this.#received || seq !== this.position.seq));
  }

  get ackIsUrgent() {
    return this.ackIsDue && this.#received - this.#acked[0] >= Math.min(ACK_BYTES, this.credit / 2);
  }

  /** The row of an `ack`. The grant is cumulative, so a lost one does no harm. */
  ack(ch) {
    this.#acked = [this.#received, this.position.seq];
    return [ch, this.position.seq, this.#received + this.credit];
  }
}
