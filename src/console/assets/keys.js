// The keys of the providers, for operators: this page is on the internal port alone, and shows
// what `/providers` says there. A key itself never gets here.

import { el, say } from "./dom.js";

const EVERY_MS = 2000;
/** Longest wait for an answer. */
const ANSWER_MS = 5000;
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const place = document.getElementById("keys");

const left = (count) => (count === undefined || count === null ? "not known" : number.format(count));
const wait = (ms) => (ms ? `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s` : "");
const state = (name) => el("span", { className: `state-${name}` }, name.replace("_", " "));

function table(caption, heads, rows) {
  if (!rows.length) return el("p", { className: "quiet" }, `${caption}: none yet.`);
  const head = el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)));
  const body = rows.map((cells) => el("tr", {}, ...cells.map((cell) => el("td", {}, cell))));
  const whole = el("table", {}, el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, ...body));
  return el("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": caption }, whole);
}

function provider({ name, model, in_flight: calls, waiting, keys, groups }) {
  const keyRows = keys.map(({ fingerprint, account, state: now, ready_in_ms: ms }) => [fingerprint ?? "none needed", account, state(now), wait(ms)]);
  const groupRows = groups.map((group) => [
    group.account,
    group.model,
    state(group.state),
    wait(group.ready_in_ms),
    left(group.in_flight),
    left(group.requests_left),
    left(group.tokens_left),
  ]);
  return el(
    "section",
    { "aria-label": name },
    el("h2", {}, name),
    el("p", { className: "quiet" }, `${model}: ${number.format(calls)} calls under way, ${number.format(waiting)} waiting for room`),
    table("Keys", ["Fingerprint", "Account", "State", "Next look in"], keyRows),
    table("Quota groups", ["Account", "Model", "State", "Cools for", "Under way", "Requests left", "Tokens left"], groupRows),
  );
}

async function show() {
  try {
    const answer = await fetch("/providers", { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) throw new Error(`it answers ${answer.status}`);
    const providers = await answer.json();
    const held = place.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
    place.replaceChildren(...providers.map(provider));
    if (held) place.querySelector(`[aria-label="${held}"]`)?.focus();
    say(document.getElementById("state"), `as of ${new Date().toLocaleTimeString()}`);
    say(document.getElementById("status"), "");
  } catch (error) {
    say(document.getElementById("status"), `The server does not say how its keys are: ${error.message}.`);
  }
  setTimeout(show, EVERY_MS);
}

show();
