// SmartRouter for JavaScript: the matcher's side, enough to decide vectors. smartrouter.d.ts says what everything means. What
// text needs (live.js) is loaded when an embedder, table or model is given.
import { Matcher } from './matcher.js';
import { Wasm, bestVariant, fail, fetchBytes } from './wasm.js';


export class SmartRouter extends EventTarget {
  #matcher;
  #live = null;
  #learned = null;
  #state = Object.freeze({
    state: 'idle', exit: -1, layer: -1, loadedBytes: 0, totalBytes: 0, fromCache: false, error: null, retry: async () => {},
  });

  static bestVariant = bestVariant;

  static async load(options) {
    if (options === null || typeof options !== 'object') throw new TypeError('load() wants an object of options');
    const { asset, model, table, embedder, wasm: where, variant, signal, onProgress } = options;
    if (asset === undefined) throw new TypeError('load() wants an asset');
    if (embedder !== undefined && typeof embedder !== 'function') throw new TypeError('embedder must be a function');
    if (embedder && (model || table)) throw new TypeError('give an embedder, or a model and table, not both');
    if (onProgress !== undefined && typeof onProgress !== 'function') throw new TypeError('onProgress must be a function');
    signal?.throwIfAborted();
    const full = !!(model || table);
    const text = full || embedder ? import('./live.js') : null;
    text?.catch(() => {});
    const [wasm, bytes] = await Promise.all([
      Wasm.open({ wasm: where, variant, full }),
      text || options.integrity ? import('./download.js').then((d) => d.fetchAsset(asset, options)) : fetchBytes(asset, signal),
    ]);
    const self = new SmartRouter(new Matcher(wasm, bytes));
    if (onProgress) self.addEventListener('state', () => onProgress(self.state));
    if (!text) return self;
    const { Live } = await text;
    self.#live = new Live(self.#matcher, options, (state) => self.#tell(state));
    try {
      await self.#live.start();
    } catch (error) {
      self.dispose();
      throw error;
    }
    return self;
  }

  static async compile(routes, embedder, options = {}) {
    return (await import('./compile.js')).compile(routes, embedder, options);
  }

  constructor(matcher) {
    super();
    if (!(matcher instanceof Matcher)) throw new TypeError('use SmartRouter.load()');
    this.#matcher = matcher;
    this.routes = Object.freeze(matcher.routes.map(Object.freeze));
    this.exits = Object.freeze(matcher.exits.map(Object.freeze));
    this.fallback = matcher.fallback;
    this.content = matcher.content;
    this.variant = matcher.wasm.variant;
    this.version = matcher.wasm.string(matcher.wasm.x.version());
  }

  get state() {
    return this.#state;
  }
  get inWorker() {
    return !!this.#live?.inWorker;
  }
  #tell(state) {
    const layer = this.exits[state.exit]?.layer ?? -1;
    this.#state = Object.freeze({ ...state, layer, retry: () => this.#alive().#live.retry() });
    this.dispatchEvent(Object.assign(new Event('state'), this.#state));
  }
  #alive() {
    if (this.#matcher.dead) throw fail('SR_DISPOSED', 'this router was disposed');
    return this;
  }

  async load() {
    if (!this.#alive().#live) throw new TypeError('load() was given no model');
    return this.#live.load();
  }

  preview(text) {
    return this.#alive().#live?.preview(string(text)) ?? (string(text), null);
  }

  async route(text, options = {}) {
    string(text);
    return this.#reader().route(text, options);
  }

  match(vector, exit = this.exits.find((e) => e.embedder === 'external')?.exit ?? this.exits.length - 1) {
    if (!(Array.isArray(vector) || ArrayBuffer.isView(vector)) || vector.length === undefined)
      throw new TypeError('match() wants a Float32Array or an array of numbers');
    if (!Number.isInteger(exit) || exit < 0) throw new TypeError('exit must be an index into router.exits');
    return this.#alive().#matcher.match(vector, exit);
  }

  explain(what) {
    const decision = typeof what === 'string' ? this.preview(what) : what;
    if (decision === null) return null;
    if (!decision?.scores || !this.exits[decision.exit]) throw new TypeError('explain() wants a decision or a text');
    const by = new Map(this.routes.map((r, i) => [r.id, { ...r, ...this.exits[decision.exit].thresholds[i] }]));
    const nearest = by.get(decision.nearest);
    const rule = !decision.why.length && !decision.confidence && !decision.score ? 'empty'
      : decision.belowThreshold ? 'threshold'
      : decision.belowMargin && !decision.uncertain ? 'margin'
      : 'nearest';
    const n = (v) => v.toFixed(2);
    const [best] = decision.scores;
    const like = decision.why[0]?.text ? `, most like “${decision.why[0].text}”` : '';
    const sentence = {
      empty: `The prompt is empty, so ${decision.label} takes it.`,
      threshold: `${nearest.label} is nearest (${n(best.score)}), but below its threshold ${n(nearest.tau)}: ${decision.label} takes it.`,
      margin: `${nearest.label} is nearest, but leads by ${n(decision.margin)} only, less than ${n(nearest.margin)}: ${decision.label} takes it.`,
      nearest: `${decision.label} is nearest (${n(best.score)}, ahead by ${n(decision.margin)})${like}${
        decision.uncertain ? '; unsure, since the lead is small' : ''}.`,
    }[rule];
    return {
      decision, rule, sentence,
      routes: decision.scores.map(({ route, score }) => {
        const { label, tau, margin } = by.get(route);
        return { route, label, score, threshold: tau, margin, why: decision.why.filter((w) => w.route === route) };
      }),
    };
  }

  #reader() {
    if (!this.#alive().#live) throw fail('SR_NOT_READY', 'give a model, a table or an embedder to read text');
    return this.#live;
  }
  async #learnedStore() {
    return (this.#learned ??= await this.#reader().learnedStore(() => this.dispatchEvent(new Event('learned'))));
  }
  async learn(text, route, options) {
    return (await this.#learnedStore()).learn(string(text), route, options);
  }
  unlearn(id) {
    return !!this.#alive().#learned?.remove(id);
  }
  learned() {
    return this.#learned?.list() ?? [];
  }
  exportLearned() {
    return this.#learned?.export() ?? { name: 'learned', routes: [] };
  }
  async importLearned(file) {
    return (await this.#learnedStore()).import(file);
  }

  utterances(exit) {
    if (exit !== undefined && !this.exits[exit]) throw new TypeError('exit must be an index into router.exits');
    return this.#alive().#matcher.utterances(exit);
  }

  dispose() {
    this.#live?.dispose();
    this.#live = null;
    this.#matcher.dispose();
  }
}

function string(text) {
  if (typeof text !== 'string') throw new TypeError('the prompt must be a string');
  return text;
}
