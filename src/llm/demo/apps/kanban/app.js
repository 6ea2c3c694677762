// ---- The board --------------------------------------------------------------------------------

function isBoard(kept) {
  const lists = [kept.columns, kept.known];
  return lists.every(Array.isArray) && kept.columns.every((column) => Array.isArray(column.cards));
}

let state = load(isBoard, { columns: [], known: [] });
let dragged = null;

// Columns of COLUMNS that this browser has not seen yet, each after the one before it.
for (const [index, name] of COLUMNS.entries()) {
  if (state.known.includes(name)) continue;
  const before = state.columns.findIndex((column) => column.name === COLUMNS[index - 1]);
  state.columns.splice(before < 0 ? state.columns.length : before + 1, 0, { id: newId(), name, cards: [] });
  state.known.push(name);
}

// Cards of START that it has not seen yet.
for (const text of START) {
  const mark = `card ${text}`;
  if (!state.columns.length || state.known.includes(mark)) continue;
  state.columns[0].cards.push({ id: newId(), text });
  state.known.push(mark);
}

/** The cards of a column that are on show. */
const shown = (column) => column.cards;

const columnOf = (item) => state.columns.find((column) => column.cards.includes(item));
const itemOf = (id) => state.columns.flatMap((column) => column.cards).find((item) => item.id === id);

/** Puts a card into `column`, above `before` or at the end. */
function move(item, column, before) {
  const from = columnOf(item);
  if (before === item) return;
  change(`${item.text}: moved to ${column.name}.`, () => {
    from.cards.splice(from.cards.indexOf(item), 1);
    const place = before ? column.cards.indexOf(before) : column.cards.length;
    column.cards.splice(place, 0, item);
  });
  focusOn(item.id);
}

/** Moves a card one place: sideways into the next column, or up and down within its own. */
function step(item, aside, down) {
  const column = columnOf(item);
  const place = column.cards.indexOf(item);
  const target = state.columns[state.columns.indexOf(column) + aside];
  if (aside && target) move(item, target, target.cards[place]);
  if (down < 0 && place > 0) move(item, column, column.cards[place - 1]);
  if (down > 0 && place + 1 < column.cards.length) move(item, column, column.cards[place + 2]);
}

/** Moves the focus to the neighbour of a card. */
function look(item, aside, down) {
  const column = columnOf(item);
  const place = shown(column).indexOf(item);
  const lists = state.columns.map(shown);
  if (down) focusOn(shown(column)[place + down]?.id ?? item.id);
  let at = state.columns.indexOf(column) + aside;
  while (aside && lists[at]?.length === 0) at += aside;
  if (aside && lists[at]) focusOn(lists[at][Math.min(place, lists[at].length - 1)].id);
}

function remove(item) {
  const column = columnOf(item);
  const place = column.cards.indexOf(item);
  change(`Deleted ${item.text}. Undo brings it back.`, () => column.cards.splice(place, 1));
  focusOn((column.cards[place] ?? column.cards[place - 1])?.id ?? `new ${column.id}`);
}

/** Puts a field in the place of `shown`; `use` gets the new words. */
function ask(shown, words, label, use) {
  const field = el("input", { type: "text", value: words, maxlength: 200, "aria-label": label });
  const finish = (keep) => {
    field.onblur = null; // repainting takes the field away, which is a blur as well
    const text = field.value.trim();
    if (keep && text && text !== words) use(text);
    else render();
  };
  field.onblur = () => finish(true);
  field.onkeydown = (event) => {
    event.stopPropagation();
    if (event.key === "Enter" || event.key === "Escape") finish(event.key === "Enter");
  };
  shown.replaceWith(field);
  field.select();
}

function edit(item) {
  ask($(`[data-text="${item.id}"]`), item.text, "Card", (text) => {
    change(`Changed to ${text}.`, () => (item.text = text));
  });
}

function add(column) {
  const text = $(`[data-focus="new ${column.id}"]`).value.trim();
  if (text) {
    const item = { id: newId(), text };
    change(`Added ${text} to ${column.name}.`, () => column.cards.push(item));
  }
  focusOn(`new ${column.id}`);
}

function onCardKey(event, item) {
  if (event.target !== event.currentTarget) return; // a button of the card
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const arrow = arrows[event.key];
  if (arrow) (event.shiftKey ? step : look)(item, ...arrow);
  else if (event.key === "Enter") edit(item);
  else if (event.key === "Delete") remove(item);
  else return;
  event.preventDefault();
}

function cardView(item, index) {
  const text = el("span", { class: "text", "data-text": item.id, ondblclick: () => edit(item) }, item.text);
  const body = el("div", { class: "body" }, text);
  const button = (icon, label, onclick, attributes) =>
    iconButton(icon, `${label} ${item.text}`, { onclick, "data-focus": `${icon} ${item.id}`, ...attributes });
  const view = el(
    "li",
    {
      class: "card",
      tabindex: 0,
      draggable: "true",
      "data-focus": item.id,
      "data-card": item.id,
      "aria-describedby": "help",
      onkeydown: (event) => onCardKey(event, item),
      ondragstart: (event) => {
        dragged = item;
        event.dataTransfer.effectAllowed = "move";
        event.dataTransfer.setData("text/plain", item.text);
        view.classList.add("dragged");
      },
      ondragend: () => {
        dragged = null;
        render();
      },
    },
    body,
    el(
      "div",
      { class: "actions" },
      button("left", "Move left:", () => step(item, -1, 0), { disabled: index === 0 }),
      button("right", "Move right:", () => step(item, 1, 0), { disabled: index === state.columns.length - 1 }),
      button("edit", "Edit", () => edit(item)),
      button("remove", "Delete", () => remove(item)),
    ),
  );
  return view;
}

/** The card that a dragged one would lie above at this height. */
function cardBelow(list, y) {
  const cards = [...list.querySelectorAll(".card:not(.dragged)")];
  return cards.find((card) => y < card.getBoundingClientRect().top + card.offsetHeight / 2);
}

function columnView(column, index) {
  const title = el("h2", { id: `column-${column.id}` }, column.name);
  const rename = () => ask(title, column.name, "Column", (name) => change(`Renamed to ${name}.`, () => (column.name = name)));
  const drop = () => change(`Removed ${column.name}.`, () => state.columns.splice(index, 1));
  const cards = shown(column).map((item) => cardView(item, index));
  const list = el("ul", { class: "cards", "aria-labelledby": title.id }, ...cards);
  if (!cards.length) list.append(el("li", { class: "nothing" }, "No cards"));
  const unmark = () => list.querySelector(".before")?.classList.remove("before");
  const section = el(
    "section",
    {
      class: "column",
      "aria-labelledby": title.id,
      ondragover: (event) => {
        if (!dragged) return;
        event.preventDefault();
        unmark();
        cardBelow(list, event.clientY)?.classList.add("before");
        section.classList.add("over");
      },
      ondragleave: (event) => {
        if (section.contains(event.relatedTarget)) return;
        unmark();
        section.classList.remove("over");
      },
      ondrop: (event) => {
        event.preventDefault();
        const item = dragged;
        dragged = null;
        if (item) move(item, column, itemOf(cardBelow(list, event.clientY)?.dataset.card));
      },
    },
    el(
      "div",
      { class: "column-head" },
      title,
      el("span", { class: "count", "aria-label": `${column.cards.length} cards` }, String(column.cards.length)),
      el(
        "div",
        { class: "actions" },
        iconButton("edit", `Rename column ${column.name}`, { onclick: rename, "data-focus": `rename ${column.id}` }),
        column.cards.length ? null : iconButton("remove", `Remove column ${column.name}`, { onclick: drop }),
      ),
    ),
    list,
    el(
      "div",
      { class: "add" },
      el("input", {
        type: "text",
        maxlength: 200,
        placeholder: "New card",
        "aria-label": `New card in ${column.name}`,
        "data-focus": `new ${column.id}`,
        onkeydown: (event) => event.key === "Enter" && !event.isComposing && add(column),
      }),
      el("button", { class: "quiet", type: "button", "aria-label": `Add to ${column.name}`, onclick: () => add(column) }, "Add"),
    ),
  );
  return section;
}

function render() {
  const scrolled = $("#board").scrollLeft;
  repaint($("#board"), state.columns.map(columnView));
  $("#board").scrollLeft = scrolled;
  $("#undo").disabled = !past.length;
}

$("#undo").addEventListener("click", undo);
$("#add-column").addEventListener("click", () => {
  const column = { id: newId(), name: "New column", cards: [] };
  change("Added a column.", () => state.columns.push(column));
  $(`[data-focus="rename ${column.id}"]`).click();
});

// All is set up: show it.
render();
