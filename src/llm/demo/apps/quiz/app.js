// ---- The quiz ---------------------------------------------------------------------------------

function isQuiz(kept) {
  return Array.isArray(kept.questions) && kept.questions.every((one) => Array.isArray(one.wrong));
}

let state = load(isQuiz, { questions: structuredClone(QUESTIONS), edited: false, best: null });
// Questions that nobody has edited follow the file.
if (!state.edited) state.questions = structuredClone(QUESTIONS);
let round = null;

/** A copy of a list in a random order. */
function mixed(list) {
  const copy = [...list];
  for (let last = copy.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [copy[last], copy[other]] = [copy[other], copy[last]];
  }
  return copy;
}

/** The questions that can be asked: with words, a right answer and a wrong one. */
function playable() {
  return state.questions.filter((one) => one.question.trim() && one.right.trim() && one.wrong.some((text) => text.trim()));
}

/** Shows a screen and puts the focus on its heading, so that screen readers begin there. */
function show(...children) {
  repaint($("#screen"), children);
  $("#screen").className = "sheet";
  $("#screen h2").tabIndex = -1;
  $("#screen h2").focus();
}

const button = (text, onclick, kind = "quiet") => el("button", { type: "button", class: kind, onclick }, text);

function welcome() {
  const count = playable().length;
  round = null;
  show(
    el("h2", {}, count === 1 ? "One question" : `${count} questions`),
    el("p", {}, state.edited ? "With your own questions." : INTRO),
    state.best === null ? null : el("p", { class: "note" }, `Best so far: ${state.best} %`),
    el(
      "div",
      { class: "buttons" },
      count ? button("Start", () => begin(playable()), "button") : null,
      button("Edit questions", editor),
    ),
  );
  $("#screen").classList.add("centred");
}

/** Starts a round with these questions. */
function begin(order) {
  round = {
    at: 0,
    answers: [],
    questions: order.map((one) => ({ ...one, choices: mixed([one.right, ...one.wrong.filter((text) => text.trim())]) })),
  };
  ask();
}

const isRight = (answer, index) => answer === round.questions[index].right;
const score = () => round.answers.filter(isRight).length;

function ask() {
  const { at, questions } = round;
  const { question, choices } = questions[at];
  show(
    el(
      "p",
      { class: "status" },
      el("span", {}, `Question ${at + 1} of ${questions.length}`),
      el("span", {}, `Score ${score()}`),
    ),
    el("progress", { value: at, max: questions.length, "aria-label": "Progress" }),
    el("h2", { id: "question" }, question),
    el(
      "div",
      { class: "choices", role: "group", "aria-labelledby": "question" },
      ...choices.map((text, index) =>
        el(
          "button",
          { type: "button", class: "choice", onclick: () => answer(text) },
          el("kbd", {}, String(index + 1)),
          el("span", {}, text),
        ),
      ),
    ),
    el("div", { id: "after" }),
  );
  say("");
}

/** Takes the answer to the question on show; null is none. */
function answer(text) {
  const { at, answers, questions } = round;
  if (answers.length > at) return;
  const { right, why, choices } = questions[at];
  answers.push(text);
  for (const [index, choice] of document.querySelectorAll(".choice").entries()) {
    choice.setAttribute("aria-disabled", "true");
    if (choices[index] === right) choice.classList.add("right");
    else if (choices[index] === text) choice.classList.add("wrong");
  }
  const last = at + 1 === questions.length;
  const next = button(last ? "See the result" : "Next question", last ? result : advance, "button");
  const verdict = text === right ? "Right!" : `${text === null ? "Time is up." : "Not quite."} The answer is: ${right}.`;
  $("#screen progress").value = at + 1;
  $("#after").append(
    el("p", { class: "feedback" }, el("strong", {}, verdict), why ? ` ${why}` : null),
    el("div", { class: "buttons" }, next),
  );
  next.focus();
  say(`${verdict} ${why ?? ""}`);
}

function advance() {
  round.at += 1;
  ask();
}

function result() {
  const { questions, answers } = round;
  const percent = Math.round((100 * score()) / questions.length);
  const missed = questions.filter((one, index) => !isRight(answers[index], index));
  const all = questions.length === playable().length;
  if (all) state.best = Math.max(state.best ?? 0, percent);
  save();
  const ring = el("div", { class: "score", "aria-hidden": "true" }, `${percent} %`);
  ring.style.setProperty("--share", `${percent}%`);
  const praise = percent === 100 ? "Perfect!" : percent >= 70 ? "Well done!" : percent >= 40 ? "Not bad." : "Worth another try.";
  show(
    ring,
    el("h2", {}, `${praise} ${score()} of ${questions.length} right`),
    all ? el("p", { class: "note" }, `Best so far: ${state.best} %`) : null,
    el(
      "div",
      { class: "buttons" },
      button("Play again", () => begin(playable()), "button"),
      missed.length && missed.length < questions.length ? button("Only the missed ones", () => begin(missed)) : null,
      button("Edit questions", editor),
    ),
    el("ol", { class: "review", "aria-label": "Your answers" }, ...questions.map(review)),
  );
  $("#screen").classList.add("centred");
}

function review(one, index) {
  const given = round.answers[index];
  const right = given === one.right;
  return el(
    "li",
    {},
    el("strong", {}, `${index + 1}. ${one.question}`),
    el("p", { class: right ? "verdict right" : "verdict wrong" }, `${right ? "✓" : "✗"} ${given ?? "No answer"}`),
    right ? null : el("p", {}, `Right answer: ${one.right}`),
    one.why ? el("p", { class: "note" }, one.why) : null,
  );
}

// ---- The editor of questions ------------------------------------------------------------------

function editor() {
  round = null;
  const add = () => {
    state.questions.push({ question: "", right: "", wrong: ["", "", ""], why: "" });
    keep();
    editor();
    document.querySelector(".editor:last-of-type textarea").focus();
  };
  const restore = () => {
    state.questions = structuredClone(QUESTIONS);
    state.edited = false;
    save();
    editor();
    say("The first questions are back.");
  };
  show(
    el("h2", {}, "Edit questions"),
    el("p", {}, "Changes are kept as you type. A question needs a right answer and at least one wrong one."),
    ...state.questions.map(card),
    el(
      "div",
      { class: "buttons" },
      button("Done", welcome, "button"),
      button("Add question", add),
      state.edited ? button("Restore the first questions", restore) : null,
    ),
  );
}

function keep() {
  state.edited = true;
  state.best = null;
  save();
}

function card(one, index) {
  const field = (label, text, use, kind = "input") => {
    const input = el(kind, { type: kind === "input" ? "text" : null, maxlength: 300 });
    input.value = text;
    input.addEventListener("input", () => {
      use(input.value);
      keep();
    });
    return el("label", {}, label, input);
  };
  const remove = () => {
    state.questions.splice(index, 1);
    keep();
    editor();
    say(`Question ${index + 1} is deleted.`);
  };
  return el(
    "fieldset",
    { class: "editor" },
    el("legend", {}, `Question ${index + 1}`),
    field("Question", one.question, (text) => (one.question = text), "textarea"),
    field("Right answer", one.right, (text) => (one.right = text)),
    ...one.wrong.map((wrong, at) => field(`Wrong answer ${at + 1}`, wrong, (text) => (one.wrong[at] = text))),
    field("Explanation (optional)", one.why ?? "", (text) => (one.why = text)),
    button(`Delete question ${index + 1}`, remove),
  );
}

// Keys 1 to 9 choose an answer.
document.addEventListener("keydown", (event) => {
  const choice = round?.questions[round.at]?.choices[Number(event.key) - 1];
  if (choice !== undefined && $("#question") && !event.ctrlKey && !event.metaKey && !event.altKey) answer(choice);
});

// All is set up: show it.
welcome();
