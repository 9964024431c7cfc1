// The send: hold the submit, switch, look again, send once. One message is in here at a time, and whatever goes wrong it leaves
// exactly once: the way LibreChat would have sent it.
import { setText } from './adapter.js';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Sender {
  /** plan(text) -> policy answer; decide(text) -> promise of an answer; the rest tells the outside. */
  constructor({ adapter, plan, decide, select, done, limitMs }) {
    Object.assign(this, { adapter, plan, decide, select, done, limitMs });
    this.held = null;
    this.resending = false;
    this.kept = null; // text whose composer went away while it was held
    this.listener = (event) => this.submit(event);
  }
  attach() {
    window.addEventListener('submit', this.listener, true);
  }
  detach() {
    window.removeEventListener('submit', this.listener, true);
  }

  submit(event) {
    if (this.resending) return;
    let hold = null;
    try {
      const composer = this.adapter.composer();
      if (!composer || event.target !== composer.form) return;
      if (this.held) {
        stop(event); // Enter again: it is the same message
        return;
      }
      const text = composer.textarea.value;
      const state = this.adapter.state();
      const plan = this.plan(text, state);
      if (plan.go === 'pass') {
        this.done({ text, state, plan, outcome: 'passed', ms: 0 });
        return;
      }
      hold = { text, state, plan, composer, started: performance.now() };
    } catch {
      return; // LibreChat sends it
    }
    stop(event);
    this.held = hold;
    this.#carry(hold);
  }

  async #carry(held) {
    let result = 'none';
    try {
      const limit = pause(this.limitMs).then(() => 'late');
      result = await Promise.race([this.#prepare(held), limit]);
    } catch {
      result = 'none';
    }
    let outcome = 'unrouted';
    try {
      outcome = this.#release(held, result);
    } catch (error) {
      held.error = error;
      this.#asIs(held);
    }
    this.held = null;
    try {
      this.done({ text: held.text, state: held.state, plan: held.plan, outcome, ms: performance.now() - held.started });
    } catch {
      // telling about it must not matter
    }
  }
  async #prepare(held) {
    if (held.plan.go === 'decide') held.plan = await this.decide(held.text, held.state);
    if (held.plan.go !== 'switch') return 'passed';
    return this.select(held.plan.target);
  }

  // Synchronous from the last look to the send: nothing can come between.
  #release(held, result) {
    const { text } = held;
    const composer = this.adapter.composer();
    if (!composer) {
      this.kept = { text, id: held.state.id };
      return 'kept';
    }
    const { textarea, form } = composer;
    const state = this.adapter.state();
    if (state && state.id !== held.state.id) {
      // The conversation in front is not the one it was written for. LibreChat keeps a draft of the one that was left; a new
      // chat that our own switch began has none.
      if (state.isNew && textarea.value === '') setText(textarea, text);
      return 'kept';
    }
    if (state?.busy) return 'kept'; // a run has begun meanwhile: LibreChat would throw the text away
    const value = textarea.value;
    const rest = value === text || value === '' ? '' : value.startsWith(text) ? value.slice(text.length) : value;
    if (value !== text) setText(textarea, text);
    held.sent = true;
    this.#send(form);
    if (rest) this.#putBack(textarea, text, rest);
    return result === 'settled' ? 'sent' : result === 'passed' ? 'passed' : 'unrouted';
  }
  // The last look failed: send what is there, if it is still what was to be sent.
  #asIs(held) {
    const { form, textarea } = held.composer;
    if (held.sent || !form.isConnected || textarea.value !== held.text) return;
    held.sent = true;
    try {
      this.#send(form);
    } catch {
      // the text is still in the composer
    }
  }
  #send(form) {
    const button = this.adapter.sendButton(form);
    this.resending = true;
    try {
      if (typeof form.requestSubmit === 'function') form.requestSubmit(button && button.form === form ? button : undefined);
      else button?.click();
    } finally {
      this.resending = false;
    }
  }
  // What was typed while the message was held belongs to the next one.
  async #putBack(textarea, sent, rest) {
    for (let i = 0; i < 100 && textarea.value === sent; i++) await pause(10);
    if (!textarea.isConnected || textarea.value === sent) return;
    setText(textarea, rest + textarea.value);
  }

  /** The composer is back: so is the text. */
  remounted(composer, state) {
    if (!this.kept || !state || state.id !== this.kept.id) return;
    const { text } = this.kept;
    this.kept = null;
    if (composer.textarea.value === '') setText(composer.textarea, text);
  }
}

function stop(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}
