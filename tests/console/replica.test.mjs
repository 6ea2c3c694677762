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
