// What a reader of the log ends up with.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Replica } from "../../src/console/assets/greenroom/greenroom.js";
import { golden, goldens } from "./harness.mjs";

const RUN = golden("event.run.started").run;

/** A replica that has been told these events, one an entry. */
function told(events, replica = new Replica()) {
  for (const event of events) replica.apply({ seq: replica.last + 1, ts: 0, event });
  return replica;
}

const begun = [{ type: "input.user", run: RUN, cid: "cmd_1", by: "usr_1", text: "Hi" }, golden("event.run.started")];
const file = (part, path, text, complete = true) => [
  { type: "file.start", part, path },
  { type: "file.delta", part, text },
  { type: "file.end", part, complete, bytes: new TextEncoder().encode(text).length, sha256: `sha of ${text}` },
];
const committed = { type: "files.committed", run: RUN, commit: "c1", added: 1, changed: 0, removed: 0 };
const finished = { type: "run.finished", run: RUN, outcome: "completed" };
const texts = (files) => Object.fromEntries([...files].map(([path, { text }]) => [path, text]));

test("every event is taken, also where its part began before the replica did", () => {
  const events = goldens("event.").map(golden);
  assert.ok(events.length > 25);
  for (const event of events) {
    told([event], new Replica(40));
    const start = events.find(({ type }) => type === `${event.type.split(".")[0]}.start`);
    // The golden end of a file tells of six bytes.
    const six = event.type === "file.end" ? [{ type: "file.delta", part: 3, text: "hello\n" }] : [];
    told([...(start ? [start] : []), ...six, event].slice(-3));
  }
  told([{ type: "of.a.later.server", part: 1 }]);
});

test("files are staged, take effect at the commit, and vanish without one", () => {
  const replica = told([...begun, ...file(1, "a.js", "a\nü")]);
  assert.deepEqual([texts(replica.files), texts(replica.working())], [{}, { "a.js": "a\nü" }]);
  told([committed, finished], replica);
  assert.deepEqual(texts(replica.files), { "a.js": "a\nü" });
  told([...begun, ...file(2, "a.js", "other"), { ...finished, outcome: "failed" }], replica);
  assert.deepEqual(texts(replica.working()), { "a.js": "a\nü" });
});

test("deleting and moving happen in their order", () => {
  const replica = told([...begun, ...file(1, "a", "1"), ...file(2, "b", "2"), committed, finished]);
  const moves = [{ type: "file.moved", from: "a", to: "c" }, ...file(3, "a", "3"), { type: "file.deleted", path: "b" }];
  told([...begun, ...moves, committed, finished], replica);
  assert.deepEqual(texts(replica.files), { a: "3", c: "1" });
});

test("a file that is being written is shown with its state", () => {
  const replica = told([...begun, ...file(1, "a", "1"), { type: "file.start", part: 2, path: "b" }, { type: "file.delta", part: 2, text: "x" }]);
  const states = (files) => [...files].map(([path, { state }]) => [path, state]);
  assert.deepEqual(states(replica.working()), [["a", "written"], ["b", "writing"]]);
  assert.deepEqual(states(replica.working({ open: false })), [["a", "written"]]);
  told([{ type: "file.end", part: 2, complete: false, bytes: 1, sha256: "" }], replica);
  assert.deepEqual(states(replica.working()), [["a", "written"], ["b", "cut_off"]]);
});

test("after run.recovering what was open is void and what was complete stays", () => {
  const open = [{ type: "file.start", part: 2, path: "b" }, { type: "file.delta", part: 2, text: "half" }];
  const replica = told([...begun, ...file(1, "a", "1"), ...open]);
  told([{ type: "run.recovering", run: RUN, attempt: 2, superseded_from: 6 }, ...file(3, "b", "whole"), committed, finished], replica);
  assert.deepEqual(texts(replica.files), { a: "1", b: "whole" });
  assert.deepEqual(replica.items.filter(({ kind }) => kind === "file").map(({ path, text }) => [path, text]), [["a", "1"], ["b", "whole"]]);
});

test("runs wait in a queue, and one that ends there leaves the current one alone", () => {
  const next = { type: "input.user", run: "run_2", cid: "cmd_2", by: "usr_1", text: "Next" };
  const replica = told([...begun, next, ...file(1, "a", "1")]);
  assert.deepEqual([replica.current.run, replica.queue.map(({ run }) => run)], [RUN, ["run_2"]]);
  told([{ type: "run.finished", run: "run_2", outcome: "cancelled" }], replica);
  assert.deepEqual([replica.current.run, replica.queue, [...replica.working().keys()]], [RUN, [], ["a"]]);
});

test("an entry that does not follow, and a file that is shorter than its end says, are told", () => {
  assert.throws(() => new Replica().apply({ seq: 2, event: finished }), /entry 2 was applied after entry 0/);
  const short = [{ type: "file.start", part: 1, path: "a" }, { type: "file.end", part: 1, complete: true, bytes: 3, sha256: "" }];
  assert.throws(() => told([...begun, ...short]), /a holds 0 bytes, its end says 3/);
});

test("a rollback brings files back, says what it left behind, and can be undone", () => {
  const rolledBack = (to, files, commit) => ({ type: "session.rolled_back", by: "usr_1", cid: "cmd_2", to, files, commit, turns: "" });
  const replica = told([...begun, ...file(1, "a", "1"), committed, finished]);
  const first = replica.last;
  told([...begun, ...file(2, "a", "2"), ...file(3, "b", "3"), { ...committed, commit: "c2" }, finished], replica);
  const second = replica.last;
  const pale = () => replica.items.filter(({ left }) => left).map(({ kind, path }) => path ?? kind);

  told([rolledBack(first, "c1", "c3")], replica);
  assert.deepEqual(texts(replica.files), { a: "1" });
  assert.deepEqual(pale(), ["input", "a", "b", "commit", "finished"]);
  told([...begun, ...file(4, "c", "4"), { ...committed, commit: "c4" }, finished], replica);
  assert.deepEqual(texts(replica.files), { a: "1", c: "4" });
  told([rolledBack(second, "c2", "c5")], replica);
  assert.deepEqual(texts(replica.files), { a: "2", b: "3" });
  assert.deepEqual(pale(), ["rollback", "input", "c", "commit", "finished"]);
  told([rolledBack(1, undefined, "c6")], replica);
  assert.deepEqual([texts(replica.files), replica.whole], [{}, true]);
});

test("a fork is not whole until a rollback leads to files that it wrote itself", () => {
  const replica = told([{ type: "session.forked", parent: "ses_1", at: 9, commit: "c0", turns: "" }]);
  assert.deepEqual([replica.whole, replica.commits.at(-1).commit], [false, "c0"]);
  told([...begun, ...file(1, "a", "1"), committed, finished], replica);
  assert.equal(replica.whole, false);
  assert.deepEqual(texts(replica.working({ committed: new Map([["b", { text: "2" }]]) })), { b: "2" });
});

const said = (run, more = {}) => ({ type: "input.user", run, cid: `cmd of ${run}`, by: "usr_1", text: "Hi", ...more });
const asks = { type: "input.requested", request: 1, run: RUN, kind: "plan", text: "Shall I?" };
const planned = [
  ...begun,
  { type: "run.classified", run: RUN, intent: "code_generation", complexity: "simple", confidence: 90 },
  { type: "run.planned", run: RUN, spec: { overview: "A shop" } },
  { type: "run.quoted", run: RUN, price: {}, cost: 5, hold: 9, approved: false },
];

test("a plan is one item with its quote and with the request that waits for its approval", () => {
  const replica = told([...planned, asks, finished]);
  const plan = replica.items.find(({ kind }) => kind === "plan");
  assert.deepEqual([plan.spec.overview, plan.understood.intent, plan.quote.hold, plan.request, plan.resolved], ["A shop", "code_generation", 9, 1, null]);
  assert.equal(replica.items.some(({ kind }) => kind === "request"), false);
  assert.deepEqual([replica.waiting.request, replica.current], [1, null]);
  const { version } = plan;
  told([{ type: "input.resolved", request: 1, answered: true, by: "usr_1", run: "run_2" }, said("run_2", { text: "", answers: 1 })], replica);
  assert.deepEqual([plan.resolved.answered, plan.version > version, replica.waiting], [true, true, null]);
  assert.equal(replica.items.at(-1).kind, "finished", "an approval without a remark says no more");
  assert.deepEqual([replica.runs.get("run_2").answers, replica.runs.get("run_2").about], [1, "Hi"]);
});

test("questions wait in an item of their own, until something else takes their place", () => {
  const questions = [{ question: "For whom?", options: ["me"] }];
  const replica = told([...begun, { ...asks, kind: "question", questions }, finished]);
  const request = replica.items.find(({ kind }) => kind === "request");
  assert.deepEqual([request.ask, request.questions, request.resolved], ["question", questions, null]);
  told([{ type: "input.resolved", request: 1, answered: false }], replica);
  assert.deepEqual([request.resolved, replica.waiting], [{ answered: false, by: null, text: "" }, null]);
});

test("what a run takes up is said within it and has no end of its own", () => {
  const replica = told([...begun, ...file(1, "a", "1"), said("run_2", { steers: RUN })]);
  assert.deepEqual(replica.queue.map(({ run }) => run), ["run_2"]);
  told([{ type: "run.finished", run: "run_2", outcome: "steered" }, ...file(2, "b", "2"), committed, finished], replica);
  assert.deepEqual(replica.items.map(({ kind }) => kind), ["input", "file", "input", "file", "commit", "finished"]);
  assert.deepEqual([texts(replica.files), replica.runs.get("run_2").outcome], [{ a: "1", b: "2" }, "steered"]);
});
