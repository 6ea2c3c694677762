// Which panel is on show. A wide window has sessions and conversation beside one of the others; on
// a phone there is one at a time.

import { button, roving } from "./dom.js";

const VIEWS = { sessions: "Sessions", chat: "Chat", preview: "Preview", files: "Files", versions: "Versions", log: "Log" };
/** Those that are on show anyway where there is room. */
const WIDE = ["sessions", "chat"];

export class Tabs {
  #console;
  #place;
  #retab;

  constructor(place, console, changed) {
    this.#place = place;
    this.#console = console;
    const tabs = Object.entries(VIEWS).map(([view, name]) => {
      const className = WIDE.includes(view) ? "narrow" : "";
      return button(name, () => this.show(view), { id: `tab-${view}`, className, "aria-controls": view });
    });
    place.append(...tabs);
    this.changed = changed;
    this.#retab = roving(place, "button", (tab) => this.#isCurrent(tab), (tab) => tab.click());
    this.show("chat");
  }

  show(view) {
    this.#console.dataset.view = view;
    if (!WIDE.includes(view)) this.#console.dataset.side = view;
    for (const tab of this.#place.children) tab.setAttribute("aria-pressed", String(this.#isCurrent(tab)));
    this.#retab();
    this.changed();
  }

  /** Both where a narrow window would look and where a wide one does. */
  #isCurrent(tab) {
    const { view, side } = this.#console.dataset;
    const wide = matchMedia("(min-width: 60rem)").matches;
    return tab.id === `tab-${wide ? side : view}`;
  }
}
