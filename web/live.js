// From text to decisions over time: loads table and model, previews on this thread, routes in the worker, keeps the order.
import { downloadBytes } from './download.js';
import { Engine, Pipe } from './engine.js';
import { blankDecision, project, setLearned } from './learned-rows.js';
import { absolute, fail, isBytes, isNode } from './wasm.js';

const PREVIEW_UNITS = 20000; // a preview of a pasted book reads its start: no keystroke may wait for the rest
const blank = (text) => !/[^\s\u0000-\u0020\u007f-\u00a0\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]/u.test(text);

export class Live {
  constructor(matcher, options, emit) {
    Object.assign(this, { matcher, options, emit });
    this.wasm = matcher.wasm;
    this.queue = [];
    const at = (embedder) => matcher.exits.find((e) => e.embedder === embedder);
    this.tableExit = at('table');
    this.encoderExit = at('encoder');
    this.externalExit = at('external');
    this.lastExit = options.lastExit ?? matcher.exits.length - 1;
    this.previewLayer = options.previewLayer ?? (isNode ? -1 : 1);
    this.hostState = { state: 'idle', exit: -1, loadedBytes: 0, totalBytes: 0, fromCache: false };
    this.waiting = []; // for the next word of the host
  }

  /** Resolves as soon as something can answer. */
  async start() {
    const { embedder, table, model, autoload = true } = this.options;
    if (embedder) return this.#startEmbedder(embedder);
    this.engine = new Engine(this.wasm, this.matcher);
    if (model && !this.encoderExit) throw fail('SR_E_MODEL', 'this route asset has no exit of an encoder');
    const loading = model && autoload ? this.load() : null;
    loading?.catch(() => {}); // told by the state
    if (table) await this.#startTable(table);
    else if (loading) await this.#ready();
    this.#tell();
  }

  #startEmbedder(embedder) {
    const own = (e) => e.embedder === 'encoder' && String(e.layers) === String(embedder.layer) && e.modelContent === embedder.modelContent;
    const exit = (this.externalExit ??= this.matcher.exits.find(own));
    if (!exit) throw fail('SR_E_MODEL', 'this route asset has no exit for an embedder of your own');
    if (embedder.modelId !== undefined && embedder.modelId !== exit.model)
      throw fail('SR_E_MODEL', `the route asset was made with ${exit.model}, the embedder is ${embedder.modelId}`);
    if (embedder.dimensions !== undefined && embedder.dimensions !== exit.dim)
      throw fail('SR_E_DIM', `the route asset has ${exit.dim} dimensions, the embedder ${embedder.dimensions}`);
    if (embedder.prefix !== undefined && embedder.prefix !== exit.prefix)
      throw fail('SR_E_MODEL', `the route asset was made with the prefix “${exit.prefix}”, the embedder's is “${embedder.prefix}”`);
    this.hostState = { ...this.hostState, exit: exit.exit };
    this.#tell();
  }

  async #startTable(table) {
    const { cache, integrity, signal } = this.options;
    if (!this.tableExit) throw fail('SR_E_MODEL', 'this route asset has no exit of a piece table');
    const pin = this.tableExit.modelContent;
    const options = { pin, cache, integrity: integrity?.table, signal, what: 'piece table' };
    this.engine.openTable((await downloadBytes(table, options)).bytes);
  }

  load() {
    if (!this.options.model) return Promise.reject(new TypeError('load() was given no model'));
    if (this.hostState.state === 'failed') return this.retry();
    return (this.loading ??= this.#loadModel());
  }
  async #loadModel() {
    const { model, cache, integrity, signal, worker = true } = this.options;
    const host = await this.#startHost(worker);
    if (this.closed) throw fail('SR_DISPOSED', 'disposed');
    const source = isBytes(model) ? model : absolute(model, 'model');
    try {
      await host.load(source, {
        pin: this.encoderExit.modelContent,
        cache, signal,
        integrity: integrity?.model,
        previewLayer: this.inWorker ? this.previewLayer : -1,
      });
    } catch (error) {
      if (this.hostState.state !== 'failed') this.#heard({ ...this.hostState, type: 'state', state: 'failed', error });
      throw error;
    }
  }
  /** Resolves when some exit of the encoder answers; rejects when loading fails before. */
  async #ready() {
    for (;;) {
      if (this.closed) throw fail('SR_DISPOSED', 'this router was disposed');
      if (this.hostState.exit >= 0) return;
      if (this.hostState.state === 'failed') throw this.hostState.error;
      await new Promise((heard) => this.waiting.push(heard));
    }
  }
  async #startHost(worker) {
    const { startHost } = await import('./client.js');
    const { wasm, matcher, engine } = this;
    Object.assign(this, await startHost({ worker, wasm, matcher, engine, emit: (message) => this.#heard(message) }));
    if (this.closed) this.host.dispose();
    return this.host;
  }
  async retry() {
    if (this.hostState.state === 'failed') await this.host.retry();
  }

  #heard(message) {
    if (this.closed) return;
    if (message.type === 'first') this.#firstPart(message.bytes);
    else if (message.type === 'interim') this.#interim(message);
    else if (message.type === 'state') {
      const { type: _type, ...state } = message;
      const deeper = state.exit > this.hostState.exit;
      this.hostState = state;
      this.#tell();
      for (const heard of this.waiting.splice(0)) heard();
      if (deeper) this.learned?.catchUp();
    }
  }
  #firstPart(bytes) {
    try {
      this.engine.beginModel(bytes.length);
      this.engine.writeModel(bytes, 0);
      this.engine.extendModel(bytes.length);
    } catch {
      // the page is short of memory: previews come from the table then
    }
  }
  #tell() {
    const { hostState: h } = this;
    const table = this.engine?.table ? this.tableExit.exit : -1;
    this.emit({ ...h, exit: Math.max(table, h.exit), error: h.error ?? null });
  }

  // ---- answers

  preview(text) {
    const exits = this.#pagePipe()?.usable().filter((e) => e.embedder === 'table' || e.layer <= this.previewLayer) ?? [];
    if (!exits.length) return null;
    const deepest = exits.reduce((a, b) => (b.layer > a.layer ? b : a));
    return this.#onPage(text.slice(0, PREVIEW_UNITS), deepest.exit);
  }
  #pagePipe() {
    if (!this.engine || !(this.engine.table || this.engine.model)) return null;
    return (this.pipe ??= new Pipe(this.engine));
  }
  #onPage(text, exit, use = (decision) => decision) {
    const pipe = this.#pagePipe();
    try {
      pipe.start(text);
      return use(pipe.answer(exit), pipe);
    } finally {
      pipe.end();
    }
  }

  route(text, { signal, maxExit = this.lastExit, budgetMs = this.options.budgetMs, keep = false }) {
    for (const value of [maxExit, budgetMs])
      if (value !== undefined && !(value >= 0)) throw new TypeError('maxExit and budgetMs are numbers of at least 0');
    if (signal?.aborted) return Promise.reject(signal.reason);
    for (const request of this.queue.slice())
      if (!request.keep) this.#drop(request, fail('SR_OVERTAKEN', 'newer text was asked for'));
    return new Promise((resolve, reject) => {
      const abort = new AbortController();
      const request = { text, last: maxExit, budgetMs, keep, resolve, reject, abort, started: performance.now() };
      request.onAbort = () => this.#drop(request, signal.reason);
      signal?.addEventListener('abort', request.onAbort, { once: true });
      request.done = () => signal?.removeEventListener('abort', request.onAbort);
      this.queue.push(request);
      this.#pump();
    });
  }
  #drop(request, error) {
    if (!this.queue.includes(request)) return;
    this.queue.splice(this.queue.indexOf(request), 1);
    request.done();
    request.abort.abort(error);
    if (request.hostId !== undefined) this.host?.drop(request.hostId);
    request.reject(error);
    if (this.running === request) (this.running = null), this.#pump();
  }
  async #pump() {
    const request = this.queue[0];
    if (this.running || !request) return;
    this.running = request;
    let settle;
    try {
      const decision = await this.#answer(request);
      decision.ms = performance.now() - request.started;
      settle = () => request.resolve(decision);
    } catch (error) {
      settle = () => request.reject(error);
    }
    if (this.running !== request) return; // dropped meanwhile
    this.running = null;
    this.queue.shift();
    request.done();
    settle();
    this.#pump();
  }

  async #answer(request) {
    const { text, last, abort } = request;
    if (this.options.embedder) {
      const { exit } = this.externalExit;
      if (blank(text)) return blankDecision(this.matcher, exit);
      const vector = await this.options.embedder(text, { signal: abort.signal });
      if (this.closed) throw fail('SR_DISPOSED', 'disposed');
      return this.matcher.match(toVector(vector), exit);
    }
    let best = null;
    const from = this.encoderExit?.exit ?? Infinity;
    if (this.engine.table && this.tableExit.exit <= last) {
      best = this.#onPage(text, this.tableExit.exit);
      const sure = best.confidence >= this.tableExit.stopConfidence || !best.why.length;
      if (sure && this.tableExit.exit < from) return best;
    }
    if (!this.loading) {
      if (best) return best;
      throw fail('SR_NOT_READY', 'the model has not been loaded: call load()');
    }
    if (last < from) {
      if (best) return best;
      throw fail('SR_E_EXIT', `exit ${last} needs a table that was not given`);
    }
    if (!best) await this.#ready();
    if (this.hostState.exit < 0) return best;
    return this.#ask(request, best);
  }

  async #ask(request, best) {
    const { text, last, budgetMs, abort } = request;
    abort.signal.throwIfAborted();
    request.hostId = this.host.nextId();
    const asked = this.host.route(request.hostId, text, { first: 0, last, interim: budgetMs !== undefined });
    let timer;
    const late = new Promise((resolve) => {
      if (budgetMs === undefined) return;
      request.interim = (decision) => ((best = decision), request.late && resolve(best));
      const left = Math.max(0, budgetMs - (performance.now() - request.started));
      timer = setTimeout(() => ((request.late = true), best && resolve(best)), left);
    });
    try {
      const decision = await Promise.race([asked, late]);
      if (request.late) asked.catch(() => {}), this.host.drop(request.hostId);
      return decision ?? best;
    } catch (error) {
      if (best && !this.closed && error.code === 'SR_WORKER') return best;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
  #interim({ id, decision }) {
    if (this.running?.hostId === id) this.running.interim?.(decision);
  }

  // ---- learning

  async learnedStore(changed) {
    const { Learned } = await import('./learn.js');
    return (this.learned ??= new Learned(this, changed));
  }
  /** { exit: row } for every exit that can answer now and is not in `have`. */
  async rows(text, have = {}) {
    const { matcher, tableExit, externalExit } = this;
    const rows = {};
    if (this.options.embedder && !have[externalExit.exit])
      rows[externalExit.exit] = project(matcher, toVector(await this.options.embedder(text)), externalExit.exit);
    if (this.engine?.table && !have[tableExit.exit])
      this.#onPage(text, tableExit.exit, (_decision, pipe) => {
        const vector = pipe.vector(tableExit.exit);
        if (vector) rows[tableExit.exit] = project(matcher, vector, tableExit.exit);
      });
    if (this.host && this.hostState.exit >= 0 && !have[this.hostState.exit]) Object.assign(rows, await this.host.rows(text));
    return rows;
  }
  setLearned(exit, entries) {
    setLearned(this.matcher, exit, entries);
    if (this.inWorker) this.host.setLearned(exit, entries).catch(() => {});
  }

  dispose() {
    if (this.closed) return;
    this.closed = true;
    const error = fail('SR_DISPOSED', 'this router was disposed');
    for (const request of this.queue.splice(0)) request.done(), request.abort.abort(error), request.reject(error);
    for (const heard of this.waiting.splice(0)) heard();
    this.pipe?.close();
    this.host?.dispose();
    this.engine?.dispose();
  }
}

function toVector(vector) {
  if (!(Array.isArray(vector) || ArrayBuffer.isView(vector)) || vector.length === undefined)
    throw new TypeError('the embedder must resolve to a Float32Array or an array of numbers');
  return vector;
}
