// The routes being edited: every state is a new object that shares what did not change, so undo is a list of them. Kept in
// IndexedDB a moment after each change, so that nothing is lost on reload or crash.
import { keep, kept } from './storage.js';
import { t } from './i18n.js';

const MOST_STEPS = 300, MOST_ROUTES = 256, MOST_UTTERANCES = 100000, LONGEST = 20000;
const SAME_FIELD_MS = 1200;

export class RouteStore extends EventTarget {
  constructor(published) {
    super();
    Object.assign(this, { published, file: published, past: [], future: [], saved: true, blocked: false });
    const flush = () => !this.saved && this.#save();
    addEventListener('pagehide', flush);
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && flush());
  }
  async restore() {
    try {
      const found = await kept('routes');
      if (found) this.file = checkShape(found);
    } catch (error) {
      if (error.code !== 'SR_ROUTES') this.blocked = true;
    }
    return this;
  }
  get changed() {
    return this.file !== this.published && JSON.stringify(this.file) !== JSON.stringify(this.published);
  }

  /** field: changes of the same field in a row are one step. */
  change(file, field = null) {
    const now = performance.now();
    const together = field && this.field === field && now - this.fieldAt < SAME_FIELD_MS;
    if (!together) {
      this.past.push(this.file);
      if (this.past.length > MOST_STEPS) this.past.shift();
    }
    Object.assign(this, { file, field, fieldAt: now, future: [] });
    this.#changed(field);
  }
  undo() {
    if (this.past.length) this.#step(this.past, this.future);
  }
  redo() {
    if (this.future.length) this.#step(this.future, this.past);
  }
  #step(from, to) {
    to.push(this.file);
    this.file = from.pop();
    this.field = null;
    this.#changed(null);
  }
  #changed(field) {
    this.saved = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#save(), 250);
    this.dispatchEvent(new CustomEvent('change', { detail: { field } }));
  }
  async #save() {
    clearTimeout(this.timer);
    this.saved = true;
    const { file } = this;
    try {
      await keep('routes', file === this.published ? null : file);
    } catch {
      this.blocked = true;
    }
    this.dispatchEvent(new Event('saved'));
  }

  // ---- edits
  route(id) {
    return this.file.routes.find((r) => r.id === id);
  }
  patch(id, change, field) {
    const routes = this.file.routes.map((r) => (r.id === id ? { ...r, ...change } : r));
    const renamed = change.id && this.file.fallback === id ? { fallback: change.id } : {};
    this.change({ ...this.file, ...renamed, routes }, field);
  }
  add() {
    let n = this.file.routes.length + 1;
    while (this.route(`route-${n}`)) n++;
    const route = { id: `route-${n}`, label: t('edit.newroute'), description: '', utterances: [], negatives: [] };
    this.change({ ...this.file, routes: [...this.file.routes, route] });
    return route.id;
  }
  remove(id) {
    const routes = this.file.routes.filter((r) => r.id !== id);
    const fallback = this.file.fallback === id ? routes[0]?.id : this.file.fallback;
    this.change({ ...this.file, fallback, routes });
  }
}

const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);
const wrong = (message) => {
  throw Object.assign(new Error(message), { code: 'SR_ROUTES' });
};

/** Enough of routes/README.md that the editor can show it; compile() checks the rest. Returns a clean copy. */
export function checkShape(file) {
  if (!isObject(file) || !Array.isArray(file.routes) || !file.routes.length) wrong(t('import.routes'));
  if (file.routes.length > MOST_ROUTES) wrong(t('import.toomany', { most: MOST_ROUTES }));
  let count = 0;
  const ids = new Set();
  const texts = (route, name) => {
    const list = route[name] ?? [];
    if (!Array.isArray(list)) wrong(t('import.list', { route: route.id, name }));
    if ((count += list.length) > MOST_UTTERANCES) wrong(t('import.texts', { most: MOST_UTTERANCES }));
    return list.map((item) => {
      const text = isObject(item) ? item.text : item;
      if (typeof text !== 'string' || !text.trim() || text.length > LONGEST) wrong(t('import.text', { route: route.id, name }));
      return text;
    });
  };
  const routes = file.routes.map((route, i) => {
    if (!isObject(route) || typeof route.id !== 'string' || !route.id.trim() || route.id.length > 255) wrong(t('import.id', { i: i + 1 }));
    if (ids.has(route.id)) wrong(t('import.twice', { route: route.id }));
    ids.add(route.id);
    for (const name of ['label', 'description', 'target'])
      if (route[name] !== undefined && typeof route[name] !== 'string') wrong(t('import.string', { route: route.id, name }));
    for (const name of ['threshold', 'margin'])
      if (route[name] !== undefined && !Number.isFinite(route[name])) wrong(t('import.number', { route: route.id, name }));
    return { ...route, label: route.label || route.id, utterances: texts(route, 'utterances'), negatives: texts(route, 'negatives') };
  });
  const fallback = file.fallback ?? routes[0].id;
  if (!ids.has(fallback)) wrong(t('import.fallback'));
  return { ...file, name: typeof file.name === 'string' && file.name ? file.name : 'routes', fallback, routes };
}
/** As the compiler wants it: nothing empty. */
export function forCompile(file) {
  return { ...file, routes: file.routes.map(({ ...r }) => {
    for (const name of ['description', 'target']) if (!r[name]) delete r[name];
    if (!r.negatives?.length) delete r.negatives;
    return r;
  }) };
}
