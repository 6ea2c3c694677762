// A client of Greenroom's protocol, version 1: one WebSocket, any number of sessions.
//
// Depends on nothing: copy this folder. What it does and why is specified in `protocol/src/lib.rs`,
// and the names here are those of `protocol/src/client`. It comes back after a loss, resumes every
// session after the last entry that was applied, drops what comes twice, asks again where something
// is missing, and repeats commands without an answer under the same id, so that each has one effect.
//
//   const client = new Client({ url: "wss://host/ws", token: async (renew) => "…" });
//   client.start();
//   const session = newId("ses");
//   client.command("session.create", { session, params: { title: "A page" } });
//   client.attach(session, { event: (ev) => console.log(ev.seq, ev.event) });
//   await client.command("run.start", { session, params: { input: "Add a footer" } });

import { Attachment } from "./attachment.js";
import { COMMAND_MS } from "./outbox.js";

export { Attachment } from "./attachment.js";
export { Outbox } from "./outbox.js";
export { Replica } from "./replica.js";

export const SUBPROTOCOL = "greenroom.v1.json";

/** Longest wait for an `ack` to go out. */
const ACK_MS = 250;
/** Most calls without an answer. */
const CALLS_MAX = 64;
/** Longest wait for the answer to a question. */
const CALL_MS = 60_000;
/** Longest wait for a socket, and then for `welcome`. */
const CONNECT_MS = 10_000;
/** A socket that was ready for this long ends a series of failed attempts. */
const STABLE_MS = 1000;
/** Wait before something that was refused is asked for again, where the server does not say. */
const AGAIN_MS = 1000;
/** Most attachments in a `hello`; the others follow after `welcome`. */
const HELLO_ATTACH_MAX = 256;
const MALFORMED = 4500;
const HEARTBEAT_TIMEOUT = 4002;

const encoder = new TextEncoder();

/** A new id, such as `ses_…` or `cmd_…`: a UUID of version 7, so that ids sort by time. */
export function newId(prefix, now = Date.now()) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let at = 5, rest = now; at >= 0; at -= 1, rest = Math.floor(rest / 256)) bytes[at] = rest % 256;
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return `${prefix}_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Milliseconds before attempt 0, 1, …: from 0.5 s to twice that, doubled each time up to 30 s. */
export function backoffMs(attempt, random = Math.random()) {
  const spread = Math.min(500 * 2 ** (attempt + 1), 30_000) - 500;
  return 500 + Math.floor(random * (spread + 1));
}

/** What a close code asks for: "resume", "renew" (get a new token first) or "give_up". */
export function afterClose(code) {
  if (code === 1000 || (code >= 4500 && code <= 4999)) return "give_up";
  return code >= 4100 && code <= 4199 ? "renew" : "resume";
}

/** An error of the server: `code`, `reason`, `retryable` and `message` as it gave them. */
export class GreenroomError extends Error {
  constructor(body) {
    super(body.message);
    Object.assign(this, { code: body.code, reason: body.reason, retryable: Boolean(body.retryable) });
  }
}

/**
 * A connection over its whole life.
 *
 * Options: `url`; `token(renew)`, a promise of an access token, of a new one where `renew` is true,
 * of null where there is none, rejected where it should be asked again later; or `ticket()`, a
 * promise of a single-use ticket for the URL, beside or instead of it; `name` and `version` of the
 * program; `outbox`. `on("state", …)` tells of every change of `state`.
 */
export class Client {
  /** "idle", "connecting", "hello_sent", "ready", "draining", "backoff" or "failed". */
  state = "idle";
  /** While in "backoff": when it connects. */
  retryAt = 0;
  /** Once "failed": `{ code, reason }` of the close, or `reason: "no_token"`. */
  failure = null;

  #options;
  #listeners = new Map();
  #socket = null;
  #attempt = 0;
  #renew = false;
  #heartbeatMs = 35_000;
  #until = 0;
  #heardAt = 0;
  #readyAt = 0;
  #quietUntil = 0;
  #ackAt = 0;
  #slots = new Map();
  #calls = new Set();
  #lastChannel = 0;
  #lastId = 0;
  #timer = 0;

  constructor(options) {
    this.#options = { WebSocket: globalThis.WebSocket, random: Math.random, name: "greenroom.js", ...options };
    for (const call of this.#options.outbox?.calls() ?? []) {
      this.#add(call, COMMAND_MS).catch(() => {}); // whoever asked is gone; the log tells the rest
    }
  }

  /** Calls `listener` at every "state", "balance", "limits" and "error" (one that belongs to no call). */
  on(name, listener) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  start() {
    if (this.state === "idle") this.#connect();
  }

  /** Leaves for good; nothing is cancelled on the server. */
  stop() {
    if (this.state === "failed") return;
    this.#leave(1000);
    this.#set("idle");
  }

  /** Drops the socket as a broken network does. */
  cut() {
    if (this.#socket) this.#broken(3000);
  }

  /** The network is back, or the user looks again: does not wait any longer. */
  wake() {
    if (this.state === "backoff") this.#connect();
    else if (this.#isOpen) this.#send({ type: "ping", ts: Date.now() });
  }

  /**
   * Follows a session over all reconnects. The handler's functions, all optional: `begin({ begin,
   * after, head, status, run })` where "first" or "void" drops all that was applied; `event(ev)`;
   * `caughtUp()`; `ended(reason)`; `error(body)`.
   */
  attach(session, handler, { after, credit } = {}) {
    const ch = (this.#lastChannel += 1);
    const attachment = new Attachment(session, after, credit);
    this.#slots.set(ch, { attachment, handler, at: 0, holes: 0 });
    this.#sendDue();
    const detach = () => {
      this.#slots.delete(ch);
      const begun = attachment.phase !== "detached" && attachment.phase !== "ended";
      if (begun && this.#isOpen) this.#send({ type: "detach", ch });
    };
    return { attachment, detach };
  }

  /** Asks for something: its result, or a `GreenroomError`. */
  call(method, { session, params } = {}) {
    return this.#add({ method, session, params }, CALL_MS);
  }

  /** Changes something, once, however often it has to be sent. */
  command(method, { session, params, cid = newId("cmd") } = {}) {
    const call = { cid, method, session, params };
    if (this.#hasRoom) this.#options.outbox?.add(call); // before it is sent
    return this.#add(call, COMMAND_MS);
  }

  /** Commands without an answer, oldest first. */
  get unanswered() {
    return [...this.#calls].map(({ call }) => call).filter(({ cid }) => cid);
  }

  get #hasRoom() {
    return this.state !== "failed" && this.#calls.size < CALLS_MAX;
  }

  get #isOpen() {
    return this.state === "ready" || this.state === "draining";
  }

  #emit(name, detail) {
    for (const listener of this.#listeners.get(name) ?? []) listener(detail);
  }

  #set(state) {
    this.state = state;
    this.#schedule();
    this.#emit("state", this);
  }

  #send(frame) {
    this.#socket?.send(JSON.stringify(frame));
  }

  // ---- Connecting -----------------------------------------------------------------------------

  async #connect() {
    this.#until = Date.now() + CONNECT_MS;
    this.#set("connecting");
    const begun = this.#until;
    const { token, ticket, url, WebSocket } = this.#options;
    let [access, place] = [null, url];
    try {
      access = (await token?.(this.#renew)) ?? null;
      if (ticket) place += `?ticket=${encodeURIComponent(await ticket())}`;
    } catch {
      if (this.state === "connecting" && begun === this.#until) this.#broken(1000);
      return;
    }
    if (this.state !== "connecting" || begun !== this.#until) return; // given up meanwhile
    if (!access && !ticket) return this.#fail({ reason: "no_token" });
    const socket = new WebSocket(place, SUBPROTOCOL);
    const mine = (handler) => (event) => this.#socket === socket && handler(event);
    socket.onopen = mine(() => this.#hello(access));
    socket.onmessage = mine(({ data }) => this.#text(data));
    socket.onclose = mine(({ code, reason }) => this.#closed(code, reason));
    this.#socket = socket;
  }

  #hello(token) {
    const { name, version = "" } = this.#options;
    this.#heardAt = Date.now();
    this.#until = this.#heardAt + CONNECT_MS;
    const attach = this.#attachable().slice(0, HELLO_ATTACH_MAX).map((ask) => ask());
    const hello = { type: "hello", v: [1, 1], ...(token && { token }), client: { name, version } };
    // A page sees no WebSocket pings, so it asks for frames instead.
    this.#send({ ...hello, features: ["ping"], ...(attach.length && { attach }) });
    this.#set("hello_sent");
  }

  #closed(code, reason) {
    const drainedAt = this.state === "draining" ? this.#until : 0;
    const verdict = afterClose(code);
    const retry = Number(/(?:^|;)retry=(\d+)/.exec(reason)?.[1] ?? 0);
    const wasOpen = this.#isOpen;
    this.#forget();
    if (verdict === "give_up") return this.#fail({ code, reason });
    if (verdict === "renew") this.#renew = true;
    this.#backOff(drainedAt || this.#nextAttemptAt(wasOpen) + retry);
  }

  /** Leaves a socket that is of no use, and tries again. */
  #broken(code) {
    const wasOpen = this.#isOpen;
    this.#leave(code);
    this.#backOff(this.#nextAttemptAt(wasOpen));
  }

  #nextAttemptAt(wasOpen) {
    if (wasOpen && Date.now() - this.#readyAt >= STABLE_MS) this.#attempt = 0;
    const wait = backoffMs(this.#attempt, this.#options.random());
    this.#attempt += 1;
    return Date.now() + wait;
  }

  #backOff(at) {
    this.retryAt = this.#until = at;
    this.#set("backoff");
  }

  #fail(failure) {
    this.failure = failure;
    for (const { attachment } of this.#slots.values()) attachment.phase = "ended";
    const unanswered = [...this.#calls];
    this.#calls.clear();
    this.#set("failed");
    const body = { code: "unavailable", reason: failure.reason, message: "the connection has ended for good" };
    for (const { reject } of unanswered) reject(new GreenroomError(body));
  }

  #leave(code) {
    const socket = this.#socket;
    this.#forget();
    socket?.close(code);
  }

  /** Forgets the socket; all that hung on it is to be asked for again. */
  #forget() {
    this.#socket = null;
    this.#ackAt = 0;
    for (const pending of this.#calls) pending.sent = false;
    for (const { attachment } of this.#slots.values()) attachment.detach();
  }

  // ---- Time -----------------------------------------------------------------------------------

  /** One timer, for whatever is due first. */
  #schedule() {
    clearTimeout(this.#timer);
    if (this.state === "failed") return;
    const due = [...this.#calls].map(({ until }) => until);
    if (this.#isOpen) {
      due.push(this.#heardAt + this.#heartbeatMs);
      if (this.#ackAt) due.push(this.#ackAt);
      if (this.state === "draining") due.push(this.#until);
      else if ([...this.#calls].some(({ sent }) => !sent)) due.push(this.#quietUntil);
      for (const { attachment, at } of this.#slots.values()) {
        if (at && (attachment.phase === "detached" || attachment.phase === "attaching")) due.push(at);
      }
    } else if (this.state !== "idle") {
      due.push(this.#until);
    }
    // A timer longer than this overflows in browsers.
    const wait = Math.min(Math.max(Math.min(...due) - Date.now(), 0), 2 ** 31 - 1);
    if (due.length) this.#timer = setTimeout(() => this.#tick(), wait);
  }

  #tick() {
    const now = Date.now();
    for (const pending of [...this.#calls].filter(({ until }) => until <= now)) {
      const message = "no answer in time; it may have had its effect";
      this.#settle(pending, "reject", new GreenroomError({ code: "deadline_exceeded", reason: "timeout", message }));
    }
    if (this.#isOpen) {
      if (this.#heardAt + this.#heartbeatMs <= now) return this.#broken(HEARTBEAT_TIMEOUT);
      if (this.state === "draining" && this.#until <= now) {
        this.#leave(1000);
        this.#attempt = 0;
        return this.#connect();
      }
      if (this.#ackAt && this.#ackAt <= now) this.#sendAcks();
      this.#sendDue();
    } else if (this.state === "backoff" && this.#until <= now) {
      return this.#connect();
    } else if ((this.state === "connecting" || this.state === "hello_sent") && this.#until <= now) {
      return this.#broken(1000);
    }
    this.#schedule();
  }

  // ---- Calls and attachments --------------------------------------------------------------------

  #add(call, waitMs) {
    if (!this.#hasRoom) {
      const message = `${CALLS_MAX} calls wait for an answer, or the connection has ended`;
      return Promise.reject(new GreenroomError({ code: "resource_exhausted", reason: "rate_limited", message }));
    }
    return new Promise((resolve, reject) => {
      this.#calls.add({ call, resolve, reject, sent: false, id: 0, until: (call.at ?? Date.now()) + waitMs });
      this.#sendDue();
    });
  }

  #settle(pending, how, value) {
    this.#calls.delete(pending);
    if (pending.call.cid) this.#options.outbox?.remove(pending.call.cid);
    pending[how](value);
  }

  #answered(id, how, value) {
    const pending = [...this.#calls].find((one) => one.sent && one.id === id);
    if (pending) this.#settle(pending, how, value);
  }

  /** What asks for the attachments that should be on the socket and are not. */
  #attachable() {
    const now = Date.now();
    // A session whose creation has not gone out waits for it.
    const creates = ({ call, sent }) => !sent && call.method === "session.create";
    const later = new Set([...this.#calls].filter(creates).map(({ call }) => call.session));
    const isDue = ({ attachment: { phase, session }, at }) =>
      !later.has(session) && (phase === "detached" ? at <= now : phase === "attaching" && at > 0 && at <= now);
    return [...this.#slots].filter(([, slot]) => isDue(slot)).map(([ch, slot]) => () => {
      slot.at = 0;
      return slot.attachment.request(ch);
    });
  }

  #sendDue() {
    if (this.state === "ready" && this.#quietUntil <= Date.now()) {
      for (const pending of this.#calls) {
        if (pending.sent) continue;
        const { cid, method, session, params } = pending.call;
        pending.id = this.#lastId += 1;
        pending.sent = true;
        this.#send({ type: "call", id: pending.id, cid, method, session, params });
      }
    }
    if (this.#isOpen) for (const ask of this.#attachable()) this.#send(ask());
    this.#schedule();
  }

  #sendAcks() {
    this.#ackAt = 0;
    const due = [...this.#slots].filter(([, { attachment }]) => attachment.ackIsDue);
    if (due.length) this.#send({ type: "ack", acks: due.map(([ch, { attachment }]) => attachment.ack(ch)) });
  }

  // ---- The server's frames ----------------------------------------------------------------------

  #text(text) {
    this.#heardAt = Date.now();
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return this.#broken(MALFORMED); // what follows cannot be trusted either
    }
    const slot = this.#slots.get(frame.ch);
    switch (frame.type) {
      case "welcome": return this.#welcome(frame);
      case "ok": return this.#answered(frame.id, "resolve", frame.result);
      case "err": return this.#answered(frame.id, "reject", new GreenroomError(frame.error));
      case "attached": return slot?.attachment.phase === "attaching" && this.#begin(slot, frame);
      case "reset": return slot && !["detached", "ended"].includes(slot.attachment.phase) && this.#begin(slot, frame);
      case "ev": return slot && this.#ev(slot, frame, encoder.encode(text).length);
      case "caught_up": return slot && this.#caughtUp(slot, frame);
      case "detached": return slot && this.#detached(slot, frame);
      case "auth_required": return this.#renewToken();
      case "balance": return this.#emit("balance", frame);
      case "limits": return this.#limits(frame);
      case "goaway": return this.#goAway(frame);
      case "ping": return this.#send({ type: "pong" });
      case "error": return this.#error(slot, frame);
      default: // of a later server
    }
  }

  #welcome({ heartbeat }) {
    if (this.state !== "hello_sent") return;
    this.#heartbeatMs = heartbeat.interval_ms + heartbeat.timeout_ms;
    this.#readyAt = Date.now();
    this.#quietUntil = 0;
    this.#renew = false;
    this.#set("ready");
    this.#sendDue();
  }

  #begin(slot, frame) {
    slot.at = 0;
    const { after, head, status, run = null, reason = null } = frame;
    const begin = slot.attachment.begin(frame);
    slot.handler.begin?.({ begin, after, head, status, run, reason });
  }

  #ev(slot, ev, bytes) {
    const verdict = slot.attachment.judge(ev, bytes);
    if (verdict === "hole") return this.#hole(slot, ev.ch);
    if (verdict === "apply") {
      slot.holes = 0;
      slot.handler.event?.(ev);
    }
    if (slot.attachment.ackIsUrgent) {
      this.#sendAcks();
    } else if (slot.attachment.ackIsDue && !this.#ackAt) {
      this.#ackAt = Date.now() + ACK_MS;
      this.#schedule();
    }
  }

  #caughtUp(slot, { ch, seq }) {
    const verdict = slot.attachment.caughtUp(seq);
    if (verdict === "hole") this.#hole(slot, ch);
    else if (verdict === "apply") slot.handler.caughtUp?.();
  }

  /** Entries are missing: attaches again at the position, at once the first time. */
  #hole(slot, ch) {
    slot.attachment.detach();
    slot.at = slot.holes > 0 ? Date.now() + AGAIN_MS : 0;
    slot.holes += 1;
    this.#send({ type: "detach", ch });
    this.#sendDue();
  }

  #detached(slot, { reason, retry_after_ms: wait }) {
    const { phase } = slot.attachment;
    if (phase !== "replaying" && phase !== "live") return; // of the one before
    if (wait === undefined) return this.#end(slot, reason);
    slot.attachment.detach();
    slot.at = Date.now() + wait;
    this.#schedule();
  }

  #end(slot, reason) {
    slot.attachment.phase = "ended";
    slot.handler.ended?.(reason);
  }

  async #renewToken() {
    const socket = this.#socket;
    const token = await this.#options.token?.(true).catch(() => null);
    if (token && this.#socket === socket) this.#send({ type: "auth", token });
  }

  #limits(frame) {
    this.#quietUntil = Date.now() + (frame.retry_after_ms ?? 0);
    this.#emit("limits", frame);
    this.#schedule();
  }

  #goAway({ reconnect_in_ms }) {
    if (this.state !== "ready") return;
    this.#until = Date.now() + reconnect_in_ms;
    this.#set("draining");
  }

  /** While the answer to an `attach` is due, an error with its channel is its refusal. */
  #error(slot, { ch, error }) {
    if (slot) slot.handler.error?.(error);
    else this.#emit("error", error);
    if (slot?.attachment.phase !== "attaching" || error.reason === "channel_not_attached") return;
    if (error.reason === "channel_in_use") {
      slot.attachment.detach();
      slot.at = Date.now() + AGAIN_MS;
      this.#send({ type: "detach", ch });
    } else if (error.retryable) {
      slot.at = Date.now() + (error.retry_after_ms ?? AGAIN_MS);
    } else {
      this.#end(slot, error.reason);
    }
    this.#schedule();
  }
}
