// Cards with which a run asks a person: its plan, its questions, whether to go on.

import { button, credits, el } from "./dom.js";

const INTENTS = {
  code_generation: "Something new",
  follow_up: "A change",
  conversation: "Conversation",
  discussion: "Discussion",
  review: "A review",
  explain: "An explanation",
  ambiguous: "Not clear yet",
};
const ACTIONS = { create: "new", modify: "changed", delete: "removed" };
const RESOLVED = { plan: ["Approved.", "Declined."], question: ["Answered.", "Not answered."], credits: ["It goes on.", "Left as it is."] };

/** Sends an answer, once; the card is drawn anew when the log has it. */
async function respond(app, item, form, accept, text) {
  const controls = [...form.querySelectorAll("button, input")];
  for (const control of controls) control.disabled = true;
  form.closest(".story")?.focus({ preventScroll: true }); // what had the focus will be gone
  await app.respond(item.request, accept, text);
  for (const control of controls) control.disabled = false;
}

/** What became of a request, or the controls that answer it. */
function answer(item, app, kind, controls) {
  if (item.resolved) {
    const { answered, by } = item.resolved;
    const dropped = !answered && !by;
    const [yes, no] = RESOLVED[kind] ?? RESOLVED.plan;
    return el("p", { className: "quiet" }, dropped ? "Something else took its place." : answered ? yes : no);
  }
  if (item.request === null || item.left || app.past) return null;
  const form = el("form", { method: "post", className: "answer-form" });
  form.append(...controls(form));
  return form;
}

const say = (form, name) => form.elements[name].value.trim();

/** "Yes", with words where `remark` is their label, and "no". */
function approval(item, app, { yes, no, remark }) {
  return (form) => {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      respond(app, item, form, true, remark ? say(form, "remark") : "");
    });
    const field = remark && el("input", { name: "remark", type: "text", placeholder: remark, "aria-label": remark, autocomplete: "off" });
    const decline = button(no, () => respond(app, item, form, false, ""), { className: "decline" });
    const approve = el("button", { type: "submit", className: "primary approve" }, yes);
    return [...(field ? [field] : []), el("div", { className: "row" }, approve, decline)];
  };
}

const looks = ({ request, resolved }) => (request !== null && !resolved ? "ask waits" : "ask");

const section = (title, rows) => rows.length > 0 && el("div", {}, el("h3", {}, title), el("ul", { className: "rows-of" }, ...rows));

function planned({ path, action = "modify", purpose }) {
  const what = el("span", { className: "quiet" }, [ACTIONS[action], purpose].filter(Boolean).join(": "));
  return el("li", {}, el("code", {}, path), " ", what);
}

function feature({ name, description, priority }) {
  const much = priority === "high" ? " (a must)" : priority === "low" ? " (if it fits)" : "";
  return el("li", {}, el("b", {}, name), much, description ? `: ${description}` : "");
}

const costs = ({ cost, hold, approved }) =>
  `About ${credits(cost)}${hold === cost ? "." : `; ${credits(hold)} are reserved for it.`}${approved ? " Approved, as it is little." : ""}`;

/** A plan: what a request was understood as, what is to be built, what it costs. */
export function planCard(item, app) {
  const { spec, understood, quote } = item;
  const { features = [], files = [], constraints = [], acceptance = [], risks = [], stack = {} } = spec;
  const built = [stack.frontend, stack.backend, stack.ai_services].flatMap((names) => names ?? []).join(", ");
  const facts = understood && [INTENTS[understood.intent], understood.complexity, `${understood.confidence} % sure`].filter(Boolean).join(", ");
  const line = (text) => el("li", {}, text);
  return el(
    "section",
    { className: looks(item), "aria-label": "Plan" },
    el("h3", { className: "quiet" }, facts ? `Plan: ${facts}` : "Plan"),
    el("p", {}, spec.overview),
    built && el("p", { className: "quiet" }, `Built with ${built}`),
    section("Features", features.map(feature)),
    section("Files", files.map(planned)),
    section("Heeds", constraints.map(line)),
    section("Done when", acceptance.map(line)),
    section("Risks", risks.map(line)),
    quote && el("p", { className: "quote" }, costs(quote)),
    answer(item, app, "plan", approval(item, app, { yes: "Approve", no: "Decline", remark: "A remark, if any" })),
  );
}

function question({ question: text, context, options = [] }, at, request) {
  const id = `answer-${request}-${at}`;
  const field = el("input", { id, name: id, type: "text", autocomplete: "off", placeholder: options.length ? "or in your own words" : "" });
  const choose = (option) => button(option, () => ((field.value = option), field.focus()), { className: "small option" });
  return el(
    "div",
    { className: "question" },
    el("label", { htmlFor: id }, text),
    context && el("p", { className: "quiet" }, context),
    options.length > 0 && el("div", { className: "row options" }, ...options.map(choose)),
    field,
  );
}

/** The answers as one text: several name their questions. */
function said(form, request, questions) {
  const answers = questions.map(({ question: text }, at) => [text, say(form, `answer-${request}-${at}`)]).filter(([, words]) => words);
  return questions.length === 1 ? (answers[0]?.[1] ?? "") : answers.map((pair) => pair.join(" ")).join("\n");
}

/** Questions, each with options and room for other words. */
function questions(item, app) {
  const all = item.questions.length ? item.questions : [{ question: "Your answer" }];
  return (form) => {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = said(form, item.request, all);
      if (text) respond(app, item, form, true, text);
      else form.querySelector("input").focus();
    });
    const decline = button("Leave it", () => respond(app, item, form, false, ""), { className: "decline" });
    const send = el("button", { type: "submit", className: "primary" }, "Answer");
    return [...all.map((one, at) => question(one, at, item.request)), el("div", { className: "row" }, send, decline)];
  };
}

/** Questions, or whether to go on though the credits ran out. */
export function requestCard(item, app) {
  const { ask, text, resolved } = item;
  const controls = ask === "question" ? questions(item, app) : approval(item, app, { yes: "Go on", no: "Leave it" });
  const title = { question: "Questions", credits: "The credits ran out" }[ask] ?? "It asks";
  const asked = resolved && item.questions.map(({ question: words }) => el("p", { className: "quiet" }, words));
  return el("section", { className: looks(item), "aria-label": title }, el("h3", { className: "quiet" }, title), el("p", {}, text), ...(asked || []), answer(item, app, ask, controls));
}
