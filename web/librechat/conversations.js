// Whose choice a conversation's model is. Decided by comparing what is with what was: clicks cannot tell, since a choice by
// keyboard reaches the menu as an untrusted click.
import { read, write } from './store.js';

const KEEP = 300;

const same = (a, b) => (a || '') === (b || '');
/** Did somebody choose something else? A spec that stays is the same choice, whatever the server adds to it. */
export function differs(before, now) {
  if (before.spec && now.spec) return before.spec !== now.spec;
  if (!before.spec && !before.endpoint && !before.model && !before.agent) return false; // it was not set up yet
  if (!before.spec && now.spec) return true;
  return !same(before.endpoint, now.endpoint) || !same(before.model, now.model) || !same(before.agent, now.agent);
}

const choiceOf = ({ spec, endpoint, model, agent }) => ({ spec, endpoint, model, agent });

export class Conversations {
  /** ours(state): is that one of the routes' targets? */
  constructor({ ours, openedWithChoice = false, now = () => performance.now() }) {
    this.ours = ours;
    this.now = now;
    this.records = new Map();
    this.manual = new Set(read('manual', []));
    this.openedWithChoice = openedWithChoice;
    this.current = null;
    this.selecting = null; // our own switch is under way
    this.sentNew = 0; // a new chat's first message went out: its id is to come
    this.lastInput = -Infinity;
  }

  /** A trusted press or key: without one since the last look, nobody chose anything. */
  input() {
    this.lastInput = this.now();
  }
  newChatPressed() {
    const record = this.records.get('new');
    if (record) record.stale = true;
  }

  /** To be called whenever something may have changed. Returns the conversation's record. */
  observe(state) {
    if (!state) return null;
    const { id } = state;
    let record = this.records.get(id);
    if (id !== this.current || record?.stale) record = this.#enter(state);
    const before = record.choice;
    if (this.selecting) {
      record.choice = choiceOf(state);
    } else if (differs(before, state)) {
      // LibreChat sets up a conversation in steps, and the server completes it: only a change after a press is a person's
      if (this.lastInput > record.since && this.lastInput > record.own) this.setManual(record, true);
      record.choice = choiceOf(state);
    } else if (!before.endpoint && !before.spec && !before.model) {
      record.choice = choiceOf(state);
    }
    return record;
  }

  #enter(state) {
    const { id } = state;
    const previous = this.records.get(this.current);
    const now = this.now();
    const born = previous && this.current === 'new' && id !== 'new' && this.sentNew && now - this.sentNew < 60000 && !this.records.has(id);
    let record = this.records.get(id);
    if (born) {
      // the new chat has got its id: it keeps what was said of it
      record = { ...previous, id };
      this.records.delete('new');
      if (record.manual) this.#remember(id, true);
    } else if (!record || id === 'new') {
      record = { id, choice: choiceOf(state), since: now, own: -Infinity, manual: this.manual.has(id), touched: false, vote: '', stale: false };
      if (id === 'new' && this.openedWithChoice) record.manual = true;
    } else {
      // opened again: whatever another tab has done meanwhile is not a choice made here
      Object.assign(record, { choice: choiceOf(state), since: now });
    }
    if (id === 'new' || born) this.sentNew = 0;
    this.openedWithChoice = false;
    this.current = id;
    this.records.delete(id);
    this.records.set(id, record);
    if (this.records.size > KEEP) this.records.delete(this.records.keys().next().value);
    return record;
  }

  /** Chosen by a person here, or begun with something that is none of the routes' targets. */
  isManual(record) {
    if (!record || record.manual) return Boolean(record);
    const { choice, touched } = record;
    return !touched && Boolean(choice.spec || choice.model || choice.agent) && !this.ours(choice);
  }
  setManual(record, on) {
    record.manual = on;
    record.touched = true; // somebody, or we, decided: the starting spec says nothing any more
    if (!on) record.vote = '';
    if (record.id !== 'new') this.#remember(record.id, on);
  }
  #remember(id, on) {
    if (on) this.manual.add(id);
    else this.manual.delete(id);
    write('manual', [...this.manual].slice(-KEEP));
  }

  /** Our own switch begins, and is over. */
  begin() {
    this.selecting = {};
  }
  end(state) {
    const record = this.observe(state); // still ours
    this.selecting = null;
    if (!record) return;
    record.own = this.now();
    record.touched = true;
  }
  sent(record) {
    if (record?.id === 'new') this.sentNew = this.now();
  }
}
