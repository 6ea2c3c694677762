// The rules of a client, as `protocol/src/lib.rs` names them, for the client in JavaScript.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Outbox, afterClose, backoffMs, newId } from "../../src/console/assets/greenroom/greenroom.js";
import { SESSION, attached, bed, delta, follower, golden, goldens, settled } from "./harness.mjs";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_788_000_000_000 });
});

/** Lets time pass, and promises settle. */
async function pass(ms) {
  mock.timers.tick(ms);
  await settled();
}

class Storage {
  kept = new Map();
  getItem = (key) => this.kept.get(key) ?? null;
  setItem = (key, value) => this.kept.set(key, value);
  removeItem = (key) => this.kept.delete(key);
}

test("every frame of the server is taken", async () => {
  const { client, net } = await follower();
  for (const name of goldens("server.").filter((name) => name !== "server.welcome")) {
    net.socket.say(golden(name));
    assert.notEqual(client.state, "failed", name);
  }
  net.socket.say({ type: "of.a.later.server" });
});

test("what the client sends has the fields of the golden frames and no others", async () => {
  const { client, net, hello } = await follower();
  net.socket.say(attached(0, 1), delta(1), golden("server.ping"));
  client.command("run.start", { session: SESSION, params: { input: "x" } });
  client.wake();
  await pass(250);
  const frames = [hello, hello.attach[0], ...net.socket.take()];
  assert.deepEqual(frames.map(({ type }) => type), ["hello", "attach", "pong", "call", "ping", "ack"]);
  for (const frame of frames) {
    const known = Object.keys({ type: "", ...golden(`client.${frame.type}`) });
    if (frame === hello.attach[0]) assert.ok(frame.credit > 0);
    assert.deepEqual(Object.keys(frame).filter((field) => !known.includes(field)), [], frame.type);
  }
  assert.deepEqual(hello.v, golden("client.hello").v);
  assert.equal(net.socket.protocol, "greenroom.v1.json");
});

test("ids have the form that the server reads, and sort by time", () => {
  const [early, late] = [newId("ses", 1000), newId("ses", 2000)];
  assert.match(early, /^ses_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  assert.ok(early < late);
  assert.equal(newId("cmd", 0x01a04c5df800).slice(0, 16), "cmd_01a04c5df800");
});

test("resume-contiguous: entries apply in their order, merged ones too", async () => {
  const { net, seen, attachment } = await follower();
  net.socket.say(attached(0, 4), delta(1), { ...delta(4, "234"), from: 2 }, { type: "caught_up", ch: 1, seq: 4 });
  assert.equal(seen.text, "1234");
  assert.deepEqual(attachment.position, { epoch: 1, seq: 4 });
  assert.deepEqual([attachment.phase, seen.caughtUp], ["live", 1]);
});

test("resume-duplicate-dropped: an entry that came is not applied again", async () => {
  const { net, seen } = await follower();
  net.socket.say(attached(0, 2), delta(1), delta(1), delta(2), { ...delta(2, "12"), from: 1 });
  assert.equal(seen.text, "12");
});

test("resume-hole-sends-detach-and-attach-at-the-position, a second time in a row after a second", async () => {
  const { net, seen } = await follower();
  net.socket.say(attached(0, 9), delta(1), delta(3));
  const asked = net.socket.take();
  assert.deepEqual(asked.map(({ type }) => type), ["detach", "attach"]);
  assert.deepEqual(asked[1].after, { epoch: 1, seq: 1 });
  net.socket.say(delta(4), attached(1, 9), delta(3)); // the first is of the attachment before
  assert.deepEqual(net.socket.take().map(({ type }) => type), ["detach"]);
  await pass(1000);
  assert.deepEqual(net.socket.take().map(({ type }) => type), ["attach"]);
  net.socket.say(attached(1, 9), delta(2), delta(3));
  assert.equal(seen.text, "123");
});

test("resume-caught-up-past-the-position-is-a-hole", async () => {
  const { net, seen } = await follower();
  net.socket.say(attached(0, 5), delta(1), { type: "caught_up", ch: 1, seq: 5 });
  assert.deepEqual(net.socket.take().map(({ type }) => type), ["detach", "attach"]);
  assert.equal(seen.caughtUp, 0);
});

test("resume-reset-tells-that-all-is-void", async () => {
  const { net, seen, attachment } = await follower();
  net.socket.say(attached(0, 1), delta(1));
  net.socket.say({ ...golden("server.reset"), ch: 1, epoch: 2, after: 6, head: 7 }, delta(7));
  assert.deepEqual(seen, { ...seen, begun: ["first", "void"], text: "7" });
  assert.deepEqual(attachment.position, { epoch: 2, seq: 7 });
});

test("resume-all-sessions-in-one-round: the cursor goes into the next hello", async () => {
  const { client, net, seen } = await follower();
  net.socket.say(attached(0, 2), delta(1), delta(2));
  client.cut();
  assert.equal(client.state, "backoff");
  await pass(500);
  const hello = net.socket.welcome();
  assert.deepEqual(hello.attach.map(({ after }) => after), [{ epoch: 1, seq: 2 }]);
  net.socket.say(attached(2, 3), delta(3), { type: "caught_up", ch: 1, seq: 3 });
  assert.deepEqual(seen, { ...seen, begun: ["first", "continued"], text: "123" });
  assert.equal(net.sockets.length, 2);
});

test("resume-nothing-is-lost-or-repeated over losses, repeats, holes and merges", async () => {
  const { net, seen } = await follower();
  const log = Array.from({ length: 400 }, (_, at) => `${at + 1} `);
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  let from = 0;
  for (let round = 0; seen.seqs.at(-1) !== log.length; round += 1) {
    assert.ok(round < 5000, "it comes to an end");
    net.socket.say(attached(from, log.length));
    while (from < log.length && random(12)) {
      const skip = random(9) ? 0 : random(3) - 1; // a hole, or one that came before
      const first = Math.max(from + skip, 0);
      const last = Math.min(first + random(4), log.length - 1);
      const text = log.slice(first, last + 1).join("");
      net.socket.say({ ...delta(last + 1, text), ...(last > first && { from: first + 1 }) });
      from = last + 1;
    }
    const asks = () => net.socket.take().findLast(({ type }) => type === "attach");
    let ask = asks();
    if (!ask) net.socket.end();
    for (let wait = 0; !ask && wait < 40; wait += 1) {
      await pass(1000);
      ask = net.socket.onopen && !net.socket.sent.length ? net.socket.welcome().attach[0] : asks();
    }
    from = ask.after.seq ?? 0;
  }
  assert.equal(seen.text, log.join(""));
});

test("flow-credit-cumulative: an ack says all that was received and the window on top", async () => {
  const { net, attachment } = await follower();
  net.socket.say(attached(0, 2), delta(1));
  await pass(249);
  assert.deepEqual(net.socket.take(), []);
  await pass(1);
  const length = JSON.stringify(delta(1)).length;
  assert.deepEqual(net.socket.take(), [{ type: "ack", acks: [[1, 1, attachment.credit + length]] }]);
  net.socket.say(delta(2, "ü")); // bytes count, not letters
  await pass(250);
  const more = new TextEncoder().encode(JSON.stringify(delta(2, "ü"))).length;
  assert.deepEqual(net.socket.take(), [{ type: "ack", acks: [[1, 2, attachment.credit + length + more]] }]);
});

test("flow-credit-counts-anew-after-each-attach", async () => {
  const { client, net, attachment } = await follower();
  net.socket.say(attached(0, 2), delta(1, "some more text"));
  client.cut();
  await pass(500);
  net.socket.welcome();
  net.socket.say(attached(1, 2), delta(2));
  await pass(250);
  const granted = attachment.credit + JSON.stringify(delta(2)).length;
  assert.deepEqual(net.socket.take(), [{ type: "ack", acks: [[1, 2, granted]] }]);
});

test("flow-an-urgent-ack-does-not-wait", async () => {
  const { net } = await follower();
  net.socket.say(attached(0, 3), delta(1, "x".repeat(30_000)), delta(2, "x".repeat(30_000)));
  assert.deepEqual(net.socket.take(), []);
  net.socket.say(delta(3, "x".repeat(30_000)));
  assert.deepEqual(net.socket.take().map(({ type }) => type), ["ack"]);
});

test("command-unanswered-calls-are-sent-again under the same cid and a new id", async () => {
  const { client, net } = await follower();
  const started = client.command("run.start", { session: SESSION, params: { input: "x" } });
  const [first] = net.socket.take();
  net.socket.end();
  await pass(500);
  net.socket.welcome();
  const [again] = net.socket.take();
  assert.equal(again.cid, first.cid);
  assert.notEqual(again.id, first.id);
  net.socket.say({ type: "ok", id: again.id, result: { run: "run_1" }, duplicate: true });
  assert.deepEqual(await started, { run: "run_1" });
});

test("command-an-error-is-an-answer", async () => {
  const { client, net } = await follower();
  const asked = client.call("files.get", { session: SESSION, params: { path: "x" } });
  net.socket.say({ ...golden("server.err"), id: net.socket.take()[0].id });
  await assert.rejects(asked, { code: "unavailable", reason: "store_unavailable", retryable: true });
});

test("a command survives a reload of the page, a question does not", async () => {
  const storage = new Storage();
  const outbox = () => new Outbox(storage, "commands");
  const before = await follower("start", { outbox: outbox() });
  before.client.command("run.start", { session: SESSION, params: { input: "x" } });
  before.client.call("session.list").catch(() => {});
  const [command] = before.net.socket.take();

  const after = await follower("start", { outbox: outbox() });
  const again = after.net.socket.take();
  assert.deepEqual(again.map(({ cid, method }) => [cid, method]), [[command.cid, "run.start"]]);
  after.net.socket.say({ type: "ok", id: again[0].id, result: {} });
  await settled();
  assert.deepEqual(outbox().calls(), []);
  storage.setItem("commands", JSON.stringify([{ cid: "cmd_1", method: "run.start", at: 0 }, 7]));
  assert.deepEqual(outbox().calls(), [], "what the server has forgotten is not repeated");
});

test("command-create-attach-and-start-go-out-in-one-burst", async () => {
  const { client, net } = bed();
  client.attach(SESSION, {});
  client.command("session.create", { session: SESSION });
  client.command("run.start", { session: SESSION, params: { input: "x" } });
  client.start();
  await settled();
  const hello = net.socket.welcome();
  assert.equal(hello.attach, undefined, "the session does not exist yet");
  const sent = net.socket.take();
  assert.deepEqual(sent.map(({ type, method }) => method ?? type), ["session.create", "run.start", "attach"]);
});

test("command-calls-without-an-answer-are-bounded", async () => {
  const { client } = await follower();
  const asked = Array.from({ length: 64 }, () => client.call("session.list"));
  await assert.rejects(client.call("session.list"), { code: "resource_exhausted" });
  const timedOut = Promise.all(asked.map((one) => assert.rejects(one, { code: "deadline_exceeded" })));
  await pass(60_000);
  await timedOut;
});

test("a refused attachment is asked for again where that may help, and ends otherwise", async () => {
  const { net, seen } = await follower();
  net.socket.say({ ...golden("server.error"), ch: 1 });
  await pass(1000);
  assert.deepEqual(net.socket.take().map(({ type }) => type), ["attach"]);
  const error = { code: "not_found", reason: "session_not_found", message: "no such session", retryable: false };
  net.socket.say({ type: "error", ch: 1, error });
  assert.equal(seen.ended, "session_not_found");
});

test("a detached attachment comes back when the server says, and ends where it does not", async () => {
  const { net, seen } = await follower();
  net.socket.say(attached(0, 1), delta(1), { ...golden("server.detached"), ch: 1 });
  await pass(1000);
  const ask = net.socket.take().findLast(({ type }) => type === "attach");
  assert.deepEqual(ask.after, { epoch: 1, seq: 1 });
  net.socket.say(attached(1), { type: "detached", ch: 1, reason: "closed" });
  assert.equal(seen.ended, "closed");
});

test("the range of a close code decides, and its reason says how long to wait", async () => {
  assert.deepEqual([1006, 4000, 4099, 4100, 4199, 1000, 4500, 4999, 3000].map(afterClose),
    ["resume", "resume", "resume", "renew", "renew", "give_up", "give_up", "give_up", "resume"]);
  const { client, net } = await follower();
  net.socket.end(4001, "going_away;retry=5000");
  assert.equal(client.retryAt - Date.now(), 5500);
  await pass(5500);
  assert.equal(net.sockets.length, 2);
  net.socket.welcome();
  net.socket.end(4501, "unauthenticated");
  assert.deepEqual([client.state, client.failure], ["failed", { code: 4501, reason: "unauthenticated" }]);
});

test("waits grow from half a second to thirty, and end when a socket has lasted", async () => {
  assert.deepEqual([backoffMs(0, 0), backoffMs(0, 0.9999), backoffMs(1, 0.9999), backoffMs(30, 0.99999)], [500, 1000, 2000, 30_000]);
  const { client, net } = bed({ random: () => 0.9999 });
  client.start();
  const waits = [];
  for (let attempt = 0; attempt < 4; attempt += 1) {
    await settled();
    net.socket.end();
    waits.push(client.retryAt - Date.now());
    await pass(waits.at(-1));
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000]);
  net.socket.welcome();
  await pass(1000);
  net.socket.end();
  assert.equal(client.retryAt - Date.now(), 1000);
});

test("a token that expires is renewed in band, and before a new socket after 4100", async () => {
  const asked = [];
  const token = async (renew) => (asked.push(renew), renew ? "new" : "old");
  const { client, net } = bed({ token });
  client.start();
  await settled();
  assert.equal(net.socket.welcome().token, "old");
  net.socket.say(golden("server.auth_required"));
  await settled();
  assert.deepEqual(net.socket.take(), [{ type: "auth", token: "new" }]);
  net.socket.end(4100, "token_expired");
  await pass(500);
  assert.equal(net.socket.welcome().token, "new");
  assert.deepEqual(asked, [false, true, true]);
});

test("without a token the client gives up; where it cannot be had now it tries again", async () => {
  const none = bed({ token: async () => null });
  none.client.start();
  await settled();
  assert.deepEqual([none.client.state, none.client.failure], ["failed", { reason: "no_token" }]);
  let online = false;
  const later = bed({ token: async () => (online ? "t" : Promise.reject(new Error("offline"))) });
  later.client.start();
  await settled();
  assert.equal(later.client.state, "backoff");
  online = true;
  later.client.wake();
  await settled();
  assert.equal(later.net.socket.welcome().token, "t");
});

test("a ticket goes into the address, and no token beside it", async () => {
  const { client, net } = bed({ token: undefined, ticket: async () => "tkt_a b" });
  client.start();
  await settled();
  assert.equal(net.socket.url, "ws://host/ws?ticket=tkt_a%20b");
  assert.equal(net.socket.welcome().token, undefined);
});

test("a server that is silent for too long is left, and one that leaves is followed", async () => {
  const { client, net } = await follower();
  await pass(34_999);
  assert.equal(client.state, "ready");
  await pass(1);
  assert.deepEqual([client.state, net.socket.closed], ["backoff", 4002]);
  await pass(500);
  net.socket.welcome();
  net.socket.say(golden("server.goaway"));
  assert.equal(client.state, "draining");
  await pass(1500);
  assert.equal(net.sockets.length, 3);
});

test("after limits the client is quiet for as long as it is told", async () => {
  const { client, net } = await follower();
  net.socket.say(golden("server.limits"));
  client.call("session.list").catch(() => {});
  assert.deepEqual(net.socket.take(), []);
  await pass(250);
  assert.equal(net.socket.take()[0].method, "session.list");
});
