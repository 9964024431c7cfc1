// The menu: its own host at the end of the body, since the composer clips what hangs over. Keyboard as a menu button's should be.
import { MENU, adopt, element, themeClass } from './styles.js';

const LIVE_MS = 900;

export class Menu {
  /** say(name, values); model(): what to show; act(name, value) */
  constructor({ say, model, act, closed }) {
    Object.assign(this, { say, model, act, closed });
    this.host = document.createElement('smartrouter-menu');
    const root = this.host.attachShadow({ mode: 'open' });
    adopt(root, MENU);
    this.live = element('div', { class: 'live', role: 'status', 'aria-live': 'polite' });
    this.frame = element('div');
    root.append(this.live, this.frame);
    this.root = root;
    this.onOutside = (event) => {
      if (!event.composedPath().some((node) => node === this.host || node === this.anchor)) this.close(false);
    };
    this.onResize = () => this.close(false);
  }
  get open() {
    return Boolean(this.box);
  }

  show(anchor, byKeyboard) {
    this.anchor = anchor;
    this.before = document.activeElement;
    this.byKeyboard = byKeyboard;
    if (!this.host.isConnected) document.body.append(this.host);
    this.#view('main');
    addEventListener('pointerdown', this.onOutside, true);
    addEventListener('resize', this.onResize);
  }
  close(refocus = true) {
    if (!this.box) return;
    this.box.remove();
    this.box = null;
    removeEventListener('pointerdown', this.onOutside, true);
    removeEventListener('resize', this.onResize);
    // Back to where the person was: the chip by keyboard, the text by pointer
    const back = this.byKeyboard ? this.anchor.shadowRoot?.querySelector('button') : this.before;
    if (refocus && back?.isConnected) back.focus({ preventScroll: true });
    this.closed();
  }
  /** Redraws an open menu, where it was. */
  refresh() {
    if (!this.box || this.view !== 'main') return;
    // only when it says something new: an item that is replaced between press and release takes no click
    if (this.drawn === JSON.stringify(this.model())) return;
    const at = this.#items().indexOf(this.root.activeElement);
    this.#view('main', at);
  }

  #view(name, focusAt = -1) {
    this.view = name;
    const had = this.box;
    const model = this.model();
    this.drawn = JSON.stringify(model);
    const box = name === 'main' ? this.#main(model) : name === 'why' ? this.#why(model) : this.#always(model);
    box.className = 'menu';
    box.tabIndex = -1;
    box.addEventListener('keydown', (event) => this.#key(event));
    // LibreChat's own shortcuts and outside-click handlers need not hear of it
    for (const type of ['keydown', 'keyup', 'keypress', 'mousedown']) box.addEventListener(type, (event) => event.stopPropagation());
    this.frame.className = themeClass();
    this.frame.replaceChildren(box);
    this.box = box;
    this.#place();
    // On a phone the text keeps the focus, or its keyboard would fold and move everything
    if (!this.byKeyboard && matchMedia('(pointer: coarse)').matches) return;
    const items = this.#items();
    const checked = items.find((item) => item.getAttribute('aria-checked') === 'true');
    (items[focusAt] || (had ? items[0] : checked || items[0]) || box).focus({ preventScroll: true });
  }
  #place() {
    const { box } = this;
    const chip = this.anchor.getBoundingClientRect();
    const form = this.anchor.closest('form')?.getBoundingClientRect() || chip;
    const { offsetWidth: width, offsetHeight: height } = box;
    const rtl = getComputedStyle(this.anchor).direction === 'rtl';
    const left = rtl ? chip.right - width : chip.left;
    // over the text rather than on it, where there is room
    const above = form.top - height - 8 >= 8 ? form.top - height - 8 : chip.top - height - 8;
    box.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
    box.style.top = `${Math.max(8, above >= 8 ? above : Math.min(chip.bottom + 8, innerHeight - height - 8))}px`;
    box.dir = rtl ? 'rtl' : 'ltr';
  }

  #item(label, { checked, number, act, role = 'menuitem', popup } = {}) {
    return element('div', {
      role: checked === undefined ? role : 'menuitemradio',
      'aria-checked': checked === undefined ? null : String(checked),
      'aria-haspopup': popup ? 'menu' : null,
      tabindex: -1,
      onpointerdown: (event) => event.preventDefault(),
      onclick: () => act(),
    },
    element('span', { class: 'mark', 'aria-hidden': 'true' }, checked ? '✓' : ''),
    element('span', { class: 'grow' }, own(label)),
    number ? element('span', { class: 'number' }, own(number)) : null,
    popup ? element('span', { class: 'number', 'aria-hidden': 'true' }, '›') : null);
  }
  #done(name, value) {
    this.close();
    this.act(name, value);
  }

  #main(model) {
    const { say } = this;
    const group = element('div', { role: 'group', 'aria-label': say('onlyThis') });
    for (const { id, label, share } of model.routes)
      group.append(this.#item(label, { checked: model.pin === id, number: share, act: () => this.#done('pin', id) }));
    const box = element('div', { role: 'menu', 'aria-label': say('menu') },
      model.note ? element('div', { class: 'note' }, own(model.note)) : null,
      this.#item(say('auto'), { checked: model.kind === 'auto' && !model.pin, act: () => this.#done('auto') }),
      element('hr', { role: 'separator' }),
      element('div', { class: 'head', 'aria-hidden': 'true' }, own(say('onlyThis'))),
      group,
      element('hr', { role: 'separator' }),
      this.#item(say('turnOff'), { checked: model.kind === 'off', act: () => this.#done('off') }),
      element('hr', { role: 'separator' }),
      this.#item(say('why'), { popup: true, act: () => this.#view('why') }),
      model.canLearn ? this.#item(say('always'), { popup: true, act: () => this.#view('always') }) : null,
      model.learned ? this.#item(say('forget', { count: model.learned }), { act: () => this.#done('forget') }) : null,
      model.log ? this.#item(say('export'), { act: () => this.#done('export') }) : null);
    return box;
  }
  #back() {
    return element('button', { class: 'back', type: 'button', onclick: () => this.#view('main') },
      element('span', { class: 'mark', 'aria-hidden': 'true' }, '‹'), own(this.say('back')));
  }
  #why({ why }) {
    const { say } = this;
    const box = element('div', { role: 'dialog', 'aria-label': say('why') }, this.#back());
    if (!why) box.append(element('div', { class: 'note' }, say('whyNone')));
    else {
      box.append(element('div', { class: 'head' }, say('whyTitle', { route: why.label })));
      box.append(element('div', { class: 'note' }, why.fallback ? say('whyFallback', { route: why.label }) : why.summary));
      const scores = element('ul');
      for (const { label, score } of why.scores)
        scores.append(element('li', {}, element('span', { class: 'grow' }, own(label)), element('span', { class: 'number' }, score)));
      box.append(scores, element('div', { class: 'head' }, say('nearest')));
      const list = element('ul', { 'aria-label': say('nearest') });
      for (const { text, label, score } of why.nearest)
        list.append(element('li', {}, element('span', { class: 'grow' }, own(text || label)), element('span', { class: 'number' }, score)));
      box.append(list);
    }
    return box;
  }
  #always(model) {
    const box = element('div', { role: 'menu', 'aria-label': this.say('always') },
      element('div', { class: 'head', 'aria-hidden': 'true' }, this.say('always')));
    for (const { id, label } of model.routes) box.append(this.#item(label, { act: () => this.#done('learn', id) }));
    box.append(this.#item(`‹ ${this.say('back')}`, { act: () => this.#view('main') }));
    return box;
  }

  #items() {
    return this.box ? [...this.box.querySelectorAll('[role^=menuitem], .back')] : [];
  }
  #key(event) {
    const items = this.#items();
    const at = items.indexOf(this.root.activeElement);
    const to = (index) => items[(index + items.length) % items.length]?.focus();
    const key = event.key;
    if (key === 'Escape') this.view === 'main' ? this.close() : this.#view('main');
    else if (key === 'Tab') this.close();
    else if (key === 'ArrowDown') to(at + 1);
    else if (key === 'ArrowUp') to(at < 0 ? items.length - 1 : at - 1);
    else if (key === 'Home') to(0);
    else if (key === 'End') to(items.length - 1);
    else if (key === 'Enter' || key === ' ') {
      if (at < 0) return;
      this.byKeyboard = true;
      items[at].click();
    } else if (key.length === 1 && !event.ctrlKey && !event.metaKey) {
      const start = items.findIndex((item, i) => i > at && begins(item, key));
      const found = start >= 0 ? start : items.findIndex((item) => begins(item, key));
      if (found >= 0) to(found);
    } else return;
    event.preventDefault();
  }

  /** For screen readers, once the typing pauses, and only what is new. */
  announce(text) {
    if (!this.host.isConnected) document.body?.append(this.host);
    clearTimeout(this.liveTimer);
    if (!text || text === this.spoken) return;
    this.liveTimer = setTimeout(() => {
      this.spoken = text;
      this.live.textContent = text;
    }, LIVE_MS);
  }
}

// In its own direction: English words in a page that is written from right to left
const own = (text) => element('bdi', {}, text);
const begins = (item, key) => (item.querySelector('.grow') || item).textContent.trim().toLowerCase().startsWith(key.toLowerCase());
