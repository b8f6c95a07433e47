// Mirrors a list of the sandbox: oldest first, with ids without gaps.

import { ask } from "./dom.js";

const BATCH = 2000;

export class Feed {
  constructor(path) {
    this.path = path;
    this.items = [];
    this.newest = 0;
  }

  // Updates the items to the sandbox's list. Returns the new ones.
  async follow(span) {
    if (span.newest < this.newest) this.reset();
    this.newest = Math.max(this.newest, span.oldest - 1);
    const fresh = [];
    while (this.newest < span.newest) {
      const batch = await ask(`${this.path}?after=${this.newest}&limit=${BATCH}`);
      if (batch.length === 0) break;
      for (const item of batch) fresh.push(item);
      this.newest = batch.at(-1).id;
    }
    if (fresh.length > 0) this.items = this.items.concat(fresh);
    const gone = this.items.findIndex((item) => item.id >= span.oldest);
    if (gone !== 0) this.items = gone < 0 ? [] : this.items.slice(gone);
    return fresh;
  }

  // Drops the items from the first match on, so that they are fetched again.
  forgetFrom(fits) {
    const place = this.items.findIndex(fits);
    if (place < 0) return;
    this.newest = this.items[place].id - 1;
    this.items = this.items.slice(0, place);
  }

  reset() {
    this.items = [];
    this.newest = 0;
  }
}
