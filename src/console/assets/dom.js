// Elements, without a library.

/** An element with properties, listeners (`onclick`), attributes (`aria-…`) and children. */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const button = (text, onclick, properties = {}) => el("button", { type: "button", onclick, ...properties }, text);

/** An amount of micro-credits for a person: at most four digits after the point. */
export function credits(micro) {
  const amount = (micro / 1e6).toLocaleString(undefined, { maximumFractionDigits: 4 });
  return `${amount} credits`;
}

/** Sets a text only where it differs, so that nothing is painted or read out twice. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Calls `paint` before the next frame, however often it is asked to. */
export function framed(paint) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    let timer = 0;
    const now = () => {
      if (!asked) return;
      asked = false;
      clearTimeout(timer);
      paint();
    };
    // A hidden page gets no frames, and one that is being hidden may not get the one it asked for.
    timer = setTimeout(now, document.hidden ? 0 : 500);
    if (!document.hidden) requestAnimationFrame(now);
  };
}

/**
 * Makes items one stop of the Tab key, between which the arrow keys move. Returns what to call
 * after the items or the current one have changed.
 */
export function roving(container, selector, isCurrent, choose) {
  const items = () => [...container.querySelectorAll(selector)].filter((item) => item.offsetParent !== null);
  container.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -all.length, End: all.length }[event.key];
    if (at < 0 || step === undefined) return;
    event.preventDefault();
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    next.focus();
    choose(next);
  });
  return () => {
    const all = [...container.querySelectorAll(selector)];
    const current = all.find(isCurrent) ?? all[0];
    for (const item of all) item.tabIndex = item === current ? 0 : -1;
  };
}

export const bytes = (count) => (count < 1000 ? `${count} B` : `${(count / 1000).toFixed(1)} kB`);

/** What a commit changes, without what it does not. */
export const changes = (counts) =>
  ["added", "changed", "removed"].filter((name) => counts[name]).map((name) => `${counts[name]} ${name}`).join(", ") || "no change";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

/** A time, without its date where that is today's. */
export function when(ms) {
  const at = new Date(ms);
  const today = at.toDateString() === new Date().toDateString();
  return today ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
}
