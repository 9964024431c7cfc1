// Edit: routes and utterances, compiled again after each change, and what that does to the example prompts.
import { $, debounce, dress, fill, h, icon, save, shapeOf } from './dom.js';
import { t, number, onLanguage } from './i18n.js';
import { RouteStore, checkShape, forCompile } from './edit-store.js';
import { Changes } from './edit-changes.js';
import { keep } from './storage.js';
import { trouble } from './words.js';
import { workshop } from './work.js';

const PAGE = 25;
const LARGEST_FILE = 40e6;
const MOST_UNASKED = 1500; // texts that the model reads without being asked for it

export function start(page) {
  return new Edit(page);
}

class Edit {
  constructor(page) {
    Object.assign(this, { page, session: page.session, work: workshop(page), selected: null, at: 0, filter: '' });
    this.body = $('edit-body');
    this.compileSoon = debounce(350, () => this.compile());
    this.ready = this.#begin();
    this.ready.catch((error) => fill(this.body, h('p.notice', {}, trouble(error).text)));
    this.session.addEventListener('recompile', () => this.compile());
    onLanguage(() => this.store && this.#render());
  }
  async #begin() {
    const { page } = this;
    const [routes, examples] = await Promise.all([page.urls.routes, page.urls.examples].map(async (url) => {
      const response = await fetch(url);
      if (!response.ok) throw Object.assign(new Error(`${url}: status ${response.status}`), { code: 'SR_FETCH' });
      return response.json();
    }));
    this.store = await new RouteStore(checkShape(routes)).restore();
    this.changes = new Changes(this, examples);
    this.store.addEventListener('change', ({ detail }) => this.#changed(detail.field));
    this.store.addEventListener('saved', () => this.#saved());
    this.body.addEventListener('keydown', (event) => this.#keys(event));
    this.#render();
    if (this.store.changed) this.compile();
  }

  // ---- compiling

  get mode() {
    if (this.session.own) return 'server';
    const state = this.session.router?.state.state;
    const shallow = this.session.shallow;
    if (this.page.urls.model && (this.session.wanted || this.session.source.modelFile) && (state === 'full' || state === 'exit' || state === 'loading' || shallow)) return 'model';
    return this.page.urls.table && this.page.urls.fit ? 'table' : 'model';
  }
  #with() {
    return { mode: this.mode, server: this.session.source.server, model: this.session.source.modelFile };
  }
  async compile({ all = false } = {}) {
    this.compileSoon.cancel();
    this.aborting?.abort();
    const abort = (this.aborting = new AbortController());
    const how = this.#with();
    const { store, session, changes } = this;
    if (!store.changed && !how.model && how.mode !== 'server') {
      if (session.edited) await session.reset().catch(() => {});
      this.#keepAsset(null);
      return changes.none();
    }
    changes.working(0);
    try {
      const limit = all || how.mode === 'table' ? undefined : MOST_UNASKED;
      const onProgress = ({ compiled, loading }) => changes.working(compiled ?? loading ?? 0);
      const result = await this.work.ask('compile', { file: forCompile(store.file), limit, ...how }, { signal: abort.signal, onProgress });
      if (result.needs) return changes.ask(result.needs, () => this.compile({ all: true }));
      this.asset = result.asset;
      const shallow = how.mode === 'table';
      this.#keepAsset(how.mode === 'server' || how.model ? null : { bytes: result.asset, shallow, site: session.files.table + session.sizes.table });
      const using = session.useAsset(result.asset, shallow).catch(() => {});
      await changes.show(result, how, abort.signal);
      await using;
    } catch (error) {
      if (abort.signal.aborted) return;
      changes.failed(error);
    }
  }
  #keepAsset(value) {
    keep('asset', value).catch(() => {});
  }

  // ---- rendering

  #changed(field) {
    if (field) this.#bar(), this.#tabs();
    else this.#render();
    this.compileSoon();
  }
  #saved() {
    const { store } = this;
    if (this.savedNote) this.savedNote.textContent = store.blocked ? t('edit.blocked') : store.changed ? t('edit.saved') : '';
  }
  #render() {
    const { store } = this;
    if (!store.route(this.selected)) this.selected = store.file.routes[0]?.id;
    const focused = document.activeElement?.dataset?.focus;
    this.looks = dress(store.file.routes.map((r) => ({ id: r.id, fallback: r.id === store.file.fallback })));
    this.bar ??= h('div.edit-bar', { role: 'toolbar', 'aria-label': t('edit.tools') });
    this.list = h('div.route-list', { role: 'tablist', 'aria-label': t('edit.routes') });
    this.form = h('div.card.route-form', { role: 'tabpanel', id: 'route-panel' });
    this.#bar();
    this.#tabs();
    this.#form();
    const addRoute = h('button.link-button', { type: 'button', 'data-focus': 'add route', onclick: () => {
      this.selected = store.add();
      this.#render();
      this.form.querySelector('input')?.select();
    } }, t('edit.addroute'));
    const grid = h('div.edit-grid', {}, h('div.column', {}, h('div.route-head', {}, this.list, addRoute), this.form), this.changes.node);
    fill(this.body, this.bar, grid);
    this.changes.render();
    if (focused) this.body.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
    this.#saved();
  }
  #bar() {
    const { store } = this;
    const button = (key, glyph, onclick, disabled = false) =>
      h('button.button', { type: 'button', onclick, disabled, 'data-focus': key }, glyph && icon(glyph), t(key));
    if (!this.bar.firstChild || this.barLanguage !== document.documentElement.lang) {
      this.barLanguage = document.documentElement.lang;
      this.undo = button('edit.undo', 'undo', () => store.undo());
      this.redo = button('edit.redo', 'redo', () => store.redo());
      this.clear = button('edit.reset', null, () => store.change(store.published));
      this.exportAsset = button('edit.export.asset', null, () => this.#exportAsset());
      this.savedNote = h('span.saved', { role: 'status' });
      const picker = h('input', { type: 'file', accept: '.json,.srr,application/json', hidden: true, onchange: () => this.#import(picker.files[0]).finally(() => (picker.value = '')) });
      fill(this.bar, this.undo, this.redo, this.clear, h('span.grow'), this.savedNote,
        button('edit.import', null, () => picker.click()), picker,
        button('edit.export.json', null, () => save(`${JSON.stringify(forCompile(store.file), null, 2)}\n`, `${fileName(store.file.name)}.json`, 'application/json')),
        this.exportAsset);
    }
    this.undo.disabled = !store.past.length;
    this.redo.disabled = !store.future.length;
    this.clear.disabled = !store.changed;
  }
  #tabs() {
    const { store } = this;
    const tab = (route) => h(`button.route-tab.c${this.looks.get(route.id)?.colour ?? 0}`, {
      type: 'button', role: 'tab', id: `tab-${store.file.routes.indexOf(route)}`, 'aria-selected': String(route.id === this.selected), 'aria-controls': 'route-panel',
      tabIndex: route.id === this.selected ? 0 : -1, 'data-focus': `tab ${route.id}`,
      onclick: () => this.#select(route.id),
      onkeydown: (event) => this.#tabKeys(event, route),
    }, shapeOf(this.looks.get(route.id)), h('span', {}, route.label), h('span.num', {}, number(route.utterances.length)));
    fill(this.list, store.file.routes.map(tab));
    const selected = store.file.routes.findIndex((r) => r.id === this.selected);
    this.form.setAttribute('aria-labelledby', `tab-${selected}`);
  }
  #select(id) {
    this.selected = id;
    this.at = 0;
    this.filter = '';
    this.#render();
  }
  #tabKeys(event, route) {
    const { routes } = this.store.file;
    const rtl = document.documentElement.dir === 'rtl' ? -1 : 1;
    const step = { ArrowRight: rtl, ArrowLeft: -rtl, ArrowDown: 1, ArrowUp: -1 }[event.key];
    const i = event.key === 'Home' ? 0 : event.key === 'End' ? routes.length - 1 : step ? (routes.indexOf(route) + step + routes.length) % routes.length : -1;
    if (i < 0) return;
    event.preventDefault();
    this.#select(routes[i].id);
    this.list.children[i].focus();
  }
  #form() {
    const { store } = this;
    const route = store.route(this.selected);
    if (!route) return fill(this.form);
    const field = (name, key) => {
      const id = `route-${name}`;
      const onInput = ({ target }) => {
        if (name === 'label' && !target.value.trim()) return;
        store.patch(route.id, { [name]: target.value }, `${route.id} ${name}`);
      };
      return h('div.field', {}, h('label', { for: id }, t(key)), h('input.input', { id, value: route[name] ?? '', dir: 'auto', 'data-focus': id, oninput: onInput, autocomplete: 'off' }));
    };
    const isFallback = route.id === store.file.fallback;
    this.rows = h('ul.utterances');
    this.pager = h('div.pager');
    this.search = h('input.input', { type: 'search', id: 'route-search', placeholder: t('edit.search'), 'aria-label': t('edit.search'), value: this.filter, 'data-focus': 'search',
      oninput: ({ target }) => ((this.filter = target.value), (this.at = 0), this.#rows()) });
    const add = h('textarea.input', { id: 'route-add', rows: '2', placeholder: t('edit.add.hint'), dir: 'auto', 'data-focus': 'add' });
    const onAdd = () => {
      const more = add.value.split('\n').map((l) => l.trim()).filter((l) => l && !route.utterances.includes(l));
      if (!more.length) return;
      this.at = 0;
      store.patch(route.id, { utterances: [...new Set(more), ...store.route(route.id).utterances] });
      $('route-add').focus();
    };
    add.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) (event.preventDefault(), onAdd());
    });
    fill(this.form,
      h('div.pair', {}, field('label', 'edit.label'), field('description', 'edit.description')),
      h('div.row', {}, h('span.soft', {}, isFallback ? t('edit.isfallback') : ''), h('span.grow'),
        !isFallback && h('button.link-button', { type: 'button', 'data-focus': 'fallback', onclick: () => store.change({ ...store.file, fallback: route.id }) }, t('edit.makefallback')),
        store.file.routes.length > 1 && h('button.link-button', { type: 'button', 'data-focus': 'remove', onclick: () => store.remove(route.id) }, t('edit.removeroute'))),
      h('div.field', {}, h('label', { for: 'route-add' }, t('edit.add')), add, h('div.row', {}, h('button.button', { type: 'button', onclick: onAdd }, icon('plus'), t('edit.addbutton')))),
      h('div.field', {}, h('span.label', {}, t('edit.utterances', { n: route.utterances.length })), route.utterances.length > 8 && this.search, this.rows, this.pager));
    this.#rows();
  }
  #rows() {
    const { store } = this;
    const route = store.route(this.selected);
    const wanted = this.filter.trim().toLowerCase();
    const list = [];
    route.utterances.forEach((text, i) => (!wanted || text.toLowerCase().includes(wanted)) && list.push(i));
    const pages = Math.max(1, Math.ceil(list.length / PAGE));
    this.at = Math.min(this.at, pages - 1);
    const write = (i, text, field) => store.patch(route.id, { utterances: store.route(route.id).utterances.map((u, j) => (j === i ? text : u)) }, field);
    fill(this.rows, list.slice(this.at * PAGE, (this.at + 1) * PAGE).map((i) => h('li', {},
      h('input', { value: route.utterances[i], dir: 'auto', 'aria-label': t('edit.utterance', { i: number(i + 1) }), 'data-focus': `u ${i}`, autocomplete: 'off',
        oninput: ({ target }) => target.value.trim() && write(i, target.value, `${route.id} u${i}`) }),
      h('button.icon-button', { type: 'button', 'aria-label': t('edit.remove', { text: route.utterances[i].slice(0, 60) }), 'data-focus': `x ${i}`,
        onclick: () => {
          const next = store.route(route.id).utterances.filter((_, j) => j !== i);
          store.patch(route.id, { utterances: next });
          this.body.querySelector(`[data-focus="x ${Math.min(i, next.length - 1)}"]`)?.focus();
        } }, icon('close')))));
    this.rows.hidden = !list.length;
    const turn = (by) => ((this.at += by), this.#rows());
    fill(this.pager, pages > 1 && [
      h('button.button', { type: 'button', disabled: !this.at, onclick: () => turn(-1) }, t('pager.back')),
      h('span.num', {}, t('pager.at', { at: number(this.at + 1), of: number(pages) })),
      h('button.button', { type: 'button', disabled: this.at === pages - 1, onclick: () => turn(1) }, t('pager.on'))]);
  }
  #keys(event) {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z' || event.altKey) return;
    event.preventDefault();
    event.shiftKey ? this.store.redo() : this.store.undo();
  }

  // ---- files

  async #import(file) {
    if (!file) return;
    try {
      if (file.size > LARGEST_FILE) throw Object.assign(new Error(t('import.large')), { code: 'SR_ROUTES' });
      const bytes = new Uint8Array(await file.arrayBuffer());
      const isAsset = bytes[0] === 0x53 && bytes[1] === 0x52;
      let found;
      if (isAsset) found = await this.work.ask('open', { asset: bytes });
      else
        try {
          found = JSON.parse(new TextDecoder().decode(bytes));
        } catch {
          throw Object.assign(new Error(t('import.json')), { code: 'SR_ROUTES' });
        }
      this.selected = null;
      this.store.change(checkShape(found));
    } catch (error) {
      this.changes.failed(error);
    }
  }
  async #exportAsset() {
    if (!this.asset || this.store.changed === false) {
      const response = await fetch(this.page.urls.asset);
      return save(await response.blob(), `${fileName(this.store.file.name)}.srr`, 'application/octet-stream');
    }
    save(this.asset, `${fileName(this.store.file.name)}.srr`, 'application/octet-stream');
  }
}
const fileName = (name) => name.replace(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, 60) || 'routes';
