// A listbox that renders only the visible rows, so that ten thousand scroll as fast as ten.

import { el } from "./dom.js";

const HEIGHT = 76;
const MARGIN = 6;

export class List {
  // `root` is the element that scrolls. `choose` is called with the chosen item and whether to open it.
  constructor(root, choose) {
    this.root = root;
    this.choose = choose;
    this.items = [];
    this.rows = new Map();
    this.chosen = null;
    this.space = el("div", { class: "space", role: "presentation" });
    root.append(this.space);
    root.addEventListener("scroll", () => this.draw(), { passive: true });
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) this.choose(this.items[Number(row.dataset.place)], true);
    });
    new ResizeObserver(() => this.draw()).observe(root);
  }

  // Shows items, the newest first. The visible rows keep their place when new ones come above.
  show(items, drawRow) {
    const top = this.root.scrollTop;
    const anchor = top > 0 ? this.items[Math.floor(top / HEIGHT)] : null;
    this.items = items;
    this.drawRow = drawRow;
    this.space.style.height = `${items.length * HEIGHT}px`;
    if (anchor) {
      const place = items.findIndex((item) => item.id === anchor.id);
      if (place >= 0) this.root.scrollTop = place * HEIGHT + (top % HEIGHT);
    }
    this.draw();
  }

  // Redraws all rows, for example to update their times.
  refresh() {
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.root.scrollTop / HEIGHT) - MARGIN);
    const last = Math.min(this.items.length, Math.ceil((this.root.scrollTop + this.root.clientHeight) / HEIGHT) + MARGIN);
    const wanted = new Map();
    for (let place = first; place < last; place++) wanted.set(this.items[place].id, place);
    for (const [id, row] of this.rows) {
      if (!wanted.has(id)) {
        row.remove();
        this.rows.delete(id);
      }
    }
    for (const [id, place] of wanted) {
      let row = this.rows.get(id);
      if (!row) {
        row = el("div", { class: "row", role: "option", id: `row-${id}` }, ...this.drawRow(this.items[place]));
        this.rows.set(id, row);
        this.space.append(row);
      }
      row.style.top = `${place * HEIGHT}px`;
      row.dataset.place = place;
      row.setAttribute("aria-posinset", place + 1);
      row.setAttribute("aria-setsize", this.items.length);
      row.setAttribute("aria-selected", String(id === this.chosen));
    }
    const active = this.chosen !== null && this.rows.has(this.chosen);
    if (active) this.root.setAttribute("aria-activedescendant", `row-${this.chosen}`);
    else this.root.removeAttribute("aria-activedescendant");
  }

  // Selects an item and scrolls to it.
  mark(id) {
    this.chosen = id;
    const place = this.items.findIndex((item) => item.id === id);
    if (place >= 0) {
      const top = place * HEIGHT;
      if (top < this.root.scrollTop) this.root.scrollTop = top;
      const below = top + HEIGHT - this.root.clientHeight;
      if (below > this.root.scrollTop) this.root.scrollTop = below;
    }
    this.draw();
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || this.items.length === 0) return;
    const place = this.items.findIndex((item) => item.id === this.chosen);
    const page = Math.max(1, Math.floor(this.root.clientHeight / HEIGHT) - 1);
    const end = this.items.length - 1;
    const moves = {
      ArrowDown: place + 1, j: place + 1, ArrowUp: place - 1, k: place - 1,
      PageDown: place + page, PageUp: place - page, Home: 0, End: end,
    };
    if (event.key in moves) {
      event.preventDefault();
      this.choose(this.items[Math.min(end, Math.max(0, moves[event.key]))], false);
    } else if ((event.key === "Enter" || event.key === " ") && place >= 0) {
      event.preventDefault();
      this.choose(this.items[place], true);
    }
  }
}
