// ---- The list ---------------------------------------------------------------------------------

const FILTERS = {
  all: () => true,
  open: (item) => !item.done,
  done: (item) => item.done,
};

let state = load((kept) => Array.isArray(kept.items) && Array.isArray(kept.known) && kept.filter in FILTERS, {
  items: [],
  known: [],
  filter: "all",
});

// Tasks of START that this browser has not seen yet.
for (const text of START.filter((text) => !state.known.includes(text))) {
  state.known.push(text);
  state.items.push({ id: newId(), text, done: false });
}

function add() {
  const text = $("#new").value.trim();
  if (text) {
    const item = { id: newId(), text, done: false };
    $("#new").value = "";
    if (state.filter === "done") state.filter = "all";
    change(`Added ${text}.`, () => state.items.push(item));
  }
  $("#new").focus();
}

function toggle(item) {
  change(item.done ? `${item.text} is open again.` : `${item.text} is done.`, () => {
    item.done = !item.done;
  });
}

function remove(item) {
  const place = visible().indexOf(item);
  change(`Deleted ${item.text}. Undo brings it back.`, () => {
    state.items = state.items.filter((other) => other !== item);
  });
  const next = visible()[place] ?? visible()[place - 1];
  if (next) focusOn(`remove ${next.id}`);
  else $("#new").focus();
}

function edit(item) {
  const text = $(`[data-text="${item.id}"]`);
  const field = el("input", { type: "text", class: "text", value: item.text, maxlength: 200, "aria-label": "Task" });
  const finish = (keep) => {
    field.onblur = null; // repainting takes the field away, which is a blur as well
    const words = field.value.trim();
    if (keep && words && words !== item.text) change(`Changed to ${words}.`, () => (item.text = words));
    else render();
    focusOn(`edit ${item.id}`);
  };
  field.onblur = () => finish(true);
  field.onkeydown = (event) => {
    if (event.key === "Enter" || event.key === "Escape") finish(event.key === "Enter");
  };
  text.replaceWith(field);
  field.select();
}

/** The tasks on show, in their order. */
function visible() {
  const items = state.items.filter(FILTERS[state.filter]);
  return items;
}

function row(item) {
  const id = `text-${item.id}`;
  const text = el("span", { class: "text", id, "data-text": item.id, ondblclick: () => edit(item) }, item.text);
  const check = el("input", {
    type: "checkbox",
    "aria-labelledby": id,
    "data-focus": `check ${item.id}`,
    onchange: () => toggle(item),
  });
  check.checked = item.done;
  const body = el("div", { class: "body" }, text);
  const actions = el(
    "div",
    { class: "actions" },
    iconButton("edit", `Edit ${item.text}`, { "data-focus": `edit ${item.id}`, onclick: () => edit(item) }),
    iconButton("remove", `Delete ${item.text}`, { "data-focus": `remove ${item.id}`, onclick: () => remove(item) }),
  );
  return el("li", { class: item.done ? "item done" : "item" }, check, body, actions);
}

function render() {
  const items = visible();
  const done = state.items.filter((item) => item.done).length;
  const total = state.items.length;
  repaint($("#list"), items.map(row));
  $("#count").textContent = total ? `${total - done} open, ${done} done` : "Nothing to do yet";
  $("#progress").value = total ? done / total : 0;
  $("#empty").hidden = items.length > 0;
  $("#empty").textContent = total ? "Nothing here with this filter." : "All clear. Add the first task above.";
  $("#undo").disabled = !past.length;
  $("#clear").disabled = !done;
  for (const button of document.querySelectorAll("[data-filter]")) {
    button.setAttribute("aria-pressed", button.dataset.filter === state.filter);
  }
}

$("#add").addEventListener("click", add);
$("#new").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.isComposing) add();
});
$("#undo").addEventListener("click", undo);
$("#clear").addEventListener("click", () => {
  change("Cleared what is done. Undo brings it back.", () => {
    state.items = state.items.filter((item) => !item.done);
  });
});
for (const button of document.querySelectorAll("[data-filter]")) {
  button.addEventListener("click", () => {
    state.filter = button.dataset.filter;
    save();
    render();
  });
}

// All is set up: show it.
render();
