// ---- Small tools ------------------------------------------------------------------------------

const $ = (selector) => document.querySelector(selector);

/** Makes an element: `el("button", { class: "quiet", onclick: go }, "Go")`. */
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

const ICONS = {
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  remove: "M6 6l12 12M18 6L6 18",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
};

/** Makes a button that shows an icon and says `label`. */
function iconButton(icon, label, attributes) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[icon]);
  svg.append(path);
  const words = { type: "button", class: "icon", "aria-label": label, title: label };
  return el("button", { ...words, ...attributes }, svg);
}

/** Replaces what `parent` shows; the focus stays on the control with the same `data-focus`. */
function repaint(parent, children) {
  const focus = parent.contains(document.activeElement) && document.activeElement.dataset.focus;
  parent.replaceChildren(...children.filter((child) => child != null));
  if (focus) focusOn(focus);
}

function focusOn(name) {
  $(`[data-focus="${CSS.escape(name)}"]`)?.focus();
}

/** Tells screen readers what happened. */
function say(text) {
  $("#status").textContent = text;
}

const newId = () => Math.random().toString(36).slice(2, 10);

/** Reads what this browser kept; `fallback` where it kept nothing that `isValid`. */
function load(isValid, fallback) {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    return kept && isValid(kept) ? kept : fallback;
  } catch {
    return fallback;
  }
}

/** Keeps the state in this browser. Where that is blocked the page still works, and says so. */
function save() {
  try {
    localStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    $("#unsaved").hidden = false;
  }
}

