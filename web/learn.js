// What this device learned from its user. Texts are kept, rows are computed for each exit as it becomes able to answer.

import { fail } from './wasm.js';

export class Learned {
  /** changed(): what was learned counts now, or counts at one more exit. */
  constructor(live, changed) {
    Object.assign(this, { live, changed });
    this.entries = [];
    this.ids = 0;
    this.limit = live.options.learnedLimit ?? 500;
  }

  async learn(text, route, { weight = 1 } = {}) {
    if (!text.trim()) throw new TypeError('cannot learn an empty text');
    if (!Number.isInteger(weight) || weight < 1 || weight > 5) throw new TypeError('weight must be 1 to 5');
    if (!this.live.matcher.routes.some((r) => r.id === route)) throw fail('SR_UNKNOWN_ROUTE', `no such route: ${route}`);
    const entry = { id: ++this.ids, text, route, weight, rows: await this.live.rows(text) };
    this.#take([entry]);
    return this.#plain(entry);
  }
  export() {
    const routes = this.live.matcher.routes.map(({ id, label }) => {
      const own = this.entries.filter((e) => e.route === id);
      return { id, label, utterances: own.map(({ text, weight }) => (weight > 1 ? { text, weight } : text)) };
    });
    return { name: 'learned', routes: routes.filter((r) => r.utterances.length) };
  }
  async import(file) {
    if (!Array.isArray(file?.routes)) throw new TypeError('importLearned() wants what exportLearned() gave');
    const { routes } = file;
    const known = new Set(this.live.matcher.routes.map((r) => r.id));
    const entries = [];
    for (const { id, utterances = [] } of routes) {
      if (!known.has(id)) continue;
      for (const utterance of utterances) {
        const { text = utterance, weight = 1 } = utterance;
        if (typeof text !== 'string' || !text.trim() || !(weight >= 1 && weight <= 5)) continue;
        entries.push({ id: ++this.ids, text, route: id, weight: Math.round(weight), rows: await this.live.rows(text) });
      }
    }
    this.#take(entries);
    return entries.length;
  }
  #take(entries) {
    if (this.live.closed) return;
    const texts = new Set(entries.map((e) => e.text)); // said again: the newer counts
    this.entries = [...this.entries.filter((e) => !texts.has(e.text)), ...entries].slice(-this.limit);
    this.#sync();
    this.catchUp();
  }
  remove(id) {
    const before = this.entries.length;
    this.entries = this.entries.filter((e) => e.id !== id);
    if (this.entries.length === before) return false;
    this.#sync();
    return true;
  }
  list() {
    return this.entries.map(this.#plain);
  }
  #plain({ id, text, route, weight }) {
    return { id, text, route, weight };
  }

  /** A deeper exit answers now: rows for it, one text after the other, in the background. */
  async catchUp() {
    if (this.catching) return void (this.more = true);
    this.catching = true;
    try {
      do {
        this.more = false;
        let changed = false;
        for (const entry of this.entries) {
          const rows = await this.live.rows(entry.text, entry.rows);
          changed ||= Object.keys(rows).length > 0;
          Object.assign(entry.rows, rows);
        }
        if (changed && !this.live.closed) this.#sync();
      } while (this.more);
    } catch {
      // disposed, or the worker is gone: the next exit that arrives tries again
    } finally {
      this.catching = false;
    }
  }
  #sync() {
    const index = new Map(this.live.matcher.routes.map((r, i) => [r.id, i]));
    for (const { exit } of this.live.matcher.exits) {
      const entries = this.entries
        .filter((e) => e.rows[exit])
        .map(({ id, text, route, weight, rows }) => ({ id, text, route: index.get(route), weight, row: rows[exit] }));
      if (entries.length || this.live.matcher.learned.has(exit)) this.live.setLearned(exit, entries);
    }
    this.changed();
  }
}
