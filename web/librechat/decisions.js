// From text to decision: a first answer at every keystroke, the real one shortly after the typing pauses, and at the send whatever
// can be had within the budget. Loads the router when the composer is first used.
import { read, write } from './store.js';

const PAUSE_MS = 120;
const LONGEST = 20000; // UTF-16 units handed over: the encoder reads far fewer

const cut = (text) => (text.length <= LONGEST ? text : `${text.slice(0, LONGEST * 0.75)}\n${text.slice(-LONGEST * 0.25)}`);
const after = (ms, value) => new Promise((resolve) => setTimeout(resolve, ms, value));

/** May the encoder be fetched now? A phone that does not tell its connection counts as one on a metered line. */
export function mayDownload(policy, navigator = globalThis.navigator, coarse = matchMedia('(pointer: coarse)').matches) {
  if (policy === 'never') return false;
  if (policy !== 'wifi') return true;
  const line = navigator.connection;
  if (!line) return !coarse;
  if (line.saveData) return false;
  if (line.type && line.type !== 'unknown') return line.type === 'wifi' || line.type === 'ethernet';
  return !coarse && line.effectiveType === '4g';
}

export class Decisions {
  /** load(): a promise of a router. changed(): the decision for the text has changed. */
  constructor({ load, policy, changed }) {
    this.loadRouter = load;
    this.policy = policy;
    this.changed = changed;
    this.router = null;
    this.state = 'idle'; // idle, loading, ready, failed
    this.text = '';
    this.decision = null;
    this.final = false; // deep enough to send by
    this.timer = 0;
  }

  /** Idempotent; never rejects. */
  start() {
    this.starting ||= this.#start();
    return this.starting;
  }
  async #start() {
    this.state = 'loading';
    try {
      this.router = await this.loadRouter();
      this.state = 'ready';
      this.router.addEventListener?.('state', () => this.#deepened());
      // what was learned reaches an exit a moment after the exit itself
      this.router.addEventListener?.('learned', () => this.text.trim() && this.#later());
      const learned = read('learned', null);
      if (learned) this.router.importLearned(learned).catch(() => {});
      if (this.focused) this.focus();
    } catch (error) {
      this.state = 'failed';
      this.error = error;
    }
    if (this.text && this.router) this.type(this.text);
    this.changed();
  }
  /** The composer has the focus: the encoder may come now, if the operator's policy lets it. */
  focus() {
    this.focused = true;
    this.start();
    if (!this.router || this.fetching || !mayDownload(this.policy)) return;
    this.fetching = true;
    this.router.load().catch(() => {});
  }
  #deepened() {
    // once an exit: progress events come faster than a pause
    const { exit } = this.router.state;
    if (exit === this.exit) return;
    this.exit = exit;
    if (this.text.trim()) this.#later();
  }

  /** The text in the composer, at every change. */
  type(text) {
    if (text === this.text && this.final) return;
    this.text = text;
    this.final = false;
    clearTimeout(this.timer);
    if (!text.trim()) this.decision = null;
    else if (this.router) {
      this.decision = this.preview(text) || this.decision;
      this.#later();
    }
    this.changed();
  }
  #later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#deepen(this.text), PAUSE_MS);
  }
  async #deepen(text) {
    try {
      const decision = await this.router.route(cut(text));
      this.#take(text, decision);
    } catch {
      // overtaken, or the encoder is gone: the preview stands
    }
  }
  #take(text, decision) {
    if (text !== this.text || !decision) return;
    this.decision = decision;
    this.final = true;
    this.changed();
  }

  preview(text) {
    try {
      return this.router?.preview(cut(text)) || null;
    } catch {
      return null;
    }
  }
  /** The decision for exactly this text when it is there already. */
  ready(text) {
    return this.final && text === this.text ? this.decision : null;
  }
  /** The best that can be had within the budget; null for none. Never rejects. */
  async decide(text, budgetMs) {
    const timeout = after(budgetMs, null);
    const route = async () => {
      await this.start();
      if (!this.router) return null;
      const decision = await this.router.route(cut(text), { keep: true, budgetMs });
      this.#take(text, decision);
      return decision;
    };
    const decision = await Promise.race([route().catch(() => null), timeout]);
    return decision || this.preview(text);
  }

  /** "Always route messages like this to …": kept on this device. */
  async learn(text, route) {
    await this.router.learn(cut(text), route);
    write('learned', this.router.exportLearned());
    this.final = false;
    this.type(this.text);
  }
  get learnedCount() {
    try {
      return this.router?.learned().length || 0;
    } catch {
      return 0;
    }
  }
  forget() {
    for (const { id } of this.router.learned()) this.router.unlearn(id);
    write('learned', undefined);
    this.final = false;
    this.type(this.text);
  }
}
