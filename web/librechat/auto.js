// Auto mode: what the composer holds, what is decided, what the chip says, what the send does. The parts know nothing of each
// other; this joins them.
import { Adapter } from './adapter.js';
import { Chip } from './chip.js';
import { checkRoutes, checkTargets, targetsFor } from './config.js';
import { Conversations } from './conversations.js';
import { Decisions } from './decisions.js';
import { Log, exportLog, report } from './log.js';
import { Menu } from './menu.js';
import { mayRoute, vote, whereTo } from './policy.js';
import { Sender } from './sender.js';
import { modularChat, read, write } from './store.js';
import { Texts } from './texts.js';
import { menuModel, viewOf } from './view.js';

const LOOK_MS = 120;
const MOST_ERRORS = 25;

export class Auto {
  constructor({ config, opened, debug, languages, load }) {
    this.config = config;
    this.debug = debug;
    this.on = read('auto', config.auto) !== false;
    this.pin = null;
    this.targets = null;
    this.missing = new Set();
    this.errors = 0;
    this.adapter = new Adapter();
    this.texts = new Texts(languages, config.language);
    this.log = new Log(config.log);
    this.conversations = new Conversations({
      ours: (state) => !this.targets || Object.values(this.targets).some((target) => this.adapter.isAt(state, target)),
      openedWithChoice: openedWithChoice(opened),
    });
    this.decisions = new Decisions({ load, policy: config.embedder.download, changed: this.safe(() => this.decided()) });
    this.sender = new Sender({
      adapter: this.adapter,
      plan: (text, state) => this.plan(text, state),
      decide: (text, state) => this.decide(text, state),
      select: (target) => this.select(target),
      done: this.safe((send) => this.done(send)),
      limitMs: config.wait.decide + config.wait.select + 500,
    });
    this.chip = new Chip({ press: this.safe((byKeyboard) => this.press(byKeyboard)) });
    this.menu = new Menu({
      say: (name, values) => this.texts.say(name, values),
      model: () => menuModel(this),
      act: this.safe((name, value) => this.act(name, value)),
      closed: this.safe(() => this.render()),
    });
  }

  /** A handler that never throws; after too many failures the plugin takes itself out. */
  safe(handler) {
    return (...values) => {
      try {
        return handler(...values);
      } catch (error) {
        this.debug.error = String(error?.stack || error);
        if (++this.errors === MOST_ERRORS) this.stop();
        return undefined;
      }
    };
  }

  start() {
    const { debug } = this;
    debug.adapter = this.adapter.found;
    this.configMessages = debug.messages;
    this.warned = new Set();
    debug.report = () => report();
    debug.stop = () => this.stop();
    debug.now = () => ({ view: this.view, on: this.on, pin: this.pin, state: this.adapter.state(), decision: this.decisions.decision, router: this.decisions.state });
    const listen = (type, handler) => {
      const safe = this.safe(handler);
      window.addEventListener(type, safe, { capture: true, passive: true });
      this.listening.push(() => window.removeEventListener(type, safe, { capture: true }));
    };
    this.listening = [];
    listen('input', (event) => {
      if (!event.isComposing && event.target === this.adapter.composer()?.textarea) this.type(event.target);
    });
    listen('compositionend', () => this.soon());
    listen('focusin', (event) => this.focused(event.target));
    for (const type of ['pointerdown', 'click', 'keydown']) listen(type, (event) => this.pressed(event));
    this.observer = new MutationObserver(() => this.soon());
    this.observer.observe(document, { childList: true, subtree: true, characterData: true });
    this.styling = new MutationObserver(this.safe(() => this.restyle()));
    this.styling.observe(document.documentElement, { attributes: true, attributeFilter: ['class', 'lang', 'dir'] });
    this.sender.attach();
    this.restyle();
    this.look();
  }
  stop() {
    this.debug.state = 'stopped';
    this.sender.detach();
    this.observer?.disconnect();
    this.styling?.disconnect();
    for (const off of this.listening || []) off();
    clearTimeout(this.timer);
    this.chip.unmount();
    this.menu.close(false);
    this.menu.host.remove();
    this.decisions.router?.dispose();
    this.stopped = true;
  }

  // ---- looking ----
  soon(ms = LOOK_MS) {
    if (this.timer || this.stopped) return;
    this.timer = setTimeout(this.safe(() => {
      this.timer = 0;
      this.look();
    }), ms);
  }
  /** Puts the chip where it belongs and takes in what has changed: cheap enough for every batch of mutations. */
  look() {
    if (this.stopped) return;
    const composer = this.adapter.composer();
    if (!composer) {
      this.render();
      return;
    }
    this.chip.mount(composer, this.adapter.sendButton(composer.form));
    if (composer.textarea !== this.textarea) {
      this.textarea = composer.textarea;
      this.whenIdle(() => this.decisions.start());
      this.sender.remounted(composer, this.adapter.state());
      this.focused(document.activeElement);
    }
    this.checkNames();
    if (composer.textarea.value !== this.decisions.text && !this.sender.held) this.type(composer.textarea);
    this.render();
  }
  whenIdle(task) {
    const safe = this.safe(task);
    if (typeof requestIdleCallback === 'function') requestIdleCallback(safe, { timeout: 2000 });
    else setTimeout(safe, 200);
  }
  focused(target) {
    if (target && target === this.adapter.composer()?.textarea) this.decisions.focus();
  }
  pressed(event) {
    if (!event.isTrusted) return;
    const path = event.composedPath();
    if (path.includes(this.chip.host) || path.includes(this.menu.host)) return;
    const typing = event.type === 'keydown' && event.target === this.textarea && event.key !== 'Enter' && event.key !== 'Tab';
    if (!typing) this.conversations.input();
    if (event.type === 'click' && event.target.closest?.('a[href$="/c/new"], [data-testid*="new-chat"]')) this.conversations.newChatPressed();
    this.soon();
  }
  restyle() {
    this.texts.follow(this.safe(() => this.render()));
    this.render();
  }
  checkNames() {
    const { router } = this.decisions;
    if (!router) return;
    this.adapter.selector();
    const { specs, endpoints } = this.adapter;
    if (specs === this.checkedSpecs && this.targets) return;
    this.checkedSpecs = specs;
    this.targets = targetsFor(router.routes, this.config);
    const { messages, missing } = checkTargets(this.targets, specs, endpoints);
    this.missing = missing;
    // An empty list is one that has not come yet; later checks replace earlier ones
    const told = [...checkRoutes(router.routes, this.config), ...(specs?.length ? messages : [])];
    this.debug.messages = [...this.configMessages, ...told];
    for (const message of told)
      if (!this.warned.has(message)) {
        this.warned.add(message);
        console.warn(`[smartrouter] ${message}`);
      }
  }

  // ---- deciding ----
  type(textarea) {
    this.decisions.type(textarea.value);
  }
  decided() {
    this.checkNames();
    this.render();
    if (this.decisions.state === 'failed') {
      this.debug.error = String(this.decisions.error?.message || this.decisions.error);
      this.debug.code = this.decisions.error?.code;
    }
  }
  context(state, decision) {
    const { config, adapter, targets, missing, pin } = this;
    const record = this.conversations.observe(state);
    return {
      state, record, decision, config, adapter, missing, pin,
      targets: targets || {}, mode: config.mode, auto: this.on,
      manual: this.conversations.isManual(record), modular: modularChat(),
    };
  }
  /** At the send. Without a decision for exactly this text it has to be held. */
  plan(text, state) {
    if (this.decisions.state === 'failed' || this.stopped) return { go: 'pass', why: 'failed' };
    const context = { ...this.context(state, this.decisions.ready(text)), text };
    const plan = mayRoute(context);
    if (plan.go === 'pass') return plan;
    return context.pin || context.decision ? this.settle(whereTo(context), context) : plan;
  }
  async decide(text, state) {
    const decision = await this.decisions.decide(text, this.config.wait.decide);
    this.checkNames();
    const context = { ...this.context(this.adapter.state() || state, decision), text };
    if (context.state.id !== state.id) return { go: 'pass', why: 'moved' };
    return this.settle(whereTo(context), context);
  }
  settle(plan, { decision, record }) {
    return { ...plan, decision, record, pin: this.pin };
  }
  async select(target) {
    this.conversations.begin();
    try {
      return await this.adapter.select(target, this.config.wait.select);
    } finally {
      this.conversations.end(this.adapter.state());
    }
  }

  /** A message has gone, or has been kept. */
  done({ text, state, plan, outcome, ms }) {
    const decision = plan.decision || this.decisions.ready(text);
    const record = plan.record || this.conversations.records.get(state?.id);
    const gone = outcome !== 'kept';
    if (gone) {
      this.conversations.sent(record);
      vote(record, decision, this.config);
      const used = plan.go === 'switch' ? (outcome === 'sent' ? plan.route : null) : plan.route ?? null;
      const otherwise = decision && state && !this.adapter.isAt(state, this.targets?.[decision.route]);
      const override = Boolean(decision && (plan.pin ? plan.pin !== decision.route : plan.why === 'manual' && otherwise));
      this.log.add({
        route: decision?.route ?? null, used, confidence: decision?.confidence, override, outcome: outcome === 'passed' ? plan.why || 'passed' : outcome,
        ms, exit: decision?.exit ?? null, mode: this.config.mode, first: Boolean(state?.isNew),
      });
      this.pin = null;
    }
    const route = plan.route && this.labelOf(plan.route);
    if (outcome === 'sent') this.menu.announce(this.texts.say('sent', { route }));
    if (outcome === 'unrouted') this.menu.announce(this.texts.say('notRouted'));
    if (outcome === 'kept') this.menu.announce(this.texts.say('notSent'));
    this.notice = outcome === 'unrouted' ? 'notRouted' : outcome === 'kept' ? 'notSent' : '';
    this.debug.last = { outcome, why: plan.why, route: plan.route, confidence: decision?.confidence, ms, way: this.adapter.found.way };
    // The form is emptied without an input event
    for (const wait of [30, 250, 1000]) setTimeout(this.safe(() => this.look()), wait);
  }

  // ---- showing ----
  labelOf(route) {
    return this.adapter.labelOf(this.targets?.[route]) || this.decisions.router?.routes.find((item) => item.id === route)?.label || route;
  }
  render() {
    if (this.stopped) return;
    const view = viewOf(this);
    view.expanded = this.menu.open;
    this.view = view;
    this.chip.render(view);
    if (view.announce) this.menu.announce(view.announce);
    if (this.menu.open) this.menu.refresh();
  }
  press(byKeyboard) {
    const state = this.adapter.state();
    const record = this.conversations.observe(state);
    if (this.menu.open) this.menu.close();
    else if (this.view.kind === 'manual' && record) {
      this.conversations.setManual(record, false);
      this.on = true;
      write('auto', true);
    } else this.menu.show(this.chip.host, byKeyboard);
    this.render();
  }
  act(name, value) {
    if (name === 'auto' || name === 'off') {
      this.on = name === 'auto';
      this.pin = null;
      write('auto', this.on);
    } else if (name === 'pin') this.pin = this.pin === value ? null : value;
    else if (name === 'export') exportLog();
    else if (name === 'forget') {
      this.decisions.forget();
      this.menu.announce(this.texts.say('forgotten'));
    } else if (name === 'learn') {
      this.decisions.learn(this.decisions.text, value).then(
        () => this.menu.announce(this.texts.say('learned', { route: this.labelOf(value) })),
        () => {},
      );
    }
    this.render();
  }
}

/** Was the page opened with a choice in its address? A reload keeps what was known before it. */
export function openedWithChoice(address) {
  const url = new URL(address);
  if (!/\/c\/new$/.test(url.pathname)) return false;
  const chosen = ['spec', 'endpoint', 'model', 'agent_id', 'assistant_id'].some((name) => url.searchParams.has(name));
  const type = performance.getEntriesByType?.('navigation')[0]?.type;
  const known = read('new', null, 'sessionStorage');
  return chosen && type === 'reload' && known !== null ? known === true : chosen;
}
