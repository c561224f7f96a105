// A long list that one can live in: newest at the bottom, at most so many rows in the page, never moving what is read.

import { fill, h } from "./element.js";

/** Rows in the page. */
export const MAX_ROWS = 2000;

/** Rows that are fetched at once. */
export const PAGE = 200;

/**
 * `drawn(item)` gives a row's cells; `page({before, after})` gives older, newer, or the newest items; `opened(number)` is
 * told what was chosen; `empty()` gives what stands in an empty list.
 */
export class Log {
  constructor(label, { drawn, page, opened, empty }) {
    Object.assign(this, { drawn, page, opened, empty });
    this.items = [];
    this.waiting = [];
    this.fresh = 0;
    this.isPaused = false;
    this.isAtEnd = true;
    this.isComplete = false;
    this.chosen = null;
    this.isLoading = false;
    this.list = h("div", { class: "rows", role: "listbox", tabindex: "0", "aria-label": label,
      onscroll: () => this.scrolled(), onclick: (event) => this.clicked(event), onkeydown: (event) => this.pressed(event) });
    this.pill = h("button", { type: "button", class: "pill", hidden: true, onclick: () => this.toEnd() });
    this.nothing = h("div", { class: "empty", hidden: true });
    // A list that was hidden has not scrolled.
    let height = 0;
    new ResizeObserver(() => {
      if (height === 0) this.settle();
      height = this.list.clientHeight;
    }).observe(this.list);
    this.element = h("div", { class: "log" }, this.nothing, this.list, this.pill);
  }

  /** Reads the newest again. */
  async load() {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    let items = await this.page({});
    // A row that a link names may be an older one.
    const isOlder = this.chosen && items.length > 0 && this.chosen < items[0].number;
    if (isOlder) items = await this.page({ before: this.chosen + PAGE / 2 });
    if (turn !== this.turn) return;
    this.items = items;
    this.waiting = [];
    this.fresh = 0;
    this.isAtEnd = !isOlder;
    this.isComplete = items.length < PAGE;
    this.draw();
    this.settle();
  }

  /** Shows the chosen row, or the newest. */
  settle() {
    this.list.scrollTop = this.list.scrollHeight;
    if (this.chosen) document.getElementById(this.id(this.chosen))?.scrollIntoView({ block: "center" });
  }

  /** One more has come; it is shown with the next picture of the page. */
  add(item) {
    this.waiting.push(item);
    if (this.waiting.length > MAX_ROWS) this.waiting.shift();
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.flush();
    }, 50);
  }

  flush() {
    const items = this.waiting.filter((item) => item.number > (this.items.at(-1)?.number ?? 0));
    this.waiting = [];
    if (items.length === 0) return;
    if (this.isPaused || !this.follows()) {
      this.fresh += items.length;
      this.isAtEnd = false;
      this.drawPill();
      return;
    }
    this.items.push(...items);
    this.drawNothing();
    this.list.append(...items.map((item) => this.row(item)));
    while (this.items.length > MAX_ROWS) {
      this.items.shift();
      this.list.firstChild.remove();
      this.isComplete = false;
    }
    this.list.scrollTop = this.list.scrollHeight;
  }

  follows() {
    const { scrollTop, clientHeight, scrollHeight } = this.list;
    return this.isAtEnd && scrollTop + clientHeight >= scrollHeight - 24;
  }

  pause(isPaused) {
    this.isPaused = isPaused;
    if (!isPaused && this.fresh) this.toEnd();
  }

  toEnd() {
    this.pill.hidden = true;
    this.chosen = null;
    this.load();
  }

  drawPill() {
    this.pill.hidden = this.fresh === 0;
    this.pill.textContent = `${this.fresh} new ↓`;
  }

  drawNothing() {
    const isEmpty = this.items.length === 0;
    this.nothing.hidden = !isEmpty;
    this.list.hidden = isEmpty;
    if (isEmpty) fill(this.nothing, this.empty());
  }

  draw() {
    this.drawPill();
    this.drawNothing();
    this.list.replaceChildren(...this.items.map((item) => this.row(item)));
  }

  row(item) {
    const isChosen = item.number === this.chosen;
    return h("div", { class: "row", role: "option", id: this.id(item.number), "data-number": item.number,
      "aria-selected": String(isChosen) }, this.drawn(item));
  }

  id(number) {
    return `${this.list.getAttribute("aria-label").toLowerCase()}-${number}`;
  }

  /** At either end more is fetched, without moving what is read. */
  async scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.list;
    if (this.isLoading || this.items.length === 0) return;
    if (scrollTop < 200 && !this.isComplete) await this.older();
    else if (!this.isAtEnd && !this.isPaused && scrollTop + clientHeight > scrollHeight - 100) await this.newer();
  }

  async older() {
    this.isLoading = true;
    const items = await this.page({ before: this.items[0].number }).catch(() => []);
    this.isComplete = items.length < PAGE;
    const height = this.list.scrollHeight;
    const top = this.list.scrollTop;
    this.items.unshift(...items);
    this.list.prepend(...items.map((item) => this.row(item)));
    this.list.scrollTop = top + this.list.scrollHeight - height;
    while (this.items.length > MAX_ROWS) {
      this.items.pop();
      this.list.lastChild.remove();
      this.isAtEnd = false;
    }
    this.isLoading = false;
  }

  async newer() {
    this.isLoading = true;
    const items = await this.page({ after: this.items.at(-1).number }).catch(() => []);
    this.items.push(...items);
    this.list.append(...items.map((item) => this.row(item)));
    while (this.items.length > MAX_ROWS) {
      const height = this.list.firstChild.offsetHeight;
      this.items.shift();
      this.list.firstChild.remove();
      this.list.scrollTop -= height;
      this.isComplete = false;
    }
    if (items.length < PAGE) {
      this.isAtEnd = true;
      this.fresh = 0;
      this.drawPill();
    }
    this.isLoading = false;
  }

  clicked(event) {
    const number = Number(event.target.closest(".row")?.dataset.number);
    if (number) this.choose(number, true);
  }

  pressed(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.move(step);
    else if (event.key === "Enter" && this.chosen) this.opened(this.chosen);
    else return;
    event.preventDefault();
  }

  /** Goes on by so many rows. */
  move(step) {
    if (this.items.length === 0) return;
    const index = this.items.findIndex((item) => item.number === this.chosen);
    const next = index < 0 ? this.items.length - 1 : Math.min(this.items.length - 1, Math.max(0, index + step));
    this.choose(this.items[next].number, false);
  }

  choose(number, isOpened) {
    document.getElementById(this.id(this.chosen))?.setAttribute("aria-selected", "false");
    this.chosen = number;
    const row = document.getElementById(this.id(number));
    row?.setAttribute("aria-selected", "true");
    row?.scrollIntoView({ block: "nearest" });
    if (row) this.list.setAttribute("aria-activedescendant", row.id);
    else this.list.removeAttribute("aria-activedescendant");
    if (isOpened && number) this.opened(number);
  }
}
